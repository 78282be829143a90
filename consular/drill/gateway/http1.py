"""The small part of HTTP/1.1 (RFC 9112) that a gateway on the loopback needs, without any input or output."""

import re
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import unquote_plus

MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024

_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,8192}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,12}")


class BadRequest(Exception):
    """The peer does not speak HTTP as we need it; `status` says how, and the connection ends after the answer."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """One request's head. `path` is undecoded, `authorization` and `content_type` are raw header values."""

    method: str
    path: str
    query: str
    content_length: int
    is_keep_alive: bool
    expects_continue: bool
    authorization: bytes
    content_type: bytes


@lru_cache(maxsize=4096)
def parse_head(raw: bytes) -> Head:
    """The head without its last empty line; clients repeat their heads, so most come from the cache.

    Raises BadRequest: 400 for anything ambiguous, 411 without a length for a body, 413 for a body over MAX_BODY.
    """
    first, *lines = raw.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    headers = _headers(lines)
    is_http_11 = match[3] == b"1"
    if is_http_11 and b"host" not in headers:
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    path, _, query = match[2].decode("ascii").partition("?")
    connection = headers.get(b"connection", b"").lower()
    return Head(
        method=match[1].decode("ascii"),
        path=path,
        query=query,
        content_length=_content_length(match[1], headers),
        is_keep_alive=b"close" not in connection if is_http_11 else b"keep-alive" in connection,
        expects_continue=headers.get(b"expect", b"").lower() == b"100-continue",
        authorization=headers.get(b"authorization", b""),
        content_type=headers.get(b"content-type", b""),
    )


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        name = match[1].lower()
        if headers.setdefault(name, match[2]) != match[2] and name in {b"content-length", b"host", b"authorization"}:
            raise BadRequest(HTTPStatus.BAD_REQUEST)
    return headers


def _content_length(method: bytes, headers: dict[bytes, bytes]) -> int:
    if b"transfer-encoding" in headers:
        raise BadRequest(HTTPStatus.LENGTH_REQUIRED)
    raw = headers.get(b"content-length")
    if raw is None:
        if method in {b"POST", b"PUT", b"PATCH"}:
            raise BadRequest(HTTPStatus.LENGTH_REQUIRED)
        return 0
    if _LENGTH.fullmatch(raw) is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    if int(raw) > MAX_BODY:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return int(raw)


def response(status: int, body: bytes, content_type: str = "application/json", *, headers: str = "") -> bytes:
    """A whole response. `headers`: further header lines, each ended by CRLF."""
    phrase = HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {content_type}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def closing_response(status: HTTPStatus) -> bytes:
    """The last answer on a connection whose peer we cannot follow."""
    return response(status, status.phrase.encode(), "text/plain", headers="Connection: close\r\n")


def form_fields(raw: str) -> dict[str, str]:
    """Fields of a form or a query; a repeated name keeps its last value, bytes that are not UTF-8 become U+FFFD."""
    fields = {}
    for pair in raw.split("&"):
        name, separator, value = pair.partition("=")
        if separator:
            fields[unquote_plus(name)] = unquote_plus(value)
    return fields
