"""What comes in a deliver_sm, as frozen values: a receipt of one of our parts, or a text (or a part) from a phone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import UUID

from consular.providers.smpp import alphabets, pdus
from consular.providers.smpp.codes import StateOctet, is_failure
from consular.providers.smpp.pdus import Address, ShortMessage
from consular.providers.smpp.settings import ALPHANUMERIC, INTERNATIONAL

Raw = tuple[tuple[str, str], ...]

UNREADABLE = "UNREADABLE"

_UDH_INDICATOR = 0x40
_MESSAGE_TYPE = 0x3C
_OF_THE_SMSC = frozenset({0x04, 0x20})
"""Receipt and intermediate notification; the other types are a phone's own answers, which may hold a person's words."""
_SHORTEST_SUBSCRIBER = 7

_WORDS_OF_STATE = {
    StateOctet.ENROUTE: "ENROUTE",
    StateOctet.DELIVERED: "DELIVRD",
    StateOctet.EXPIRED: "EXPIRED",
    StateOctet.DELETED: "DELETED",
    StateOctet.UNDELIVERABLE: "UNDELIV",
    StateOctet.ACCEPTED: "ACCEPTD",
    StateOctet.UNKNOWN: "UNKNOWN",
    StateOctet.REJECTED: "REJECTD",
}
_FIELD = re.compile(r"\b(id|stat|err):\s*(\S*)", re.IGNORECASE)
_OUR_TEXT = re.compile(r"\btext:", re.IGNORECASE)
_STAT = re.compile(r"[A-Z]{1,16}")
_ERROR = re.compile(r"[0-9A-Za-z]{1,8}")
_NO_ERROR = re.compile(r"0*")


class NotStored(Exception):
    """Raised by a callback that could not keep what it was given: the SMSC is asked to deliver it again."""


@dataclass(frozen=True, slots=True)
class SmppReceipt:
    """What became of one part, or of a text of one part.

    message_id: the plainest spelling of the one in the answer to submit_sm (smsc_ids.spellings) when this process sent
    the part, else as the receipt has it. attempt_id: only then, too. status: the word that counts for the whole text,
    see codes.map_status; stat: the word of the receipt. error_code: "STAT:err", None without an error. to: the phone.
    parts: 0 when unknown.
    """

    message_id: str
    attempt_id: UUID | None
    status: str
    stat: str
    error_code: str | None
    to: str = field(repr=False)
    part: int = 0
    parts: int = 0
    raw: Raw = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class SmppText:
    """A text from a phone. message_id: ours, the same when the SMSC delivers the same text again within minutes.

    missing: numbers of the parts that had not come when this had to be stored, or of which words may be missing; when
    they come later, the whole text is handed over as a further SmppText. sender is the network's word; body is exact
    and may hold any sign, even NUL.
    """

    message_id: str
    sender: str = field(repr=False)
    to: str
    body: str = field(repr=False)
    parts: int = 1
    missing: tuple[int, ...] = ()
    raw: Raw = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ReceiptWords:
    """A receipt as its deliver_sm has it, before anybody knows which text it is about."""

    message_id: str
    stat: str
    error_code: str | None


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text, or part `number` of `total` under `reference`, decoded. may_lack_words: it may not be all of it."""

    text: str = field(repr=False)
    reference: int = 0
    total: int = 1
    number: int = 1
    may_lack_words: bool = False


def receipt_words(message: ShortMessage) -> ReceiptWords | None:
    """The receipt in a deliver_sm; None when it is none.

    Only esm_class or the operator's own optional parameters make a receipt: a person who texts "id:1 stat:DELIVRD"
    has written a text. What esm_class calls a phone's own answer is a receipt only if it reads like one. The optional
    parameters win over the text of appendix B. What a receipt does not say or says unreadably is UNREADABLE, which no
    state belongs to.
    """
    own_id = message.tlv(pdus.TLV_RECEIPTED_MESSAGE_ID)
    kind = message.esm_class & _MESSAGE_TYPE
    if not kind and own_id is None:
        return None
    text = alphabets.decode(message.payload, message.data_coding)
    said: dict[str, str] = {}
    for name, value in _FIELD.findall(_OUR_TEXT.split(text, maxsplit=1)[0]):
        said.setdefault(name.lower(), value)
    message_id = (own_id or b"").split(b"\0")[0].decode("latin-1") or said.get("id", "")
    if not message_id or len(message_id) > 64 or not message_id.isprintable():
        message_id = UNREADABLE
    stat = _stat(message, said)
    if own_id is None and kind not in _OF_THE_SMSC and UNREADABLE in (message_id, stat):
        return None
    return ReceiptWords(message_id, stat, _error(message, said, stat))


