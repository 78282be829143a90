"""Sending: claim rows, mark a few `sending` and commit, hand them over with no connection held, record in bulk
(docs/adr/0003)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from consular.domain.delivery import SUSPECT_DEATHS
from consular.domain.ports import SmsGateway, SmsRequest
from consular.security.fields import KeyUnavailableError
from consular.services.lag import Lag
from consular.services.ports import Point, Ports, Steps, Transaction
from consular.services.preparing import Prepared, Preparer
from consular.services.recording import Recorder
from consular.services.sql_store import actual_ports
from consular.services.texts import TextBook

__all__ = ["Drain", "Pace", "drain"]

log = structlog.get_logger(__name__)

_TICK = 0.005
_LONGEST_POLL = 0.05
_LOOK_AGAIN_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0
_LATEST_SECONDS = 4.0
"""A marked text that could not leave by its time and so much later goes back: a stop may have come meanwhile."""
_UNPROVEN = 10
"""Requests not yet written down until the gateway has taken one: a refused account must not burn a whole batch. Two
workers together stop after twenty."""
_PROBES = 2
"""The same, when the gateway last left everything without an answer or told us to come again later."""
_WORTHWHILE_PART = 8
_BATCHES_OWED = 4
"""A worker has places for two batches, one due and one not yet marked; when it was held up, other workers had too."""
_AHEAD = 4
"""Rows claimed at once for each connection: a slow gateway leaves the rest to other workers."""
_LONGEST_CLAIM_PART = 3
"""Rows not begun within this part of their lease go back: a lease that ends looks like a worker's death."""
_UNREADABLE_WAIT_SECONDS = 600.0
_LONGEST_PROOF_SECONDS = 2.0
_UNPROVEN_WAIT_SECONDS = 5.0
"""Rows into a country of which nothing is heard so long go back, so that others can be claimed meanwhile."""
_STRAGGLER_SECONDS = 2.0
"""A request that is so long without an answer hangs: it is not what ends a drain's work on all others."""
_LONGEST_OVERTIME_SECONDS = 60.0
"""A drain whose time is over works on so long at most while requests hang: the job around it has its own limit."""
_WATCH_SECONDS = 0.05
"""As often as this, while marked texts leave, a worker looks what was refused to others."""
_AWAY = (OperationalError, InterfaceError, InternalError)
"""What a database says that is not there, or that may only be read just now."""
_DATABASE_WAIT_SECONDS = 20.0
_DATABASE_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """How one sender may be used. rate: parts per second, over all workers. Small claims and marks keep a stop within
    5 s. lag: how far this process is behind in it."""

    rate: float
    lease_seconds: float
    claim_size: int = 1000
    mark_size: int = 250
    lag: Lag = field(default_factory=Lag, compare=False, repr=False)

    @property
    def mark_limit(self) -> int:
        """Rows marked at once: at most a quarter of a second of the sender's time, so that the batches of two workers
        of different lags hardly gather."""
        return max(1, min(self.mark_size, int(self.rate / 4)))

    @property
    def claim_limit(self) -> int:
        """Rows claimed at once: at most two seconds of the sender's time."""
        return max(1, min(self.claim_size, int(self.rate * 2)))

    @property
    def longest_lag(self) -> float:
        """Seconds: at most one."""
        return _BATCHES_OWED * self.mark_limit / self.rate


@dataclass(frozen=True, slots=True)
class _Due:
    """A marked text. place: when it was to leave. latest: when it goes back instead."""

    place: float
    latest: float
    request: SmsRequest


