"""Values of a request with places for what changes from text to text: "{callback}&status=%d"; "{{" is a brace."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from consular.domain.ports import SmsRequest
from consular.domain.segmentation import non_gsm_characters

_PART = re.compile(r"\{\{|\}\}|\{([a-z0-9_.]+)\}|[{}]")
_PREFIX = "secret."


@dataclass(frozen=True, slots=True)
class Text:
    """One text on its way out, with what the settings add. codings: the gateway's words for GSM-7 and UCS-2."""

    request: SmsRequest
    sender: str
    callback_url: str
    codings: tuple[str, str]


PLACES: Mapping[str, Callable[[Text], str]] = {
    "to": lambda text: text.request.to,
    "to_digits": lambda text: text.request.to.removeprefix("+"),
    "to_00": lambda text: "00" + text.request.to.removeprefix("+"),
    "text": lambda text: text.request.body,
    "text_ucs2_hex": lambda text: text.request.body.encode("utf-16-be").hex(),
    "coding": lambda text: text.codings[bool(non_gsm_characters(text.request.body))],
    "sender": lambda text: text.sender,
    "attempt": lambda text: text.request.attempt_id.hex,
    "callback": lambda text: text.callback_url,
    "validity_seconds": lambda text: str(text.request.validity_seconds),
    "validity_minutes": lambda text: str(max(1, text.request.validity_seconds // 60)),
}
"""What a profile may write between braces, besides {secret.<name>}. validity_minutes is rounded down, but never 0."""


@dataclass(frozen=True, slots=True)
class Template:
    """pieces: words and names of places in turn, beginning and ending with words. Words may hold a password."""

    pieces: tuple[str, ...] = field(repr=False)

    @property
    def places(self) -> frozenset[str]:
        """The names of the places in it; empty when it is the same for every text."""
        return frozenset(self.pieces[1::2])

    def fill(self, text: Text) -> str:
        """The value for one text. Raises UnicodeEncodeError when {text_ucs2_hex} meets half a character."""
        if len(self.pieces) == 1:
            return self.pieces[0]
        return "".join(PLACES[piece](text) if at % 2 else piece for at, piece in enumerate(self.pieces))


def parse(value: str, secrets: Mapping[str, str]) -> Template:
    """The template of a value with secrets filled in. Raises ValueError, never showing one, for an unknown place."""
    pieces, end = [""], 0
    for found in _PART.finditer(value):
        pieces[-1] += value[end : found.start()]
        end = found.end()
        name = found[1]
        if found[0] in ("{{", "}}"):
            pieces[-1] += found[0][0]
        elif name is None:
            raise ValueError("A single brace in the gateway's profile: write {{ or }} for a brace that is sent.")
        elif name.startswith(_PREFIX):
            pieces[-1] += _secret(name.removeprefix(_PREFIX), secrets)
        elif name in PLACES:
            pieces += [name, ""]
        else:
            raise ValueError(f"The gateway's profile has a place {{{name}}} that nobody fills; known: {_known()}.")
    pieces[-1] += value[end:]
    return Template(tuple(pieces))


def _secret(name: str, secrets: Mapping[str, str]) -> str:
    if not secrets.get(name):
        raise ValueError(f"The gateway's profile needs a secret named {name}: set HTTP_GATEWAY_SECRET_{name.upper()}.")
    return secrets[name]


def _known() -> str:
    return ", ".join(f"{{{name}}}" for name in (*PLACES, "secret.<name>"))
