"""Reads one HTTP response from pieces, whatever way its length is given (RFC 9112, section 6)."""

import re
from typing import NamedTuple

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class Reading(NamedTuple):
    """One response; status 0 means that none came, or none that can be read. Header names are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of a header, "" when there is none."""
        return next((value for found, value in self.headers if found == name), "")


UNREADABLE = Reading(0, [], b"")


class ResponseReader:
    """Feed it what arrives; it returns the response once it is whole."""

    def __init__(self) -> None:
        self.is_keep_alive = False
        self._data = b""
        self._head: Reading | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether not one byte has come."""
        return not self._data and self._head is None

    def feed(self, data: bytes) -> Reading | None:
        """The response, or None while some of it is missing."""
        self._data = self._data + data if self._data else data
        if self._head is None and not self._read_head():
            return None
        if self._head is None:
            return UNREADABLE
        return self._read_body(self._head)

    def end(self) -> Reading:
        """What there is once the connection is closed: a body may end that way, anything else is lost."""
        head = self._head
        if head is None or head.header("content-length") or head.header("transfer-encoding"):
            return UNREADABLE
        return head._replace(body=self._data)

    def _read_head(self) -> bool:
        """Whether the head is whole; _head stays None when it makes no sense."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._data[:end].split(b"\r\n")
        self._data = self._data[end + 4 :]
        match = _STATUS_LINE.fullmatch(first)
        if match is None:
            return True
        if match[1] == b"100":
            return self._read_head()
        pairs = [line.decode("latin-1").partition(":") for line in lines]
        headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        self._head = Reading(int(match[1]), headers, b"")
        has_length = bool(self._head.header("content-length") or self._head.header("transfer-encoding"))
        self.is_keep_alive = (has_length or self._is_bodiless()) and self._head.header("connection").lower() != "close"
        return True

    def _is_bodiless(self) -> bool:
        return self._head is not None and self._head.status in {204, 304}

    def _read_body(self, head: Reading) -> Reading | None:
        if self._is_bodiless():
            return head
        if "chunked" in head.header("transfer-encoding").lower():
            return self._read_chunks(head)
        length = head.header("content-length")
        if not length:
            return None
        if not length.isdecimal():
            self.is_keep_alive = False
            return UNREADABLE
        return head._replace(body=self._data[: int(length)]) if len(self._data) >= int(length) else None

    def _read_chunks(self, head: Reading) -> Reading | None:
        body, position = b"", 0
        while True:
            end = self._data.find(b"\r\n", position)
            if end < 0:
                return None
            digits = self._data[position:end].partition(b";")[0].strip()
            if _CHUNK_SIZE.fullmatch(digits) is None:
                self.is_keep_alive = False
                return UNREADABLE
            size = int(digits, 16)
            position = end + 2 + size + 2
            if len(self._data) < position:
                return None
            if not size:
                return head._replace(body=body)
            body += self._data[end + 2 : end + 2 + size]
