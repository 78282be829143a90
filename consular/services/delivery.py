"""Sending: claim rows, mark a few `sending` and commit, hand them over with no connection held, record in bulk
(docs/adr/0003)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import OperationalError

from consular.domain.delivery import SUSPECT_DEATHS
from consular.domain.ports import SmsGateway, SmsRequest
from consular.queries import delivery
from consular.security.fields import KeyUnavailableError
from consular.services.preparing import Prepared, Preparer
from consular.services.recording import Recorder, note_changes
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work

__all__ = ["Drain", "Pace", "drain", "note_changes"]

log = structlog.get_logger(__name__)

_TICK = 0.005
_LONGEST_POLL = 0.05
_LOOK_AGAIN_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0
_UNPROVEN = 20
"""Requests in flight until the gateway has taken one: a refused account or country must not burn a whole batch."""
_WORTHWHILE_PART = 8
_UNREADABLE_WAIT_SECONDS = 600.0
_DATABASE_WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How one sender may be used. rate: parts per second, over all workers. Small claims and marks keep a stop within
    5 s."""

    rate: float
    lease_seconds: float
    claim_size: int = 1000
    mark_size: int = 250

    @property
    def mark_limit(self) -> int:
        """Rows marked at once: at most half a second of the sender's time."""
        return max(1, min(self.mark_size, int(self.rate / 2)))

    @property
    def claim_limit(self) -> int:
        """Rows claimed at once: at most two seconds of the sender's time."""
        return max(1, min(self.claim_size, int(self.rate * 2)))


