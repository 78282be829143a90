"""Connections kept for the next request: one that the other side closes meanwhile must not be written to."""

import selectors
import socket
from contextlib import suppress

_TLS_APPLICATION_DATA = b"\x17"


class KeptConnections:
    """Watches idle connections and collects the local ports of dead ones in dead_ports.

    libcurl itself looks for dead connections at most once a second; in between it would write into one, and what
    became of that text would be unknown. A plain connection that speaks unasked is dead as well: its words would be
    taken for the answer to the next request. Over TLS, application data may be a late session ticket and means
    nothing.
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
        port, first = _peek(descriptor)
        if first is not None and not (self._is_tls and first == _TLS_APPLICATION_DATA):
            self.dead_ports.add(port)
        return True


def forget(selector: selectors.BaseSelector, descriptor: int) -> None:
    """Stop watching the descriptor, if it was watched."""
    if descriptor in selector.get_map():
        selector.unregister(descriptor)


def _peek(descriptor: int) -> tuple[int, bytes | None]:
    """The local port, and the next byte to read: empty when closed, None when there is nothing or no socket."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return 0, None
    try:
        port = int(connection.getsockname()[1])
        return port, connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0, None
    except ConnectionError:
        return port, b""
    except OSError:
        return 0, None
    finally:
        connection.detach()
