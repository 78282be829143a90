"""The bodies of the PDUs an ESME writes and reads, as frozen values (SMPP 3.4, section 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from consular.providers.smpp.wire import CodecError, Fields, c_string

INTERFACE_VERSION = 0x34
LONGEST_SHORT_MESSAGE = 254

TLV_RECEIPTED_MESSAGE_ID = 0x001E
TLV_SAR_REFERENCE = 0x020C
TLV_SAR_TOTAL = 0x020E
TLV_SAR_NUMBER = 0x020F
TLV_NETWORK_ERROR_CODE = 0x0423
TLV_MESSAGE_PAYLOAD = 0x0424
TLV_MESSAGE_STATE = 0x0427

_UNLIKE_WORDS = frozenset((*range(0x0201, 0x0211), *range(0x0302, 0x0305), 0x0381, *range(0x1400, 0x1500)))
"""Tags, of the standard or an operator's own, on texts from phones that are the beginning of words in no alphabet."""

_LONGEST_ADDRESS = 21
_LONGEST_MESSAGE_ID = 65


@dataclass(frozen=True, slots=True)
class Address:
    """A party of a message: type of number, numbering plan, digits or name (section 5.2.5-5.2.9)."""

    ton: int = 0
    npi: int = 0
    digits: str = field(default="", repr=False)

    def encode(self) -> bytes:
        """As it stands in a PDU."""
        return _octets(self.ton, self.npi) + c_string(self.digits, _LONGEST_ADDRESS)

    @classmethod
    def read(cls, fields: Fields) -> Address:
        """From the fields of a PDU."""
        return cls(fields.byte(), fields.byte(), fields.text())


@dataclass(frozen=True, slots=True)
class BindTransceiver:
    """bind_transceiver (section 4.1.5)."""

    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def encode(self) -> bytes:
        """The body. Raises CodecError when a value is too long."""
        names = c_string(self.system_id, 16) + c_string(self.password, 9) + c_string(self.system_type, 13)
        numbers = _octets(self.interface_version, self.addr_ton, self.addr_npi)
        return names + numbers + c_string(self.address_range, 41)

    @classmethod
    def decode(cls, body: bytes) -> BindTransceiver:
        """From a body. Raises CodecError."""
        f = Fields(body)
        return cls(f.text(), f.text(), f.text(), f.byte(), f.byte(), f.byte(), f.text())


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """submit_sm and deliver_sm, which have the same fields (sections 4.4.1 and 4.6.1).

    tlvs: (tag, value) in order, whatever the tag. rest: the octets at the end that are no optional parameter. is_cut:
    it ends inside a field after the source, whose value is what there is of it, and later fields have none.
    """

    source: Address
    destination: Address
    short_message: bytes = field(default=b"", repr=False)
    esm_class: int = 0
    data_coding: int = 0
    registered_delivery: int = 0
    validity_period: str = ""
    schedule_delivery_time: str = ""
    service_type: str = ""
    protocol_id: int = 0
    priority_flag: int = 0
    replace_if_present_flag: int = 0
    sm_default_msg_id: int = 0
    tlvs: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    rest: bytes = field(default=b"", repr=False)
    is_cut: bool = False

    def encode(self) -> bytes:
        """The body. Raises CodecError when a value does not fit into its field."""
        if len(self.short_message) > LONGEST_SHORT_MESSAGE:
            raise CodecError("A short message is longer than 254 octets.")
        return b"".join(
            (
                c_string(self.service_type, 6),
                self.source.encode(),
                self.destination.encode(),
                _octets(self.esm_class, self.protocol_id, self.priority_flag),
                c_string(self.schedule_delivery_time, 17),
                c_string(self.validity_period, 17),
                _octets(self.registered_delivery, self.replace_if_present_flag, self.data_coding),
                _octets(self.sm_default_msg_id, len(self.short_message)),
                self.short_message,
                *(_tlv(tag, value) for tag, value in self.tlvs),
                self.rest,
            )
        )

    @classmethod
    def decode(cls, body: bytes) -> ShortMessage:
        """From a body, as far as it can be read. Raises CodecError when not even the source can be."""
        f = Fields(body)
        service_type, source = f.text(), Address.read(f)
        try:
            return cls._after_source(f, service_type, source)
        except CodecError:
            return cls(source=source, destination=Address(), service_type=service_type, rest=f.rest(), is_cut=True)

    @classmethod
    def _after_source(cls, f: Fields, service_type: str, source: Address) -> ShortMessage:
        destination = Address.read(f)
        esm_class, protocol_id, priority_flag = f.octets(3)
        schedule_delivery_time, validity_period = f.text(), f.text()
        registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id, length = f.octets(5)
        short_message = f.up_to(length)
        return cls(
            source=source,
            destination=destination,
            short_message=short_message,
            esm_class=esm_class,
            data_coding=data_coding,
            registered_delivery=registered_delivery,
            validity_period=validity_period,
            schedule_delivery_time=schedule_delivery_time,
            service_type=service_type,
            protocol_id=protocol_id,
            priority_flag=priority_flag,
            replace_if_present_flag=replace_if_present_flag,
            sm_default_msg_id=sm_default_msg_id,
            tlvs=f.tlvs(),
            rest=f.rest(),
            is_cut=len(short_message) < length,
        )

    def tlv(self, tag: int) -> bytes | None:
        """The first optional parameter with this tag."""
        return next((value for found, value in self.tlvs if found == tag), None)

    @property
    def payload(self) -> bytes:
        """The text's octets as far as they came: short_message or message_payload; the longer when there are both."""
        return max(self.short_message, self.tlv(TLV_MESSAGE_PAYLOAD) or self._cut_payload(), key=len)

    @property
    def may_lack_words(self) -> bool:
        """Whether words of the text may be missing: it is cut, or said in two ways, or octets are left that may be
        words. Padding is none, nor is an optional parameter with a wrong length."""
        is_padding = not self.rest.strip(b"\0")
        is_read = is_padding or int.from_bytes(self.rest[:2], "big") in _UNLIKE_WORDS
        is_said_twice = bool(self.short_message) and self.payload != self.short_message
        return self.is_cut or is_said_twice or not is_read

    def _cut_payload(self) -> bytes:
        return self.rest[4:] if self.rest.startswith(TLV_MESSAGE_PAYLOAD.to_bytes(2, "big")) else b""


def encode_message_id(message_id: str) -> bytes:
    """The body of submit_sm_resp, or of deliver_sm_resp with an empty id. Raises CodecError."""
    return c_string(message_id, _LONGEST_MESSAGE_ID)


def decode_message_id(body: bytes) -> str:
    """The id in a submit_sm_resp, with or without its NUL; empty when there is none. Raises CodecError."""
    message_id = body.partition(b"\0")[0].decode("latin-1")
    if len(message_id) >= _LONGEST_MESSAGE_ID or not message_id.isprintable():
        raise CodecError("A message id is too long or unreadable.")
    return message_id


def _octets(*values: int) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise CodecError("A number of a PDU does not fit into an octet.") from None


def _tlv(tag: int, value: bytes) -> bytes:
    try:
        return struct.pack(">HH", tag, len(value)) + value
    except struct.error:
        raise CodecError("An optional parameter does not fit into a PDU.") from None
