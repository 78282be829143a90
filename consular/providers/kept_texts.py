"""Reading the raw form of a text from a person once more: whether it says what was read from it when it came.

What decided then may be set otherwise since (an operator's default alphabet, the country of a national number). So a
text is kept when one of the alphabets in question gives exactly it, and a sender also when it begins in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from consular.providers.http_gateway.doorway import CHARSETS
from consular.providers.http_gateway.profile import InboundRules
from consular.providers.http_gateway.profile_files import open_profile
from consular.providers.smpp.pdus import Address, ShortMessage
from consular.providers.smpp.reassembly import GAP
from consular.providers.smpp.received import text_part

if TYPE_CHECKING:
    from config import Config

Pairs = Sequence[tuple[str, str]]
IsKept = Callable[[Pairs, str, str], bool | None]

_SUBSCRIBER = 7


def readers(config: Config) -> dict[str, IsKept]:
    """By gateway, for those that do not send a form with Body and From: whether the raw fields say this sender and
    this body; None when nobody can tell. Without the HTTP gateway's profile its texts cannot be read.

    Raises ValueError, in words for the operator, for a profile that cannot be used.
    """
    found: dict[str, IsKept] = {"smpp": is_kept_by_smpp}
    if config.http_gateway is not None:
        rules = open_profile(config.http_gateway.profile).inbound
        if rules is not None:
            found[config.http_gateway.name] = partial(is_kept_by_http, rules)
    return found


def is_kept_by_smpp(raw: Pairs, sender: str, body: str) -> bool | None:
    """For the fields that received.raw_fields wrote, of one deliver_sm after the other."""
    starts = [place for place, (name, _) in enumerate(raw) if name == "source"]
    try:
        messages = [_message(dict(raw[start:end])) for start, end in pairwise([*starts, len(raw)])]
    except (KeyError, ValueError):
        return None
    if not messages:
        return None
    bodies = [_joined(messages, default_is_latin_1=is_latin) for is_latin in (False, True)]
    return body in bodies and all(_is_same_phone(one.source.digits, sender) for one in messages)


def is_kept_by_http(rules: InboundRules, raw: Pairs, sender: str, body: str) -> bool | None:
    """For the fields that calls.read_fields kept, still percent-encoded."""
    fields = {name: unquote_to_bytes(value.encode("latin-1").replace(b"+", b" ")) for name, value in raw}
    if rules.text not in fields or rules.sender not in fields:
        return None
    given = fields[rules.sender].decode("utf-8", "replace")
    return _is_text(fields, rules, body) and _is_same_phone(given, sender)


def _is_text(fields: Mapping[str, bytes], rules: InboundRules, body: str) -> bool:
    named = fields.get(rules.charset or "", b"").decode("utf-8", "replace").lower()
    charsets = [CHARSETS[named]] if named in CHARSETS else [rules.default_charset, *CHARSETS.values()]
    return any(fields[rules.text].decode(charset, "replace") == body for charset in charsets)


def _message(fields: Mapping[str, str]) -> ShortMessage:
    return ShortMessage(
        source=_address(fields["source"]),
        destination=_address(fields["destination"]),
        short_message=bytes.fromhex(fields["short_message"]),
        esm_class=int(fields["esm_class"]),
        data_coding=int(fields["data_coding"]),
        tlvs=tuple(
            (int(name.removeprefix("tlv_"), 16), bytes.fromhex(value))
            for name, value in fields.items()
            if name.startswith("tlv_")
        ),
    )


def _address(written: str) -> Address:
    ton, npi, digits = written.split("/", 2)
    return Address(int(ton), int(npi), digits)


def _joined(messages: Sequence[ShortMessage], *, default_is_latin_1: bool) -> str:
    parts = [text_part(message, default_is_latin_1=default_is_latin_1) for message in messages]
    pieces = {part.number: part.text for part in parts}
    return "".join(pieces.get(number, GAP) for number in range(1, parts[0].total + 1))


def _is_same_phone(given: str, stored: str) -> bool:
    ours, theirs = ("".join(filter(str.isdecimal, number)) for number in (stored, given))
    is_subscriber = min(len(ours), len(theirs)) >= _SUBSCRIBER
    return given == stored or (is_subscriber and ours[-_SUBSCRIBER:] == theirs[-_SUBSCRIBER:])
