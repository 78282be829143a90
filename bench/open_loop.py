"""Requests that leave at their appointed time whether or not earlier ones were answered, from a process of its own.

The latency of each counts from that time, so a server that falls behind cannot hide it by slowing its clients down.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from statistics import quantiles

from consular.drill.gateway.client import Address, Pool
from consular.drill.gateway.reading import Reading

LEAD_SECONDS = 3.0
"""Until the first request: the time that a new process may take to start."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. key: what is remembered when it is answered by 200."""

    request: bytes
    key: str


@dataclass(slots=True)
class Heard:
    """What the callers saw. failed_at: seconds after the start, and the status (0: none), of every failure."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    taken: set[str] = field(default_factory=set)
    failed_at: list[tuple[float, int]] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """Answers other than 200, and none at all."""
        return len(self.failed_at)

    def ms(self, percent: int) -> float:
        """A percentile of the latency, in milliseconds."""
        return round(quantiles(self.latencies, n=100)[percent - 1] * 1000, 1) if len(self.latencies) > 1 else 0.0


def blow(address: Address, calls: Sequence[Call], seconds: float, connections: int = 48) -> Future[Heard]:
    """Send `calls` evenly over `seconds`, from a new process that begins LEAD_SECONDS from now."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    future = pool.submit(_run, address, calls, seconds, connections, time.monotonic() + LEAD_SECONDS)
    pool.shutdown(wait=False)
    return future


def _run(address: Address, calls: Sequence[Call], seconds: float, connections: int, starts_at: float) -> Heard:
    import uvloop

    return uvloop.run(_send(address, calls, seconds, connections, starts_at))


async def _send(address: Address, calls: Sequence[Call], seconds: float, connections: int, starts_at: float) -> Heard:
    heard, pool = Heard(), Pool(asyncio.get_running_loop(), connections)
    left = len(calls)
    over = asyncio.Event()
    step = seconds / max(1, len(calls))

    def send(number: int) -> None:
        appointed = starts_at + number * step

        def done(reading: Reading) -> None:
            nonlocal left
            now = time.monotonic()
            heard.latencies.append(now - appointed)
            heard.statuses[reading.status] += 1
            if reading.status == 200:
                heard.taken.add(calls[number].key)
            else:
                heard.failed_at.append((now - starts_at, reading.status))
            left -= 1
            if not left:
                over.set()

        pool.submit(address, calls[number].request, done)

    for number in range(len(calls)):
        pause = starts_at + number * step - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        send(number)
    if calls:
        await over.wait()
    await pool.close()
    return heard
