"""Connections kept for the next request: one that the other side closes meanwhile must not be written to."""

import selectors
import socket
from contextlib import suppress

_TLS_APPLICATION_DATA = 0x17
_LONGEST_TLS_ALERT = 24
_PEEK_BYTES = 4096


class KeptConnections:
    """Watches idle connections and collects the local ports of dead ones in dead_ports.

    libcurl itself looks for dead connections at most once a second; in between it would write into one, and what
    became of that text would be unknown. A plain connection that speaks unasked is dead as well: its words would be
    taken for the answer to the next request. Over TLS a late session ticket means nothing, a closing alert does.
    """

    def __init__(self, selector: selectors.BaseSelector, is_tls: bool) -> None:
        self.dead_ports: set[int] = set()
        self._selector = selector
        self._is_tls = is_tls
        self._descriptors: set[int] = set()

    def keep(self, descriptor: int) -> None:
        """libcurl does not use the descriptor now: it is idle, or about to be closed (then the system forgets it)."""
        if descriptor in self._selector.get_map():
            with suppress(OSError):
                self._selector.modify(descriptor, selectors.EVENT_READ)
            self._descriptors.add(descriptor)

    def take(self, descriptor: int) -> None:
        """The descriptor is in use again, for the same connection or for a new one with the same number."""
        if descriptor in self._descriptors:
            self._descriptors.discard(descriptor)
            forget(self._selector, descriptor)

    def notice(self, descriptor: int) -> bool:
        """True when the ready descriptor was an idle one; it is then judged and no longer watched."""
        if descriptor not in self._descriptors:
            return False
        self.take(descriptor)
        port, words = _peek(descriptor)
        if words is not None and not (self._is_tls and _is_session_ticket(words)):
            self.dead_ports.add(port)
        return True


def forget(selector: selectors.BaseSelector, descriptor: int) -> None:
    """Stop watching the descriptor, if it was watched."""
    if descriptor in selector.get_map():
        selector.unregister(descriptor)


def _is_session_ticket(words: bytes) -> bool:
    """True when whole TLS records wait of which none is an alert.

    TLS 1.3 (RFC 8446, section 5.2) hides the type: an alert is application data of 2 bytes, its type and a tag of 16.
    """
    while len(words) >= 5:
        length = int.from_bytes(words[3:5], "big")
        if words[0] != _TLS_APPLICATION_DATA or length <= _LONGEST_TLS_ALERT:
            return False
        if len(words) == 5 + length:
            return True
        words = words[5 + length :]
    return False


def _peek(descriptor: int) -> tuple[int, bytes | None]:
    """The local port, and what waits to be read: empty when closed, None when there is nothing or no socket."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return 0, None
    try:
        port = int(connection.getsockname()[1])
        return port, connection.recv(_PEEK_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0, None
    except ConnectionError:
        return port, b""
    except OSError:
        return 0, None
    finally:
        connection.detach()
