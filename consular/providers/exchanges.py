"""Many HTTP exchanges at once from one thread: libcurl's socket interface driven by the system's readiness call."""

import selectors
import time
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import pycurl

from consular.providers.exchange import Answer, Exchange, Route
from consular.providers.kept_connections import KeptConnections, forget

Tag = TypeVar("Tag", bound=Hashable)

_READS, _WRITES = selectors.EVENT_READ, selectors.EVENT_WRITE


class Exchanges(Generic[Tag]):
    """At most `concurrency` POST requests in flight over kept connections to one URL; handles are reused.

    select() is not used: it fails above 1,024 descriptors. Not for use by two threads, nor across a fork.
    """

    def __init__(self, route: Route, concurrency: int) -> None:
        self._route = route
        self._concurrency = concurrency
        self._idle: list[Exchange] = []
        self._running: dict[Any, tuple[Tag, Exchange]] = {}
        self._failed_to_start: list[tuple[Tag, Answer]] = []
        self._selector = selectors.DefaultSelector()
        self._kept = KeptConnections(self._selector, is_tls=route.url.startswith("https:"))
        self._timer_at: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, concurrency)

    @property
    def in_flight(self) -> int:
        """Requests started and not yet returned by poll()."""
        return len(self._running) + len(self._failed_to_start)

    @property
    def has_room(self) -> bool:
        """True when start() may be called."""
        return self.in_flight < self._concurrency

    def start(self, tag: Tag, form: bytes) -> None:
        """Begin one POST; its answer comes back from poll() exactly once, whatever happens."""
        exchange = self._idle.pop() if self._idle else Exchange(self._route, self._kept.dead_ports)
        exchange.prepare(form)
        try:
            self._multi.add_handle(exchange.curl)
        except pycurl.error as error:
            self._failed_to_start.append((tag, Answer(is_written=False, transport_error=int(error.args[0]))))
            return
        self._running[exchange.curl] = (tag, exchange)

    def poll(self, timeout_seconds: float) -> list[tuple[Tag, Answer]]:
        """Move everything forward until an answer is there or the time is over; at once when nothing is in flight."""
        answers, self._failed_to_start = self._failed_to_start, []
        ends_at = time.monotonic() + timeout_seconds
        while not answers and self._running:
            now = time.monotonic()
            self._turn(max(0.0, min(ends_at, self._timer_at if self._timer_at is not None else ends_at) - now))
            answers = self._finished()
            if time.monotonic() >= ends_at:
                break
        return answers

    def close(self) -> None:
        """Drop every connection. Requests still in flight are abandoned: what became of them stays unknown."""
        for curl, (_, exchange) in list(self._running.items()):
            self._multi.remove_handle(curl)
            self._idle.append(exchange)
        self._running.clear()
        for exchange in self._idle:
            exchange.curl.close()
        self._idle.clear()
        self._multi.close()
        self._selector.close()

    def _turn(self, timeout_seconds: float) -> None:
        for key, events in self._selector.select(timeout_seconds):
            if self._kept.notice(key.fd):
                continue
            ready = (pycurl.CSELECT_IN if events & _READS else 0) | (pycurl.CSELECT_OUT if events & _WRITES else 0)
            self._multi.socket_action(key.fd, ready)
        if self._timer_at is not None and self._timer_at <= time.monotonic():
            self._timer_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _finished(self) -> list[tuple[Tag, Answer]]:
        answers: list[tuple[Tag, Answer]] = []
        left = 1
        while left:
            left, complete, failed = self._multi.info_read(self._concurrency)
            answers.extend(self._release(curl, None) for curl in complete)
            answers.extend(self._release(curl, int(error)) for curl, error, _message in failed)
        return answers

    def _release(self, curl: Any, transport_error: int | None) -> tuple[Tag, Answer]:
        tag, exchange = self._running.pop(curl)
        self._multi.remove_handle(curl)
        answer = exchange.answer(transport_error)
        self._idle.append(exchange)
        return tag, answer

    def _set_timer(self, milliseconds: int) -> None:
        self._timer_at = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _watch(self, wanted: int, descriptor: int, _multi: object, _data: object) -> None:
        if wanted == pycurl.POLL_REMOVE:
            self._kept.keep(descriptor)
            return
        self._kept.take(descriptor)
        events = (_READS if wanted & pycurl.POLL_IN else 0) | (_WRITES if wanted & pycurl.POLL_OUT else 0)
        try:
            self._selector.modify(descriptor, events)
        except (KeyError, OSError):
            forget(self._selector, descriptor)
            self._selector.register(descriptor, events)
