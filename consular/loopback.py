"""Free ports of this machine, and probes that tell whether something answers there."""

from __future__ import annotations

import http.client
import random
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

FIRST_PORT, LAST_PORT = 8100, 8999  # none of them is among the ports that browsers refuse
_handed_out: set[int] = set()


class NoFreePort(Exception):
    """Every port of the range is taken."""


def http_ok(url: str, timeout_s: float = 2.0) -> Callable[[], bool]:
    """A probe: GET `url` answers 200. Proxies of the environment are not used."""
    parts = urlsplit(url)

    def probe() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
        try:
            connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def tcp_open(host: str, port: int, timeout_s: float = 1.0) -> Callable[[], bool]:
    """A probe: something accepts connections there."""

    def probe() -> bool:
        try:
            socket.create_connection((host, port), timeout=timeout_s).close()
        except OSError:
            return False
        return True

    return probe


def port_is_free(port: int) -> bool:
    """Whether nothing listens on `port`, on loopback or on any address."""
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - bound for a moment, never listening
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_port(preferred: int | None = None) -> int:
    """A free port between 8100 and 8999, or `preferred`; each is handed out once per process. Raises NoFreePort."""
    ports = list(range(FIRST_PORT, LAST_PORT + 1))
    random.shuffle(ports)
    for port in [preferred, *ports] if preferred else ports:
        if port not in _handed_out and port_is_free(port):
            _handed_out.add(port)
            return port
    raise NoFreePort(f"No port between {FIRST_PORT} and {LAST_PORT} is free: end some programs and try again.")
