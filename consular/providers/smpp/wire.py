"""Frames on the line: header and body, cut out of a stream that comes in any pieces (SMPP 3.4, section 3.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER_BYTES = 16
LONGEST_PDU = 65_536 + 1024
"""A message_payload holds at most 64 kB; nothing longer is a PDU of this protocol."""
LAST_SEQUENCE = 0x7FFFFFFF
RESPONSE = 0x80000000

_HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")


class CodecError(ValueError):
    """Bytes that are no PDU, or values that fit into none. Carries no number, text or password."""


class FramingError(CodecError):
    """The stream has lost its frame: nothing after this can be read, the link must be dropped."""


class Command(IntEnum):
    """command_id of the PDUs an ESME in transceiver mode meets (section 5.1.2.1)."""

    GENERIC_NACK = RESPONSE
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = RESPONSE | 0x04
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = RESPONSE | 0x05
    UNBIND = 0x00000006
    UNBIND_RESP = RESPONSE | 0x06
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = RESPONSE | 0x09
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = RESPONSE | 0x15


@dataclass(frozen=True, slots=True, repr=False)
class Pdu:
    """One frame. command: any 32 bits, known or not. body: what follows the header, still encoded."""

    command: int
    sequence: int
    status: int = 0
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Pdu(0x{self.command:08x}, sequence={self.sequence}, status=0x{self.status:x}, {len(self.body)} bytes)"


def frame(pdu: Pdu) -> bytes:
    """The bytes of a PDU."""
    return frame_of(pdu.command, pdu.sequence, pdu.body, pdu.status)


def frame_of(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """The bytes of a PDU from its fields."""
    return _HEADER.pack(HEADER_BYTES + len(body), command, status, sequence) + body


class Framer:
    """Cuts PDUs out of the stream; keeps what is not whole yet."""

    def __init__(self, longest: int = LONGEST_PDU) -> None:
        self._longest = longest
        self._kept = bytearray()

    def feed(self, data: bytes) -> Iterator[Pdu]:
        """The PDUs that are whole now. Raises FramingError at a length below a header or above the longest PDU."""
        kept = self._kept
        kept += data
        at = 0
        try:
            while len(kept) - at >= HEADER_BYTES:
                length, command, status, sequence = _HEADER.unpack_from(kept, at)
                if not HEADER_BYTES <= length <= self._longest:
                    raise FramingError(f"A PDU claims {length} bytes.")
                if len(kept) - at < length:
                    break
                body = bytes(kept[at + HEADER_BYTES : at + length])
                at += length
                yield Pdu(command, sequence, status, body)
        finally:
            del kept[:at]


class Fields:
    """Reads a body from the left; raises CodecError at what is missing or unterminated."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Whether every byte was read."""
        return self._at >= len(self._body)

    def byte(self) -> int:
        """One octet."""
        return self.octets(1)[0]

    def octets(self, count: int) -> bytes:
        """Exactly `count` octets."""
        end = self._at + count
        if end > len(self._body):
            raise CodecError("A PDU ends inside a field.")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def text(self) -> str:
        """A C-octet string without its NUL, each octet as the sign of the same number (Latin-1)."""
        end = self._body.find(0, self._at)
        if end < 0:
            raise CodecError("A string in a PDU has no end.")
        taken = self._body[self._at : end]
        self._at = end + 1
        return taken.decode("latin-1")

    def up_to(self, count: int) -> bytes:
        """`count` octets, or what there is of them."""
        return self.octets(min(count, len(self._body) - self._at))

    def rest(self) -> bytes:
        """What was not read."""
        return self._body[self._at :]

    def tlvs(self) -> tuple[tuple[int, bytes], ...]:
        """The optional parameters, in order, as far as they can be read. Some SMSCs put a NUL before them."""
        found, end = _tlvs(self._body, self._at)
        if end < len(self._body) and self._body[self._at] == 0:
            after_nul = _tlvs(self._body, self._at + 1)
            found, end = after_nul if after_nul[1] == len(self._body) else (found, end)
        self._at = end
        return tuple(found)


def _tlvs(body: bytes, at: int) -> tuple[list[tuple[int, bytes]], int]:
    found = []
    while at + _TLV.size <= len(body):
        tag, length = _TLV.unpack_from(body, at)
        end = at + _TLV.size + length
        if end > len(body):
            break
        found.append((tag, body[at + _TLV.size : end]))
        at = end
    return found, at


def c_string(text: str, longest: int) -> bytes:
    """A C-octet string of at most `longest` octets with its NUL. Raises CodecError when it does not fit."""
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        raise CodecError("A string of a PDU holds a sign that has no place there.") from None
    if len(data) >= longest or b"\0" in data:
        raise CodecError("A string of a PDU is too long or holds a NUL.")
    return data + b"\0"
