"""Webhooks as Twilio makes them: a signed form, one second try after a 5xx or no answer."""

import base64
import hmac
import ipaddress
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from consular.drill.gateway.client import Address, Pool
from consular.drill.gateway.reading import Reading
from consular.drill.gateway.timing import Schedule

USER_AGENT = "TwilioProxy/1.1"
_SERVER_ERRORS = range(500, 600)


class Target(NamedTuple):
    """Where a URL leads: whom to call, what to ask for, and the Host to name."""

    address: Address
    path: str
    host: str


class ForbiddenTarget(ValueError):
    """A webhook that would leave this machine or its private network; the practice gateway never does that."""


def signature(token: bytes, url: str, fields: Mapping[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the URL and every field in order of name (Twilio, "Webhooks security")."""
    text = url + "".join([name + fields[name] for name in sorted(fields)])
    return base64.b64encode(hmac.digest(token, text.encode("utf-8", "surrogatepass"), "sha1")).decode()


@lru_cache(maxsize=64)
def _private_address(netloc: str, connect_to: Address | None) -> Address:
    if connect_to is not None:
        return connect_to
    parts = urlsplit(f"//{netloc}")
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise ForbiddenTarget(f"{host} is a name; the practice gateway calls private addresses only") from error
    if not (address.is_loopback or address.is_private):
        raise ForbiddenTarget(f"{host} is not a private address")
    return host, parts.port or 80


def target(url: str, connect_to: Address | None = None) -> Target:
    """Where to send a request for `url`; connect_to replaces the address (a public name served on this machine).

    Raises ForbiddenTarget for anything that is neither loopback nor private.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ForbiddenTarget("A webhook needs an http URL with a host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(_private_address(parts.netloc, connect_to), path, parts.netloc)


def form_post(where: Target, body: bytes, headers: str = "") -> bytes:
    """A whole POST of a form. `headers`: further header lines, each ended by CRLF."""
    head = (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.host}\r\nUser-Agent: {USER_AGENT}\r\n{headers}"
        f"Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


class Webhooks:
    """Posts signed forms through one pool."""

    RETRY_SECONDS = 0.5

    def __init__(self, pool: Pool, schedule: Schedule, token: bytes, connect_to: Address | None = None) -> None:
        self._pool = pool
        self._schedule = schedule
        self._token = token
        self._connect_to = connect_to
        self.sent = 0
        self.acked = 0
        self.failed = 0
        self.forbidden = 0

    @property
    def pending(self) -> int:
        return self._pool.pending

    def post(self, url: str, fields: Mapping[str, str], on_done: Callable[[bool], None] | None = None) -> None:
        """Post once, and a second time after a server error or silence; on_done learns whether a 2xx came."""
        try:
            where = target(url, self._connect_to)
        except ForbiddenTarget:
            self.forbidden += 1
            if on_done is not None:
                on_done(False)
            return
        signed = f"X-Twilio-Signature: {signature(self._token, url.partition('#')[0], fields)}\r\n"
        request = form_post(where, urlencode(fields).encode(), signed)
        self._go(where, request, on_done, tries_left=1)

    def _go(self, where: Target, request: bytes, on_done: Callable[[bool], None] | None, tries_left: int) -> None:
        self.sent += 1

        def done(reading: Reading) -> None:
            if tries_left and (reading.status == 0 or reading.status in _SERVER_ERRORS):
                self._schedule.after(self.RETRY_SECONDS, self._go, where, request, on_done, tries_left - 1)
                return
            is_ok = 200 <= reading.status < 300
            self.acked += is_ok
            self.failed += not is_ok
            if on_done is not None:
                on_done(is_ok)

        self._pool.submit(where.address, request, done)