def text_part(message: ShortMessage, *, default_is_latin_1: bool = False) -> TextPart:
    """The text in a deliver_sm, with what its user data header or its optional parameters say about concatenation."""
    octets = message.payload
    place = (0, 1, 1)
    if message.esm_class & _UDH_INDICATOR and octets and octets[0] < len(octets):
        end = 1 + octets[0]
        place = _place_in_header(octets[1:end]) or place
        octets = octets[end:]
    elif (given := _place_in_tlvs(message)) is not None:
        place = given
    text = alphabets.decode(octets, message.data_coding, default_is_latin_1=default_is_latin_1)
    return TextPart(text, *place, may_lack_words=message.may_lack_words)


def phone(address: Address, home_code: str = "") -> str:
    """A sender as our other gateways spell it: + and digits where it is a subscriber, else as it came."""
    digits = address.digits
    if address.ton == ALPHANUMERIC or not digits.removeprefix("+").isdecimal() or not digits.isascii():
        return digits
    if digits.startswith("+") or address.ton == INTERNATIONAL:
        return "+" + digits.removeprefix("+")
    if digits.startswith("00"):
        return "+" + digits.removeprefix("00")
    if len(digits) < _SHORTEST_SUBSCRIBER:
        return digits
    if not home_code or (digits.startswith(home_code) and not digits.startswith("0")):
        return "+" + digits
    return f"+{home_code}{digits.removeprefix('0')}"


def raw_fields(message: ShortMessage) -> Raw:
    """Everything that came, as names and printable values, to be kept sealed beside what was read from it."""
    named = (
        ("source", f"{message.source.ton}/{message.source.npi}/{message.source.digits}"),
        ("destination", f"{message.destination.ton}/{message.destination.npi}/{message.destination.digits}"),
        ("esm_class", str(message.esm_class)),
        ("data_coding", str(message.data_coding)),
        ("short_message", message.short_message.hex()),
    )
    unread = (("unread", message.rest.hex()),) if message.rest else ()
    return named + tuple((f"tlv_{tag:04x}", value.hex()) for tag, value in message.tlvs) + unread


def _stat(message: ShortMessage, said: dict[str, str]) -> str:
    octet = message.tlv(pdus.TLV_MESSAGE_STATE)
    if octet and octet[-1] in _WORDS_OF_STATE:
        return _WORDS_OF_STATE[StateOctet(octet[-1])]
    word = said.get("stat", "").upper()
    return word if _STAT.fullmatch(word) else UNREADABLE


def _error(message: ShortMessage, said: dict[str, str], stat: str) -> str | None:
    error = said.get("err", "")
    network = message.tlv(pdus.TLV_NETWORK_ERROR_CODE)
    if _NO_ERROR.fullmatch(error) and network is not None and len(network) == 3:
        error = str(int.from_bytes(network[1:], "big"))
    if _NO_ERROR.fullmatch(error) or not _ERROR.fullmatch(error):
        return f"{stat}:000" if is_failure(stat) else None
    return f"{stat}:{error}"


def _place_in_header(header: bytes) -> tuple[int, int, int] | None:
    at = 0
    while at + 2 <= len(header):
        element, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        if (element, length, len(value)) in ((0x00, 3, 3), (0x08, 4, 4)):
            return _checked(int.from_bytes(value[:-2], "big"), value[-2], value[-1])
        at += 2 + length
    return None


def _place_in_tlvs(message: ShortMessage) -> tuple[int, int, int] | None:
    values = [message.tlv(tag) for tag in (pdus.TLV_SAR_REFERENCE, pdus.TLV_SAR_TOTAL, pdus.TLV_SAR_NUMBER)]
    numbers = [int.from_bytes(value, "big") for value in values if value]
    return _checked(*numbers) if len(numbers) == 3 else None


def _checked(reference: int, total: int, number: int) -> tuple[int, int, int] | None:
    return (reference, total, number) if 1 <= number <= total <= 255 and total > 1 else None
