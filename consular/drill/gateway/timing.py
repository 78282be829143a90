"""Two cheap clocks for tens of thousands of waiting things: one timer each, whatever waits."""

from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections import deque
from collections.abc import Callable
from enum import Enum
from heapq import heappop, heappush
from typing import Any, NamedTuple


class After(Enum):
    """What becomes of the connection once an answer is written."""

    KEEP = "keep"
    CLOSE = "close"
    ABORT = "abort"


class Answer(NamedTuple):
    """Bytes for a client, and what follows them."""

    data: bytes
    then: After = After.KEEP


class DelayLine:
    """Writes answers a fixed time after they were ready, in the order in which they came."""

    TICK = 0.002

    def __init__(self, loop: AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._batches: deque[tuple[float, list[tuple[Transport, Answer]]]] = deque()
        self._open_until = 0.0
        self.waiting = 0

    def put(self, transport: Transport, answer: Answer) -> None:
        """Write `answer` to `transport` after the delay, at once when there is none."""
        if not self._seconds:
            _deliver(transport, answer)
            return
        now = self._loop.time()
        if not self._batches or now >= self._open_until:
            self._open_until = now + self.TICK
            self._batches.append((now + self._seconds, []))
            if len(self._batches) == 1:
                self._loop.call_later(self._seconds, self._flush)
        self._batches[-1][1].append((transport, answer))
        self.waiting += 1

    def _flush(self) -> None:
        now = self._loop.time() + self.TICK / 2
        while self._batches and self._batches[0][0] <= now:
            _, batch = self._batches.popleft()
            self.waiting -= len(batch)
            for transport, answer in batch:
                _deliver(transport, answer)
        if self._batches:
            self._loop.call_at(self._batches[0][0], self._flush)


def _deliver(transport: Transport, answer: Answer) -> None:
    if transport.is_closing():
        return
    if answer.data:
        transport.write(answer.data)
    if answer.then is After.CLOSE:
        transport.close()
    elif answer.then is After.ABORT:
        transport.abort()


class Schedule:
    """Calls things later. `pending` counts what has not been called yet."""

    TICK = 0.01
    AT_ONCE = 100

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, deque[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
        self._ticks: list[int] = []
        self._timer: TimerHandle | None = None
        self._armed_for = 0
        self.pending = 0

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Call `action(*arguments)` after `seconds`, or up to one tick later."""
        tick = int((self._loop.time() + seconds) / self.TICK) + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = deque()
            heappush(self._ticks, tick)
            self._arm()
        bucket.append((action, arguments))
        self.pending += 1

    def _arm(self) -> None:
        if not self._ticks:
            return
        earliest = self._ticks[0]
        if self._timer is not None:
            if self._armed_for <= earliest:
                return
            self._timer.cancel()
        self._armed_for = earliest
        self._timer = self._loop.call_at(earliest * self.TICK, self._run)

    def _run(self) -> None:
        """Call what is due, a bounded number at a time so that requests are not kept waiting."""
        self._timer = None
        now = self._loop.time()
        budget = self.AT_ONCE
        try:
            while budget and self._ticks and self._ticks[0] * self.TICK <= now:
                bucket = self._buckets[self._ticks[0]]
                while bucket and budget:
                    action, arguments = bucket.popleft()
                    self.pending -= 1
                    budget -= 1
                    action(*arguments)
                if not bucket:
                    del self._buckets[heappop(self._ticks)]
        finally:
            self._arm()
