"""One text as the submit_sm bodies that carry it: cut by our own rules, concatenated by user data header."""

from __future__ import annotations

from collections.abc import Iterator

from consular.domain.ports import SmsRequest
from consular.domain.segmentation import GSM_7, segment
from consular.providers.smpp import alphabets
from consular.providers.smpp.pdus import Address, ShortMessage
from consular.providers.smpp.settings import INTERNATIONAL, ISDN

UDH_INDICATOR = 0x40
RECEIPT_WANTED = 1
MOST_PARTS = 255
LONGEST_VALIDITY = 36_000

_CONCATENATION_8_BIT = b"\x05\x00\x03"
_UCS2_OCTETS_CONCATENATED = 134


class Uncomposable(ValueError):
    """The text cannot be put on the wire: half a surrogate pair, or more than 255 parts."""


def compose(request: SmsRequest, source: Address, reference: int, service_type: str = "") -> tuple[bytes, ...]:
    """The bodies of the parts, in order; a text of one part has no header. Raises Uncomposable.

    reference: 0..255, the same in every part (3GPP TS 23.040, 9.2.3.24.1). Joined, the parts are the exact text.
    """
    data_coding, pieces = _octets(request.body)
    if len(pieces) > MOST_PARTS:
        raise Uncomposable("The text has more than 255 parts.")
    is_long = len(pieces) > 1
    return tuple(
        ShortMessage(
            source=source,
            destination=Address(INTERNATIONAL, ISDN, request.to.removeprefix("+")),
            short_message=_header(reference, len(pieces), number) + piece if is_long else piece,
            esm_class=UDH_INDICATOR if is_long else 0,
            data_coding=data_coding,
            registered_delivery=RECEIPT_WANTED,
            validity_period=relative_time(request.validity_seconds),
            service_type=service_type,
        ).encode()
        for number, piece in enumerate(pieces, 1)
    )


def relative_time(seconds: int) -> str:
    """A validity period from now, YYMMDDhhmmsstnnp with p = R (section 7.1.1.2); seconds is brought into 1..36,000."""
    minutes, second = divmod(max(1, min(seconds, LONGEST_VALIDITY)), 60)
    hour, minute = divmod(minutes, 60)
    return f"000000{hour:02d}{minute:02d}{second:02d}000R"


def _octets(body: str) -> tuple[int, list[bytes]]:
    cut = segment(body)
    try:
        if cut.encoding == GSM_7:
            return alphabets.GSM_7, [alphabets.encode_gsm(text) for text in cut.texts]
        if cut.parts == 1:
            return alphabets.UCS_2, [alphabets.encode_ucs2(cut.texts[0])]
        return alphabets.UCS_2, [piece for text in cut.texts for piece in _fitting(alphabets.encode_ucs2(text))]
    except UnicodeEncodeError:
        raise Uncomposable("The text holds half a surrogate pair.") from None


def _fitting(octets: bytes) -> Iterator[bytes]:
    """Pieces that fit beside a header: a cluster of signs longer than a whole part is cut between code points."""
    while len(octets) > _UCS2_OCTETS_CONCATENATED:
        is_inside_pair = 0xD8 <= octets[_UCS2_OCTETS_CONCATENATED - 2] <= 0xDB
        end = _UCS2_OCTETS_CONCATENATED - 2 * is_inside_pair
        yield octets[:end]
        octets = octets[end:]
    yield octets


def _header(reference: int, total: int, number: int) -> bytes:
    return _CONCATENATION_8_BIT + bytes((reference & 0xFF, total, number))