class Drain:
    """One worker's work on one gateway until nothing is left, `seconds` are over, or `should_stop()` is true.

    A row is marked `sending` only when its place in the sender's pace has come and a connection is free for it, so
    what is marked
    leaves at once: that is what makes a stop effective within seconds.
    """

    def __init__(
        self, gateway: SmsGateway, book: TextBook, pace: Pace, worker: str, should_stop: Callable[[], bool]
    ) -> None:
        self._gateway = gateway
        self._book = book
        self._pace = pace
        self._worker = worker
        self._should_stop = should_stop
        self._preparer = Preparer(book, gateway.name)
        self._recorder = Recorder(gateway.name, worker)
        self._claimed: deque[Row[tuple[object, ...]]] = deque()
        self._batch: list[Prepared] = []
        self._batch_at = 0.0
        self._due: deque[tuple[float, SmsRequest]] = deque()
        self._claim_again_at = 0.0
        self._is_wary = False
        self._is_paused = False
        self._idle = threading.Event()

    def run(self, seconds: float) -> int:
        """Work; the number of requests whose outcome was recorded. Nothing claimed stays claimed, nothing sent is
        unrecorded."""
        ends_at = time.monotonic() + seconds
        with unit_of_work() as session:
            if delivery.open_line(session, self._gateway.name) > 0:
                return 0
        try:
            while self._step(is_over=self._is_paused or time.monotonic() >= ends_at or self._should_stop()):
                pass
        finally:
            self._finish()
        return self._recorder.recorded

    def _step(self, *, is_over: bool) -> bool:
        if not is_over:
            if not self._batch:
                self._take_batch()
            if self._batch and not self._is_paused and time.monotonic() >= self._batch_at - _TICK:
                self._hand_over()
        self._submit_due()
        self._wait()
        if self._recorder.is_due():
            self._recorder.record()
        has_rows = bool(self._batch or self._claimed) or self._claim_again_at == 0.0
        return self._recorder.is_waiting or (not is_over and has_rows)

    def _room(self) -> int:
        """Rows that may be marked now; 0 until a worthwhile part of the connections is free."""
        at_once = self._gateway.concurrency if self._recorder.is_proven else min(self._gateway.concurrency, _UNPROVEN)
        free = at_once - self._gateway.in_flight - len(self._due)
        return min(self._pace.mark_limit, free) if free >= max(1, at_once // _WORTHWHILE_PART) else 0

    def _take_batch(self) -> None:
        size = self._room()
        if not size:
            return
        if not self._claimed and time.monotonic() >= self._claim_again_at:
            self._claim()
        while self._claimed and len(self._batch) < size:
            self._prepare_next()
        if not self._batch:
            return
        with unit_of_work() as session:
            seconds = sum(item.parts for item in self._batch) / self._pace.rate
            starts_in = delivery.reserve_slot(session, self._gateway.name, seconds, _LONGEST_WAIT_SECONDS)
        self._is_paused = starts_in is None
        self._batch_at = time.monotonic() + (starts_in or 0.0)

    def _claim(self) -> None:
        limit = 1 if self._is_wary else self._pace.claim_limit
        with unit_of_work() as session:
            rows = delivery.claim(session, self._gateway.name, self._worker, limit, self._pace.lease_seconds)
            calm = [row for row in rows if row.deaths < SUSPECT_DEATHS]
            suspects = [row for row in rows if row.deaths >= SUSPECT_DEATHS]
            left = suspects if calm else suspects[1:]
            if left:
                delivery.release(session, self._worker, [row.id for row in left])
            for event_id in {row.event_id for row in rows if row.event_id is not None}:
                self._book.event(event_id)
        self._claimed.extend(calm or suspects[:1])
        self._is_wary = bool(suspects) and not calm
        self._claim_again_at = 0.0 if rows else time.monotonic() + _LOOK_AGAIN_SECONDS

    def _prepare_next(self) -> None:
        row = self._claimed.popleft()
        try:
            prepared = self._preparer.prepare(row)
        except KeyUnavailableError:
            log.error("message_unreadable", gateway=self._gateway.name, message=row.id)  # noqa: TRY400 - no trace
            with unit_of_work() as session:
                delivery.release(session, self._worker, [row.id], _UNREADABLE_WAIT_SECONDS, "unreadable")
            return
        if prepared is None:
            with unit_of_work() as session:
                delivery.cancel_claimed(session, row.id, row.attempt_id)
            return
        self._batch.append(prepared)

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        pairs = [(item.number, item.attempt_id) for item in batch]
        lease_ends_at = time.monotonic() + self._pace.lease_seconds
        with unit_of_work() as session:
            marked = delivery.mark_sending(session, pairs, self._pace.lease_seconds)
            if len(marked) < len(pairs):
                rest = [pair for pair in pairs if pair[0] not in marked]
                note_changes(session, delivery.drop(session, rest))
        at = max(time.monotonic(), self._batch_at)
        for item in batch:
            if item.number in marked:
                self._recorder.handed_over[item.attempt_id] = item
                self._due.append((at, item.request(lease_ends_at)))
                at += item.parts / self._pace.rate

    def _submit_due(self) -> None:
        now = time.monotonic() + _TICK
        while self._due and self._due[0][0] <= now:
            self._gateway.submit(self._due.popleft()[1])

    def _wait(self) -> None:
        moments = [at for at, _ in list(self._due)[:1]] + ([self._batch_at] if self._batch else [])
        now = time.monotonic()
        wait = min(_LONGEST_POLL, max(_TICK, min(moments) - now)) if moments else _LONGEST_POLL
        if self._gateway.in_flight:
            self._recorder.take(self._gateway.poll(wait))
        elif self._due or self._batch:
            self._idle.wait(wait)

    def _finish(self) -> None:
        rest = [item.number for item in self._batch] + [row.id for row in self._claimed]
        self._batch.clear()
        self._claimed.clear()
        deadline = time.monotonic() + _DATABASE_WAIT_SECONDS
        while self._due or self._gateway.in_flight:
            self._submit_due()
            self._wait()
        while True:
            try:
                self._recorder.record()
                if rest:
                    with unit_of_work() as session:
                        delivery.release(session, self._worker, rest)
                return
            except OperationalError:
                if time.monotonic() > deadline:
                    raise
                self._idle.wait(0.5)


def drain(
    gateway: SmsGateway, book: TextBook, pace: Pace, worker: str, seconds: float, should_stop: Callable[[], bool]
) -> int:
    """Send what is queued for `gateway`; the number of outcomes recorded. Safe to run in any number of processes at
    once."""
    return Drain(gateway, book, pace, worker, should_stop).run(seconds)
