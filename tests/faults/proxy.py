"""A TCP proxy that makes trouble: between workers and a gateway, or in front of any server."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Coroutine, Mapping
from enum import StrEnum
from typing import Any, Self

_CHUNK = 65536
_HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n<html>It works!</html>"


class Trouble(StrEnum):
    """What happens to one exchange. "after" and all below it: the request was forwarded, the server acted on it."""

    HANG_BEFORE = "hang_before"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    HANG_HEADERS = "hang_headers"
    HANG_BODY = "hang_body"
    DRIP = "drip"
    TRUNCATED = "truncated"
    HTML = "html"
    REDIRECT = "redirect"

    @property
    def is_forwarded(self) -> bool:
        """Whether the server saw the request."""
        return not self.value.endswith("_before")


class Door(StrEnum):
    """What happens to new connections. HANGING: nobody takes them, not even to refuse them."""

    OPEN = "open"
    REFUSING = "refusing"
    HANGING = "hanging"


class FaultProxy:
    """Forwards `port` to `target`, in a thread of its own; `struck` counts what it did to whom."""

    def __init__(self, target: tuple[str, int], port: int, seed: int = 7) -> None:
        self.target = target
        self.port = port
        self.redirect_to = "http://127.0.0.1:9/"
        self.struck: Counter[str] = Counter()
        self._shares: dict[Trouble, float] = {}
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._hanging: list[socket.socket] = []
        self._clients: set[StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.door(Door.OPEN)
        return self

    def __exit__(self, *_: object) -> None:
        self.door(Door.REFUSING)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def trouble(self, shares: Mapping[Trouble, float] | None = None) -> None:
        """From now on this share of the exchanges meets each trouble; none without an argument."""
        self._shares = dict(shares or {})

    def door(self, state: Door) -> None:
        """Open, refuse or leave hanging what connects from now on; anything but OPEN cuts what is connected."""
        self._run(self._turn(state))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(15)

    async def _turn(self, state: Door) -> None:
        for client in list(self._clients):
            if state is not Door.OPEN:
                client.transport.abort()
        if self._server is not None:
            self._server.close()
            self._server = None
        for sock in self._hanging:
            sock.close()
        self._hanging = []
        await asyncio.sleep(0.05)
        if state is Door.OPEN:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        elif state is Door.HANGING:
            self._hanging = _full_listener(self.port)
        if state is not Door.OPEN:
            self.struck[state.value] += 1

    async def _serve(self, client: StreamReader, answers: StreamWriter) -> None:
        self._clients.add(answers)
        upstream: StreamWriter | None = None
        try:
            server, upstream = await asyncio.open_connection(*self.target)
            exchange = _Exchange()
            down = self._loop.create_task(self._down(server, answers, exchange))
            try:
                await self._up(client, upstream, answers, exchange)
            finally:
                down.cancel()
        except OSError:
            answers.transport.abort()
        finally:
            self._clients.discard(answers)
            for writer in filter(None, (answers, upstream)):
                writer.close()

    async def _up(
        self, client: StreamReader, upstream: StreamWriter, answers: StreamWriter, exchange: _Exchange
    ) -> None:
        while data := await client.read(_CHUNK):
            if exchange.is_new:
                exchange.trouble, exchange.is_new = self._roll(), False
            if exchange.trouble is Trouble.RESET_BEFORE:
                answers.transport.abort()
                return
            if exchange.trouble is not Trouble.HANG_BEFORE:
                upstream.write(data)
                await upstream.drain()

    async def _down(self, server: StreamReader, answers: StreamWriter, exchange: _Exchange) -> None:
        while data := await server.read(_CHUNK):
            trouble, exchange.is_new = exchange.trouble, True
            if trouble is None:
                answers.write(data)
                await answers.drain()
            else:
                await self._spoil(trouble, data, answers)
        answers.close()

    async def _spoil(self, trouble: Trouble, data: bytes, answers: StreamWriter) -> None:
        """An answer that does not arrive as it was sent; the connection is of no use afterwards."""
        head = data.find(b"\r\n\r\n") + 4
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {self.redirect_to}\r\nContent-Length: 0\r\n\r\n".encode()
        said = {
            Trouble.HANG_HEADERS: data[: head // 2],
            Trouble.HANG_BODY: data[: head + 1],
            Trouble.TRUNCATED: data[: (head + len(data)) // 2],
            Trouble.HTML: _HTML,
            Trouble.REDIRECT: redirect,
        }
        if trouble is Trouble.RESET_AFTER:
            answers.transport.abort()
        elif trouble is Trouble.DRIP:
            for place in range(len(data)):
                answers.write(data[place : place + 1])
                await asyncio.sleep(1.0)
        else:
            answers.write(said[trouble])
            if trouble not in (Trouble.HANG_HEADERS, Trouble.HANG_BODY):
                answers.close()

    def _roll(self) -> Trouble | None:
        roll = self._random.random()
        for trouble, share in self._shares.items():
            if roll < share:
                self.struck[trouble.value] += 1
                return trouble
            roll -= share
        return None


class _Exchange:
    """The state of one connection: is_new: the next byte of the client begins another request."""

    def __init__(self) -> None:
        self.is_new = True
        self.trouble: Trouble | None = None


def _full_listener(port: int) -> list[socket.socket]:
    """A listening socket whose queue is full, so that further connections neither succeed nor fail."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
    return [*fillers, listener]
