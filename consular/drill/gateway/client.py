"""A small HTTP/1.1 client for webhooks: keep-alive, a bounded number of connections, callbacks instead of tasks."""

import asyncio
import time
from asyncio import AbstractEventLoop, BaseTransport, Protocol, TimerHandle, Transport
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

from consular.drill.gateway.reading import Reading, ResponseReader

Address = tuple[str, int]
OnDone = Callable[[Reading], None]


class Exchange(NamedTuple):
    """One request on its way. is_second_go: it was already lost once on a connection the server had given up."""

    address: Address
    request: bytes
    on_done: OnDone
    is_second_go: bool = False


class Pool:
    """At most `limit` connections at a time; what finds none free waits in order.

    on_done gets exactly one Reading per request, with status 0 when no answer came in `timeout_seconds` or at all.
    """

    IDLE_SECONDS = 1.0

    def __init__(self, loop: AbstractEventLoop, limit: int, timeout_seconds: float = 15.0) -> None:
        self.loop = loop
        self.timeout_seconds = timeout_seconds
        self._limit = limit
        self._waiting: deque[Exchange] = deque()
        self._idle: list[_Connection] = []
        self._open = 0
        self._is_closed = False
        self._connecting: set[asyncio.Task[None]] = set()
        self.pending = 0

    def submit(self, address: Address, request: bytes, on_done: OnDone) -> None:
        """Send a whole request as soon as a connection is free."""
        self.pending += 1
        self._waiting.append(Exchange(address, request, on_done))
        self._next()

    def finished(self, exchange: Exchange, reading: Reading) -> None:
        """A connection has an answer, or knows that none will come."""
        self.pending -= 1
        exchange.on_done(reading)

    def again(self, exchange: Exchange) -> None:
        """A reused connection was closed under a request: it goes once more, first in line."""
        self._waiting.appendleft(exchange._replace(is_second_go=True))

    def idle(self, connection: "_Connection") -> None:
        """A connection is free for the next request."""
        self._idle.append(connection)
        self._next()

    def lost(self, connection: "_Connection") -> None:
        """A connection is gone."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        self._next()

    async def close(self) -> None:
        """Drop every idle connection and whatever waits; nothing is sent from now on."""
        self._is_closed = True
        self._waiting.clear()
        for connection in self._idle:
            connection.close()
        connecting = list(self._connecting)
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)

    def _next(self) -> None:
        while self._waiting and not self._is_closed:
            connection = self._take_idle(self._waiting[0].address)
            if connection is not None:
                connection.send(self._waiting.popleft())
            elif self._open < self._limit:
                self._open += 1
                task = self.loop.create_task(self._connect(self._waiting.popleft()))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
            else:
                return

    def _take_idle(self, address: Address) -> "_Connection | None":
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if connection.address == address and now - connection.idle_since < self.IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self, exchange: Exchange) -> None:
        host, port = exchange.address
        try:
            async with asyncio.timeout(self.timeout_seconds):
                _, connection = await self.loop.create_connection(
                    lambda: _Connection(self, exchange.address), host, port
                )
        except (OSError, TimeoutError):
            self._open -= 1
            self.finished(exchange, Reading(0, [], b""))
            self._next()
        else:
            connection.send(exchange)


class _Connection(Protocol):
    """One connection, one request at a time."""

    def __init__(self, pool: Pool, address: Address) -> None:
        self.address = address
        self.idle_since = 0.0
        self._pool = pool
        self._transport: Transport = cast(Transport, None)
        self._exchange: Exchange | None = None
        self._reader = ResponseReader()
        self._timer: TimerHandle | None = None
        self._is_reused = False

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast(Transport, transport)

    def send(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._reader = ResponseReader()
        self._timer = self._pool.loop.call_later(self._pool.timeout_seconds, self._transport.abort)
        self._transport.write(exchange.request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self._transport.close()
            return
        reading = self._reader.feed(data)
        if reading is not None:
            self._complete(reading)

    def connection_lost(self, exc: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        self._stop_timer()
        if exchange is not None:
            self._give_up(exchange)
        self._pool.lost(self)

    def _give_up(self, exchange: Exchange) -> None:
        if self._is_reused and self._reader.is_untouched and not exchange.is_second_go:
            self._pool.again(exchange)
        else:
            self._pool.finished(exchange, self._reader.end())

    def _complete(self, reading: Reading) -> None:
        exchange, self._exchange = self._exchange, None
        self._stop_timer()
        if exchange is not None:
            self._pool.finished(exchange, reading)
        if self._reader.is_keep_alive:
            self._is_reused = True
            self.idle_since = time.monotonic()
            self._pool.idle(self)
        else:
            self._transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
