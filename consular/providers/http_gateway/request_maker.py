"""From one text to the bytes of its request, as the profile wants them."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

from consular.domain.ports import SmsRequest
from consular.providers.exchange import Route
from consular.providers.http_gateway.profile import ProfileError, require
from consular.providers.http_gateway.settings import HttpSettings
from consular.providers.http_gateway.templates import Template, Text, parse

_BODY_PLACES_ONLY = frozenset({"text", "text_ucs2_hex"})
_OURS = frozenset({"content-length", "transfer-encoding", "host", "connection", "expect"})


@dataclass(frozen=True, slots=True)
class Made:
    """One request, ready to be written. Everything in it may hold a number, a text or a password."""

    url: str = field(repr=False)
    headers: tuple[str, ...] = field(repr=False)
    body: bytes | None = field(repr=False)


class RequestMaker:
    """Makes requests for one gateway. Raises ValueError for a profile that these settings cannot fill."""

    def __init__(self, settings: HttpSettings, callback_url: Callable[[UUID], str]) -> None:
        shape = settings.profile.request
        self._settings = settings
        self._shape = shape
        self._callback_url = callback_url
        self._query = _parsed(shape.query, settings.secrets)
        self._headers = _parsed(shape.headers, settings.secrets)
        self._form = _parsed(shape.form or {}, settings.secrets)
        self._json = _parsed_json(shape.json, settings.secrets)
        self._body = parse(shape.body or "", settings.secrets)
        self._fixed_headers = _fixed_headers(settings)
        in_headers = frozenset().union(*(template.places for _, template in self._headers))
        require(not in_headers & _BODY_PLACES_ONLY, "A text does not fit into a header: use query, form, json or body.")
        names = {name.lower() for name in shape.headers}
        require(not names & _OURS, "The profile sets a header that HTTP itself needs.")
        self._try_out()

    def route(self) -> Route:
        """How to reach the gateway; each request brings its own address and headers."""
        settings = self._settings
        return Route(
            url=settings.url,
            headers=(),
            connect_timeout_seconds=min(settings.connect_timeout_seconds, settings.total_timeout_seconds),
            total_timeout_seconds=settings.total_timeout_seconds,
            only_local=settings.is_exercise,
            ca_file=settings.ca_file,
        )

    def make(self, request: SmsRequest) -> Made:
        """The request for one text. Raises UnicodeEncodeError for a text that the profile's charset cannot hold."""
        settings, shape = self._settings, self._shape
        text = Text(request, settings.sender, self._callback_url(request.attempt_id), shape.codings)
        query = "&".join(f"{quote(name, safe='')}={self._quoted(value, text)}" for name, value in self._query)
        return Made(
            url=f"{settings.url}?{query}" if query else settings.url,
            headers=(*self._fixed_headers, *(_header(name, value.fill(text)) for name, value in self._headers)),
            body=self._made_body(text) if shape.method == "POST" else None,
        )

    def _try_out(self) -> None:
        try:
            self.make(SmsRequest(UUID(int=0), "+10000000000", "1", 60, 0.0))
        except UnicodeEncodeError:
            raise ProfileError(
                "The profile's charset or headers cannot hold what the settings put into them."
            ) from None

    def _made_body(self, text: Text) -> bytes:
        shape = self._shape
        if shape.json is not None:
            return json.dumps(_filled(self._json, text)).encode("ascii")
        if shape.form is None:
            return self._body.fill(text).encode(shape.charset)
        pairs = ((quote_plus(name), value.fill(text)) for name, value in self._form)
        return "&".join(f"{name}={quote_plus(value, encoding=shape.charset)}" for name, value in pairs).encode("ascii")

    def _quoted(self, value: Template, text: Text) -> str:
        return quote(value.fill(text), safe="", encoding=self._shape.charset, errors="strict")


def _parsed(values: Mapping[str, str], secrets: Mapping[str, str]) -> list[tuple[str, Template]]:
    return [(name, parse(value, secrets)) for name, value in values.items()]


def _parsed_json(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return parse(value, secrets)
    if isinstance(value, Mapping):
        return {name: _parsed_json(one, secrets) for name, one in value.items()}
    if isinstance(value, list):
        return [_parsed_json(one, secrets) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ProfileError("The profile's json holds a value that JSON does not know.")


def _filled(value: Any, text: Text) -> Any:
    if isinstance(value, Template):
        filled = value.fill(text)
        filled.encode()
        return filled
    if isinstance(value, dict):
        return {name: _filled(one, text) for name, one in value.items()}
    return [_filled(one, text) for one in value] if isinstance(value, list) else value


def _fixed_headers(settings: HttpSettings) -> tuple[str, ...]:
    shape = settings.profile.request
    given = {name.lower() for name in shape.headers}
    headers: list[str] = []
    if shape.basic:
        password = parse(shape.basic, settings.secrets)
        require(not password.places, "The password of HTTP Basic is the same for every text.")
        headers.append(f"Authorization: Basic {b64encode(password.pieces[0].encode()).decode()}")
    if shape.json is not None and "content-type" not in given:
        headers.append("Content-Type: application/json")
    if shape.body is not None and "content-type" not in given:
        headers.append(f"Content-Type: text/plain; charset={shape.charset}")
    return tuple(headers)


def _header(name: str, value: str) -> str:
    line = f"{name}: {value}"
    line.encode("ascii")
    require(line.isprintable(), "A value does not fit into a header.")
    return line
