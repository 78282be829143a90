"""The form body of "create message", percent-encoded by table: made once for every text, so it has to be quick."""

from urllib.parse import quote_plus

from consular.domain.ports import SmsRequest

_ENCODED = [
    bytes([byte]) if bytes([byte]).isalnum() or byte in b"-._~" else b"+" if byte == 0x20 else b"%%%02X" % byte
    for byte in range(256)
]
_encode_byte = _ENCODED.__getitem__


def encode(text: str) -> bytes:
    """The text as a form value (x-www-form-urlencoded, UTF-8). Raises UnicodeEncodeError for a lone surrogate."""
    return b"".join(map(_encode_byte, text.encode()))


def sender_part(field: str, sender: str) -> bytes:
    """The part of the form that is the same for every text of one gateway."""
    return f"{field}={quote_plus(sender)}".encode()


def create_form(request: SmsRequest, sender: bytes, callback_url: str) -> bytes:
    """The form for one text; sender comes from sender_part(). Raises UnicodeEncodeError for a lone surrogate."""
    return b"%s&To=%s&ValidityPeriod=%d&StatusCallback=%s&Body=%s" % (
        sender,
        encode(request.to),
        request.validity_seconds,
        encode(callback_url),
        encode(request.body),
    )
