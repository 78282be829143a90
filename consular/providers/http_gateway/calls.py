"""An operator's call of one of our addresses as plain fields: query and form or JSON, exact, each name once."""

import json
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from consular.providers.http_gateway.keys import KEY_FIELD

MOST_FIELDS = 64
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"

Pairs = tuple[tuple[str, str], ...]


class ForgedCallError(Exception):
    """The key is missing or wrong, or there is no such gateway (answer 403)."""


class MalformedCallError(Exception):
    """A call with the right key but not what the profile says (answer 400). code: what, without personal data."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Call refused: {code}.")
        self.code = code


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """What came over HTTP. query: raw, without "?". content_type: the media type alone, in small letters."""

    query: bytes = field(repr=False)
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CallFields:
    """The fields by name as bytes, and as they came (still percent-encoded, without our key) to be kept."""

    values: dict[str, bytes] = field(repr=False)
    pairs: Pairs = field(repr=False)

    def text(self, name: str, charset: str = "utf-8") -> str:
        """The field exactly, empty when it is missing. Raises MalformedCallError for bytes outside the charset."""
        try:
            return self.values.get(name, b"").decode(charset)
        except UnicodeDecodeError:
            raise MalformedCallError("encoding") from None


def read_key(call: WebhookCall) -> str:
    """The key in the call's address, empty when there is not exactly one. Never raises for what a stranger sends."""
    keys = [value for name, value in _split(call.query) if name == KEY_FIELD.encode()]
    return keys[0].decode("latin-1") if len(keys) == 1 else ""


def read_fields(call: WebhookCall) -> CallFields:
    """The fields of a call whose key is right. Raises MalformedCallError."""
    raw = [*_split(call.query), *_body(call)]
    if len(raw) > MOST_FIELDS:
        raise MalformedCallError("fields")
    values = {_name(name): unquote_to_bytes(value.replace(b"+", b" ")) for name, value in raw}
    if len(values) != len(raw):
        raise MalformedCallError("duplicate")
    values.pop(KEY_FIELD, None)
    pairs = tuple((_name(name), value.decode("latin-1")) for name, value in raw if _name(name) != KEY_FIELD)
    return CallFields(values, pairs)


def _split(data: bytes) -> list[tuple[bytes, bytes]]:
    parts = (part.partition(b"=") for part in data.split(b"&") if part)
    return [(name, value) for name, _, value in parts]


def _body(call: WebhookCall) -> list[tuple[bytes, bytes]]:
    if not call.body:
        return []
    if call.content_type == _FORM:
        return _split(call.body)
    if call.content_type == _JSON:
        return _from_json(call.body)
    raise MalformedCallError("content_type")


def _from_json(body: bytes) -> list[tuple[bytes, bytes]]:
    try:
        parsed = json.loads(body, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise MalformedCallError("json") from None
    if not isinstance(parsed, list) or not all(isinstance(pair, tuple) for pair in parsed):
        raise MalformedCallError("json")
    plain = [(name, str(value)) for name, value in parsed if type(value) in (str, int)]
    try:
        return [(name.encode(), _escaped(value.encode())) for name, value in plain]
    except UnicodeEncodeError:
        raise MalformedCallError("encoding") from None


def _escaped(value: bytes) -> bytes:
    return value.replace(b"%", b"%25").replace(b"+", b"%2B")


def _name(raw: bytes) -> str:
    try:
        name = unquote_to_bytes(raw).decode("ascii")
    except UnicodeDecodeError:
        raise MalformedCallError("name") from None
    if not name.isprintable():
        raise MalformedCallError("name")
    return name
