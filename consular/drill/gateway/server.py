"""Puts the practice gateway together and serves it."""

import asyncio
import ipaddress
import json
import signal
import ssl
import time
from asyncio import AbstractEventLoop
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consular.drill.gateway.api import MessagesApi
from consular.drill.gateway.client import Address, Pool
from consular.drill.gateway.control import PREFIX, Control
from consular.drill.gateway.faults import FaultSource
from consular.drill.gateway.http1 import Head
from consular.drill.gateway.links import Links
from consular.drill.gateway.network import PhoneNetwork
from consular.drill.gateway.people import People
from consular.drill.gateway.profiles import Profile
from consular.drill.gateway.protocol import GatewayProtocol
from consular.drill.gateway.rendering import error
from consular.drill.gateway.store import Store
from consular.drill.gateway.timing import Answer, DelayLine, Schedule
from consular.drill.gateway.tls import server_context
from consular.drill.gateway.webhooks import Webhooks
from consular.drill.gateway.world import World

BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """What a practice gateway is started with. port 0: any free one. concurrency_limit 0: none.

    tls_port: listen there over TLS, too (None: not at all); clients trust the certificate written to `authority_file`.
    """

    account_sid: str
    auth_token: str
    inbound_url: str
    profile: Profile
    sender: str = "+15005550006"
    seed: int = 7
    speed: float = 1.0
    latency_ms: float = 80.0
    host: str = "127.0.0.1"
    port: int = 0
    callback_connections: int = 16
    inbound_connections: int = 16
    concurrency_limit: int = 0
    connect_to: Address | None = None
    log: Path | None = None
    tls_port: int | None = None
    authority_file: Path | None = None


class Gateway:
    """One practice gateway on an event loop."""

    def __init__(self, settings: Settings, loop: AbstractEventLoop) -> None:
        profile, token = settings.profile, settings.auth_token.encode()
        self._settings = settings
        self._loop = loop
        self._world = World(
            account_sid=settings.account_sid,
            sender=settings.sender,
            seed=settings.seed,
            speed=settings.speed,
            latency_seconds=settings.latency_ms / 1000,
            rates=profile.rates,
            store=Store(),
            schedule=Schedule(loop),
            clock=time.time,
        )
        self._line = DelayLine(loop, self._world.latency_seconds)
        self._callback_pool = Pool(loop, settings.callback_connections)
        self._inbound_pool = Pool(loop, settings.inbound_connections)
        schedule = self._world.schedule
        self._callbacks = Webhooks(self._callback_pool, schedule, token, settings.connect_to)
        self._inbound = Webhooks(self._inbound_pool, schedule, token, settings.connect_to)
        self._links = Links(self._inbound_pool, settings.connect_to)
        self._people = People(self._world, self._inbound, self._links, settings.inbound_url)
        network = PhoneNetwork(self._world, profile.network, self._callbacks, self._people.read)
        self._faults = FaultSource(settings.seed, dict(profile.faults))
        self._api = MessagesApi(
            self._world, settings.auth_token, network, self._people, self._faults, profile.list_lag_seconds
        )
        self._has_control = ipaddress.ip_address(settings.host).is_loopback
        self.control = Control(self._world.store, self._people, self._faults, network, self._api.listing, self.stats)
        self._servers: list[asyncio.Server] = []

    async def start(self) -> int:
        """Listen; the port without TLS."""
        settings = self._settings
        if settings.tls_port is not None and settings.authority_file is not None:
            await self._listen(settings.tls_port, server_context(settings.host, settings.authority_file))
        return await self._listen(settings.port)

    async def _listen(self, port: int, tls: ssl.SSLContext | None = None) -> int:
        server = await self._loop.create_server(
            lambda: GatewayProtocol(self._handle, self._line),
            self._settings.host,
            port,
            backlog=BACKLOG,
            reuse_address=True,
            ssl=tls,
        )
        self._servers.append(server)
        taken: int = server.sockets[0].getsockname()[1]
        return taken

    async def stop(self) -> None:
        """Listen no more, write the log if one was asked for."""
        for server in self._servers:
            server.close()
        await self._callback_pool.close()
        await self._inbound_pool.close()
        if self._settings.log is not None:
            with self._settings.log.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in self.control.log())

    def stats(self) -> dict[str, Any]:
        """Counts so far. pending 0: nothing more will happen of itself."""
        tally, inbox = self._world.store.tally, self._people.inbox
        return {
            "accepted": tally.accepted,
            "duplicates": tally.duplicates,
            "repeated_others": tally.repeated_others,
            "refused": self._api.refused,
            "faults": self._faults.struck,
            "callbacks_sent": self._callbacks.sent,
            "callbacks_acked": self._callbacks.acked,
            "callbacks_failed": self._callbacks.failed,
            "inbound_sent": self._inbound.sent,
            "inbound_acked": self._inbound.acked,
            "inbound_failed": self._inbound.failed,
            "inbound_doubled": inbox.doubled,
            "links_opened": self._links.opened,
            "links_answered": self._links.answered,
            "links_failed": self._links.failed,
            "planned_replies": inbox.planned,
            "replies_sent": inbox.sent,
            "replies_acked": inbox.acked,
            "forbidden_targets": self._callbacks.forbidden + self._inbound.forbidden,
            "opted_out": len(self._people.opted_out),
            "by_status": self._world.store.counts(),
            "pending": self._pending(),
            "cpu_seconds": time.process_time(),
        }

    def _pending(self) -> int:
        pools = self._callback_pool.pending + self._inbound_pool.pending
        return self._world.schedule.pending + pools + self._line.waiting

    def _handle(self, head: Head, body: bytes) -> Answer | None:
        if self._has_control and head.path.startswith(PREFIX):
            return self.control.answer(head, body)
        limit = self._settings.concurrency_limit
        if limit and self._line.waiting >= limit:
            return Answer(error(429, 20429, "Retry-After: 1\r\n"))
        return self._api.answer(head, body)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; the first line on standard output says where."""
    loop = asyncio.get_running_loop()
    gateway = Gateway(settings, loop)
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    port = await gateway.start()
    print(f"practice gateway ready on http://{settings.host}:{port}", flush=True)
    await ended.wait()
    await gateway.stop()
