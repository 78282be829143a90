"""Sending: claim rows, mark a few `sending` and commit, hand them over with no connection held, record in bulk (docs/adr/0003)."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import Row

from consular.domain.delivery import MessageState, after_send, counted_as, message_number
from consular.domain.ports import RefusalScope, SendOutcome, SmsGateway, SmsRequest, SmsResult
from consular.domain.segmentation import segment
from consular.extensions import cipher
from consular.queries import counters, delivery, reach
from consular.queries.delivery import OutcomeRow
from consular.security.fields import KeyUnavailableError
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

_RECORD_AT = 250
_RECORD_AFTER_SECONDS = 0.15
_ACCOUNT_PAUSE_SECONDS = 60.0
_COUNTRY_PAUSE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How one sender may be used. rate: parts per second. Claims and marks are kept small enough for a stop within 5 s."""

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
        """Rows claimed at once: at most five seconds of the sender's time."""
        return max(1, min(self.claim_size, int(self.rate * 5)))


@dataclass(slots=True)
class _Prepared:
    row: Row[tuple[object, ...]]
    request: SmsRequest
    parts: int


class Drain:
    """One worker's work on one gateway until nothing is left, `seconds` are over, or `should_stop()` is true."""

    def __init__(self, gateway: SmsGateway, book: TextBook, pace: Pace, worker: str, should_stop: Callable[[], bool]) -> None:
        self._gateway = gateway
        self._book = book
        self._pace = pace
        self._worker = worker
        self._should_stop = should_stop
        self._claimed: deque[Row[tuple[object, ...]]] = deque()
        self._due: deque[tuple[float, SmsRequest]] = deque()
        self._sending: dict[UUID, Row[tuple[object, ...]]] = {}
        self._results: list[SmsResult] = []
        self._first_result_at = 0.0
        self._is_empty = False
        self._slot_until = 0.0
        self._idle = threading.Event()
        self._parts: dict[tuple[object, str, int], int] = {}
        self.sent = 0

    def run(self, seconds: float) -> int:
        """Work; the number of requests whose outcome was recorded. Nothing claimed stays claimed, nothing sent is unrecorded."""
        ends_at = time.monotonic() + seconds
        if self._is_paused():
            return 0
        try:
            while self._step(is_over=time.monotonic() >= ends_at or self._should_stop()):
                pass
        finally:
            self._finish()
        return self.sent

    def _is_paused(self) -> bool:
        with unit_of_work() as session:
            return delivery.open_line(session, self._gateway.name) > 0

    def _step(self, *, is_over: bool) -> bool:
        has_room = len(self._sending) + self._pace.mark_limit <= max(self._gateway.concurrency, self._pace.mark_limit)
        is_ahead = self._slot_until - time.monotonic() > 0.5
        if not is_over and has_room and not is_ahead and not self._is_empty:
            self._mark_some()
        self._submit_due()
        self._wait_for_results()
        if self._is_time_to_record():
            self._record()
        return bool(self._sending or self._results or (not is_over and not self._is_empty))

    def _wait_for_results(self) -> None:
        wait = min(0.05, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.05
        if self._gateway.in_flight:
            self._take_results(self._gateway.poll(wait))
        elif self._sending:
            self._idle.wait(wait)

    def _take_results(self, results: Sequence[SmsResult]) -> None:
        if results and not self._results:
            self._first_result_at = time.monotonic()
        self._results.extend(results)

    def _is_time_to_record(self) -> bool:
        if not self._results:
            return False
        is_old = time.monotonic() - self._first_result_at >= _RECORD_AFTER_SECONDS
        return len(self._results) >= _RECORD_AT or is_old or len(self._results) == len(self._sending)

    def _mark_some(self) -> None:
        if not self._claimed:
            self._claim()
        rows = [self._claimed.popleft() for _ in range(min(self._pace.mark_limit, len(self._claimed)))]
        prepared = [item for item in map(self._prepare, rows) if item is not None]
        if not prepared:
            return
        with unit_of_work() as session:
            pairs = [(item.row.id, item.row.attempt_id) for item in prepared]
            marked = delivery.mark_sending(session, pairs, self._pace.lease_seconds)
            going = [item for item in prepared if item.row.id in marked]
            seconds = sum(item.parts for item in going) / self._pace.rate
            starts_in = delivery.reserve_slot(session, self._gateway.name, seconds) if going else 0.0
        self._schedule(going, time.monotonic() + max(0.0, starts_in))

    def _schedule(self, going: Sequence[_Prepared], at: float) -> None:
        for item in going:
            self._sending[item.request.attempt_id] = item.row
            self._due.append((at, item.request))
            at += item.parts / self._pace.rate
        self._slot_until = at

    def _claim(self) -> None:
        with unit_of_work() as session:
            rows = delivery.claim(session, self._gateway.name, self._worker, self._pace.claim_limit, self._pace.lease_seconds)
        self._claimed.extend(rows)
        self._is_empty = not rows

    def _prepare(self, row: Row[tuple[object, ...]]) -> _Prepared | None:
        body, validity = self._body(row)
        if body is None:
            self._give_up(row)
            return None
        key = (row.event_id, row.language, len(body))
        if row.event_id is None or key not in self._parts:
            self._parts[key] = segment(body).parts
        to = self._address(row)
        lease_ends_at = time.monotonic() + self._pace.lease_seconds
        return _Prepared(row, SmsRequest(row.attempt_id, to, body, validity, lease_ends_at), self._parts[key])

    def _body(self, row: Row[tuple[object, ...]]) -> tuple[str | None, int]:
        if row.event_id is not None:
            return self._book.alert(row.event_id, row.language, row.id), self._book.event(row.event_id).validity_seconds
        is_exercise = self._gateway.name == "exercise"
        return self._book.acknowledgement(row.template, row.language, row.id, is_exercise=is_exercise), 3600

    def _address(self, row: Row[tuple[object, ...]]) -> str:
        if row.value_sealed is not None:
            return cipher.open(row.value_sealed, "contact_points.value", row.contact_point_id)
        return cipher.open(row.sender_sealed, "inbound_messages.sender", row.inbound_id)

    def _give_up(self, row: Row[tuple[object, ...]]) -> None:
        with unit_of_work() as session:
            delivery.cancel_claimed(session, row.id, row.attempt_id)

    def _submit_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            self._gateway.submit(self._due.popleft()[1])

    def _record(self) -> None:
        results, self._results = self._results, []
        rows = [self._outcome(result) for result in results]
        with unit_of_work() as session:
            changed = delivery.record(session, self._gateway.name, self._worker, rows)
            note_changes(session, changed)
            self._pause_if_refused(session, results)
        for result in results:
            self._sending.pop(result.attempt_id, None)
        self.sent += len(results)

    def _outcome(self, result: SmsResult) -> OutcomeRow:
        row = self._sending[result.attempt_id]
        after = after_send(result, row.tries, random.random())
        return OutcomeRow(
            id=message_number(result.attempt_id),
            attempt_id=result.attempt_id,
            state=after.state.value,
            outcome=result.outcome.value,
            provider_id=result.provider_message_id,
            error=result.error_code,
            reason=result.failure_reason.value if result.failure_reason else None,
            http_status=result.http_status,
            latency=result.latency_seconds,
            wait=after.retry_in_seconds,
        )

    def _pause_if_refused(self, session: delivery.AnySession, results: Sequence[SmsResult]) -> None:
        for result in results:
            if result.outcome is SendOutcome.NOT_SENT and result.retry_after_seconds:
                delivery.pause_sender(session, self._gateway.name, min(result.retry_after_seconds, 5.0), "throttled")
            if result.outcome is not SendOutcome.REFUSED:
                continue
            error = result.error_code or str(result.http_status)
            if result.scope is RefusalScope.ACCOUNT:
                delivery.pause_sender(session, self._gateway.name, _ACCOUNT_PAUSE_SECONDS, f"account_refused:{error}")
                self._is_empty = True
                log.error("account_refused", gateway=self._gateway.name, error=error)
            elif result.scope is RefusalScope.COUNTRY:
                country = self._sending[result.attempt_id].country or ""
                delivery.pause_country(session, self._gateway.name, country, error, _COUNTRY_PAUSE_SECONDS)
                log.error("country_refused", gateway=self._gateway.name, country=country, error=error)

    def _finish(self) -> None:
        while self._sending and (self._due or self._gateway.in_flight or self._results):
            self._submit_due()
            self._wait_for_results()
            if self._results:
                self._record()
        if self._claimed:
            with unit_of_work() as session:
                delivery.release(session, self._worker, [row.id for row in self._claimed])
            self._claimed.clear()


def note_changes(session: delivery.AnySession, changed: Sequence[Row[tuple[object, ...]]]) -> None:
    """Carry changed message states (id, event_id, before, after) to the people's reach and the event's counters."""
    deltas: dict[tuple[UUID, str], int] = {}
    for row in changed:
        before, after = counted_as(MessageState(row.before)), counted_as(MessageState(row.after))
        if row.event_id is None or before == after:
            continue
        deltas[row.event_id, f"message:{before}"] = deltas.get((row.event_id, f"message:{before}"), 0) - 1
        deltas[row.event_id, f"message:{after}"] = deltas.get((row.event_id, f"message:{after}"), 0) + 1
    if deltas:
        reach.apply(session, [row.id for row in changed if row.event_id is not None])
        counters.add(session, deltas)


def drain(gateway: SmsGateway, book: TextBook, pace: Pace, worker: str, seconds: float, should_stop: Callable[[], bool]) -> int:
    """Send what is queued for `gateway`; the number of outcomes recorded. Safe to run in any number of processes at once."""
    try:
        return Drain(gateway, book, pace, worker, should_stop).run(seconds)
    except KeyUnavailableError:
        log.error("keys_unavailable", gateway=gateway.name)
        raise