class Drain:
    """One worker's work on one gateway until nothing is left, `seconds` are over, or `should_stop()` is true.

    A row is marked `sending` only when its place in the sender's pace has come and a connection is free for it, so
    what is marked leaves at once or not at all: that is what makes a stop effective within seconds.
    """

    def __init__(
        self, gateway: SmsGateway, ports: Ports, pace: Pace, worker: str, should_stop: Callable[[], bool]
    ) -> None:
        self._gateway = gateway
        self._store = ports.store
        self._clock = ports.clock
        self._pace = pace
        self._worker = worker
        self._should_stop = should_stop
        self._preparer = Preparer(ports.book, gateway.name, ports.address_of)
        self._recorder = Recorder(gateway.name, worker, ports)
        self._probation = self._recorder.probation
        self._idle_since = 0.0
        self._claimed: deque[Any] = deque()
        self._claimed_at = 0.0
        self._batch: list[Prepared] = []
        self._batch_at = 0.0
        self._due: deque[_Due] = deque()
        self._lag = pace.lag
        self._claim_again_at = 0.0
        self._watch_at = 0.0
        self._is_wary = False
        self._is_paused = False

    def run(self, seconds: float) -> int:
        """Work; the number of requests whose outcome was recorded. Nothing claimed stays claimed, nothing sent is
        unrecorded."""
        for _ in self.steps(seconds):
            pass
        return self._recorder.recorded

    def steps(self, seconds: float) -> Steps:
        """The same, stopping at every point where a worker can be interrupted. Who drops it there has killed it."""
        ends_at = self._clock.monotonic() + seconds
        yield Point("open")
        with self._store.begin() as rows:
            paused, reason = rows.open_line(self._gateway.name)
        if paused > 0:
            return
        self._recorder.opened(reason)
        try:
            is_going_on = True
            while is_going_on:
                is_going_on = yield from self._step(is_over=self._is_over(ends_at))
        except GeneratorExit:
            raise
        except BaseException:
            yield from self._finish()
            raise
        yield from self._finish()

    def _is_over(self, ends_at: float) -> bool:
        """Whether nothing new is begun. Time alone does not end the work while a request hangs: whoever waits for it
        idly, as all workers may at the same moment, keeps texts back that could leave. Nor does it waste the place in
        the sender's pace that is reserved already."""
        if self._is_paused or self._recorder.is_refused or self._should_stop():
            return True
        now = self._clock.monotonic()
        if now < ends_at or self._batch:
            return False
        hangs = self._recorder.longest_wait(now) > _STRAGGLER_SECONDS
        return not hangs or now >= ends_at + _LONGEST_OVERTIME_SECONDS

    def _step(self, *, is_over: bool) -> Generator[Point, None, bool]:
        if not is_over:
            if not self._batch:
                yield from self._take_batch()
            if (
                self._batch
                and not self._is_paused
                and self._clock.monotonic() >= self._leaves_at(self._batch_at) - _TICK
            ):
                yield from self._hand_over()
        yield from self._submit_due()
        yield from self._wait()
        if self._recorder.is_due():
            yield Point("record")
            self._recorder.record()
        has_rows = bool(self._batch or self._claimed) or self._claim_again_at == 0.0
        return self._recorder.is_waiting or (not is_over and has_rows)

    def _room(self) -> int:
        """Rows that may be marked now; 0 until a worthwhile part of the connections is free."""
        at_once = min(self._gateway.concurrency, self._unproven_limit())
        free = at_once - self._busy()
        return min(self._pace.mark_limit, free) if free >= max(1, at_once // _WORTHWHILE_PART) else 0

    def _busy(self) -> int:
        if self._recorder.is_throttled:
            return self._recorder.trials
        return self._gateway.in_flight + len(self._due) if self._recorder.is_proven else self._recorder.open

    def _unproven_limit(self) -> int:
        if self._recorder.is_throttled:
            return _PROBES
        if self._recorder.is_proven:
            return self._gateway.concurrency
        return _PROBES if self._recorder.is_suspect else _UNPROVEN

    def _take_batch(self) -> Steps:
        if (
            self._claimed
            and self._clock.monotonic() - self._claimed_at > self._pace.lease_seconds / _LONGEST_CLAIM_PART
        ):
            yield Point("give back")
            self._give_back()
        size = self._room()
        if not size:
            return
        if not self._claimed and self._clock.monotonic() >= self._claim_again_at:
            yield Point("claim")
            self._claim()
            yield Point("claimed")
        self._fill_batch(size)
        if not self._batch:
            return
        yield Point("reserve")
        with self._store.begin() as rows:
            seconds = sum(item.parts for item in self._batch) / self._pace.rate
            slot = rows.reserve_slot(self._gateway.name, seconds, _LONGEST_WAIT_SECONDS)
            now = self._clock.monotonic()
        self._is_paused = slot is None
        if slot is not None:
            self._batch_at = now + slot.starts_in
            made_up = self._lag.rested(slot.unused, now)
            if made_up:
                self._due = deque(replace(due, place=due.place + made_up) for due in self._due)

    def _leaves_at(self, place: float) -> float:
        return place + self._lag.at(self._clock.monotonic())

    def _claim(self) -> None:
        limit = 1 if self._is_wary else min(self._pace.claim_limit, _AHEAD * self._gateway.concurrency)
        self._claimed_at = self._clock.monotonic()
        with self._store.begin() as rows:
            claimed = rows.claim(self._gateway.name, self._worker, limit, self._pace.lease_seconds)
            calm = [row for row in claimed if row.deaths < SUSPECT_DEATHS]
            suspects = [row for row in claimed if row.deaths >= SUSPECT_DEATHS]
            left = suspects if calm else suspects[1:]
            if left:
                rows.release(self._worker, [row.id for row in left])
        self._probation.reopened({row.country for row in claimed})
        self._claimed.extend(calm or suspects[:1])
        self._is_wary = bool(suspects) and not calm
        self._claim_again_at = 0.0 if claimed else self._clock.monotonic() + _LOOK_AGAIN_SECONDS

    def _give_back(self) -> None:
        with self._store.begin() as rows:
            rows.release(self._worker, [row.id for row in self._claimed])
        self._claimed.clear()

    def _fill_batch(self, size: int) -> None:
        """Take what may go now. What goes into a country that is refused is given back; what waits for the first text
        to be taken there waits here, but not for long: others may go meanwhile."""
        refused: list[Any] = []
        unproven: list[Any] = []
        while self._claimed and len(self._batch) < size:
            row = self._claimed.popleft()
            if self._probation.is_refused(row.country):
                refused.append(row)
            elif self._probation.admits(row.country):
                self._prepare(row)
            else:
                unproven.append(row)
        now = self._clock.monotonic()
        if self._batch or not unproven:
            self._idle_since = now
        elif now - self._idle_since > _LONGEST_PROOF_SECONDS:
            refused, unproven = refused + unproven, []
        self._claimed.extendleft(reversed(unproven))
        if refused:
            with self._giving(refused) as rows:
                rows.release(self._worker, [row.id for row in refused], _UNPROVEN_WAIT_SECONDS)

    @contextmanager
    def _giving(self, claimed: list[Any]) -> Iterator[Transaction]:
        """Give claimed rows away. Those of which the database could not be told stay claimed, to be given back last."""
        try:
            with self._store.begin() as rows:
                yield rows
        except DBAPIError:
            self._claimed.extend(claimed)
            raise

    def _prepare(self, row: Any) -> None:
        try:
            prepared = self._preparer.prepare(row)
        except KeyUnavailableError:
            log.error("message_unreadable", gateway=self._gateway.name, message=row.id)  # noqa: TRY400 - no trace
            with self._giving([row]) as rows:
                rows.release(self._worker, [row.id], _UNREADABLE_WAIT_SECONDS, "unreadable")
            self._probation.withdrawn(row.country)
            return
        if prepared is None:
            self._probation.withdrawn(row.country)
            with self._giving([row]) as rows:
                rows.cancel_claimed(row.id, row.attempt_id)
            return
        self._batch.append(prepared)

    def _hand_over(self) -> Steps:
        batch = self._batch
        pairs = [(item.number, item.attempt_id) for item in batch]
        yield Point("mark")
        lease_ends_at = self._clock.monotonic() + self._pace.lease_seconds
        with self._store.begin() as rows:
            marked = rows.mark_sending(pairs, self._pace.lease_seconds)
            if len(marked) < len(pairs):
                rest = [pair for pair in pairs if pair[0] not in marked]
                rows.note_changes(rows.drop(rest))
        self._batch = []
        place, now = self._batch_at, self._clock.monotonic()
        self._watch_at = now + _WATCH_SECONDS
        for item in batch:
            if item.number in marked:
                self._recorder.expect(item)
                latest = max(now, self._leaves_at(place)) + _LATEST_SECONDS
                self._due.append(_Due(place, latest, item.request(lease_ends_at)))
                place += item.parts / self._pace.rate
            else:
                self._probation.withdrawn(item.country)
        yield Point("marked")

    def _submit_due(self) -> Steps:
        if self._due and self._clock.monotonic() >= self._watch_at:
            yield Point("watch")
            self._watch()
        now = self._clock.monotonic() + _TICK
        while self._due and self._leaves_at(self._due[0].place) <= now:
            due = self._due.popleft()
            yield Point("submit")
            leaves_at = self._clock.monotonic()
            if not self._recorder.may_leave(due.request) or leaves_at > due.latest:
                self._recorder.keep_back(due.request)
                continue
            self._lag.left(due.place, leaves_at, self._pace.longest_lag)
            self._recorder.handed_over(due.request)
            self._gateway.submit(due.request)

    def _watch(self) -> None:
        """What is marked is not worth an answer of the database: when that is away, it leaves unwatched."""
        self._watch_at = self._clock.monotonic() + _WATCH_SECONDS
        try:
            with self._store.begin() as rows:
                self._recorder.watched(*rows.refusals(self._gateway.name))
        except DBAPIError:
            return

    def _wait(self) -> Steps:
        places = [one.place for one in list(self._due)[:1]] + ([self._batch_at] if self._batch else [])
        now = self._clock.monotonic()
        due = self._leaves_at(min(places)) if places else None
        wait = _LONGEST_POLL if due is None else min(_LONGEST_POLL, max(_TICK, due - now))
        if self._gateway.in_flight:
            yield Point("poll", wait, due)
            self._recorder.take(self._gateway.poll(wait))
        elif due is not None:
            yield Point("wait", wait, due)
            self._clock.sleep(wait)

    def _finish(self) -> Steps:
        rest = [item.number for item in self._batch] + [row.id for row in self._claimed]
        self._batch.clear()
        self._claimed.clear()
        while self._due or self._gateway.in_flight:
            yield from self._submit_due()
            yield from self._wait()
        deadline = self._clock.monotonic() + _DATABASE_WAIT_SECONDS
        while True:
            try:
                yield Point("finish")
                self._recorder.record()
                if rest:
                    with self._store.begin() as rows:
                        rows.release(self._worker, rest)
                return
            except _AWAY:
                if self._clock.monotonic() > deadline:
                    raise
            self._recorder.take(self._gateway.poll(0.0))
            yield Point("finish", _DATABASE_RETRY_SECONDS)
            self._clock.sleep(_DATABASE_RETRY_SECONDS)


def drain(
    gateway: SmsGateway, book: TextBook, pace: Pace, worker: str, seconds: float, should_stop: Callable[[], bool]
) -> int:
    """Send what is queued for `gateway`; the number of outcomes recorded. Safe to run in any number of processes at
    once."""
    return Drain(gateway, actual_ports(book), pace, worker, should_stop).run(seconds)
