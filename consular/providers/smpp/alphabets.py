"""Text to octets and back: the GSM default alphabet unpacked, UCS-2, Latin-1 (3GPP TS 23.038; SMPP 3.4, 5.2.19)."""

from __future__ import annotations

GSM_7 = 0x00
UCS_2 = 0x08

_ESCAPE = 0x1B
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
_OCTETS = {sign: bytes((code,)) for code, sign in enumerate(_BASIC) if code != _ESCAPE}
_OCTETS |= {sign: bytes((_ESCAPE, code)) for code, sign in _EXTENSION.items()}

_CODECS = {0x01: "latin-1", 0x02: "latin-1", 0x03: "latin-1", 0x04: "latin-1", 0x06: "iso8859_5", 0x07: "iso8859_8"}
"""data_coding of SMPP's own list. IA5 and binary octets are kept as Latin-1: nothing that came may be lost."""


def encode_gsm(text: str) -> bytes:
    """One octet for each sign, two for those of the extension table. Raises UnicodeEncodeError."""
    try:
        return b"".join(map(_OCTETS.__getitem__, text))
    except KeyError:
        raise UnicodeEncodeError("gsm-7", "", 0, 0, "a sign is not in the GSM default alphabet") from None


def decode_gsm(data: bytes) -> str:
    """The text of unpacked septets. An unknown extension shows as its basic sign, as the standard asks of phones."""
    signs = []
    octets = iter(data)
    for code in octets:
        if code == _ESCAPE:
            after = next(octets, None)
            signs.append(" " if after is None else _EXTENSION.get(after) or _basic(after))
        else:
            signs.append(_basic(code))
    return "".join(signs)


def encode_ucs2(text: str) -> bytes:
    """UTF-16 with the high octet first. Raises UnicodeEncodeError for half a surrogate pair."""
    return text.encode("utf-16-be")


def decode(data: bytes, data_coding: int, *, default_is_latin_1: bool = False) -> str:
    """The text of a message; never raises: what cannot be read becomes a replacement sign.

    default_is_latin_1: what this operator means by data_coding 0, which the standard leaves open.
    """
    kind = _alphabet(data_coding)
    if kind == UCS_2:
        return data.decode("utf-16-be", "replace")
    if kind == GSM_7:
        return data.decode("latin-1") if default_is_latin_1 else decode_gsm(data)
    return data.decode(_CODECS.get(kind, "latin-1"), "replace")


def _basic(code: int) -> str:
    return _BASIC[code] if code < len(_BASIC) and code != _ESCAPE else "\ufffd" if code != _ESCAPE else " "


def _alphabet(data_coding: int) -> int:
    """The alphabet in SMPP's numbers, also for the coding groups of TS 23.038 that have a class or an indicator."""
    if data_coding < 0x10:
        return data_coding
    if data_coding < 0x80:
        return (GSM_7, 0x04, UCS_2, GSM_7)[data_coding >> 2 & 3]
    if data_coding < 0xF0:
        return UCS_2 if data_coding >> 4 == 0xE else GSM_7
    return 0x04 if data_coding & 0x04 else GSM_7
