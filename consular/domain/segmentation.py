"""How many parts a text costs: GSM-7 or UCS-2, cut as Twilio cuts (3GPP TS 23.038 and 23.040)."""

from collections.abc import Sequence
from dataclasses import dataclass

from consular.domain.graphemes import split_graphemes

GSM_7 = "GSM-7"
UCS_2 = "UCS-2"

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _GSM_BASIC | _GSM_EXTENSION

_UNITS_ALONE = {GSM_7: 160, UCS_2: 70}
_UNITS_CONCATENATED = {GSM_7: 153, UCS_2: 67}


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What one text costs on the wire.

    encoding: "GSM-7" or "UCS-2". parts: how many SMS parts the gateway sends and bills. texts: the text of each part;
    joined they are the whole. units: septets (GSM-7, extension characters count two) or UTF-16 units in all.
    """

    encoding: str
    parts: int
    texts: tuple[str, ...]
    units: int


def segment(text: str) -> Segmentation:
    """Cut a text as Twilio does without smart encoding; the count equals its sms-segments-calculator 1.3.0.

    An escape pair, a surrogate pair or a grapheme cluster is never cut. A cluster longer than a whole part stays one
    piece, as there. The empty text is one GSM-7 part.
    """
    text = _pair_surrogates(text)
    encoding = GSM_7 if _GSM.issuperset(text) else UCS_2
    units = _units(text, encoding)
    if units <= _UNITS_ALONE[encoding]:
        return Segmentation(encoding, 1, (text,), units)
    pieces = list(text) if encoding == GSM_7 else split_graphemes(text)
    texts = _cut(pieces, encoding)
    return Segmentation(encoding, len(texts), texts, units)


def non_gsm_characters(text: str) -> tuple[str, ...]:
    """The characters that push this text from GSM-7 into UCS-2, each once, in order of appearance."""
    return tuple(dict.fromkeys(character for character in text if character not in _GSM))


def _pair_surrogates(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _units(text: str, encoding: str) -> int:
    if encoding == GSM_7:
        return len(text) + sum(map(text.count, _GSM_EXTENSION))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _sizes(pieces: Sequence[str], encoding: str) -> list[int]:
    if encoding == GSM_7:
        return [2 if piece in _GSM_EXTENSION else 1 for piece in pieces]
    return [1 if len(piece) == 1 and piece <= "\uffff" else _units(piece, encoding) for piece in pieces]


def _cut(pieces: Sequence[str], encoding: str) -> tuple[str, ...]:
    """Pieces into parts. The first part fills up as if it were alone, then gives back what the header displaces."""
    sizes = _sizes(pieces, encoding)
    alone, limit = _UNITS_ALONE[encoding], _UNITS_CONCATENATED[encoding]
    end, used = 0, 0
    while used + sizes[end] <= alone:
        used += sizes[end]
        end += 1
    displaced = end
    while used > limit:
        displaced -= 1
        used -= sizes[displaced]
    starts = [0, displaced]
    used = sum(sizes[displaced : end + 1])
    for index in range(end + 1, len(pieces)):
        if used + sizes[index] > limit:
            starts.append(index)
            used = 0
        used += sizes[index]
    return tuple("".join(pieces[a:b]) for a, b in zip(starts, [*starts[1:], len(pieces)], strict=True))
