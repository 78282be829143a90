"""Writing down what gateways answered, in bulk, and slowing or stopping the line when they ask for it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import Row

from consular.domain.delivery import MessageState, after_send, counted_as, message_number
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome, SmsResult
from consular.queries import counters, delivery, reach
from consular.queries.delivery import AnySession, OutcomeRow
from consular.services.preparing import Prepared
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

_BATCH = 250
_LONGEST_DELAY_SECONDS = 0.15
_ACCOUNT_PAUSE_SECONDS = 60.0
_COUNTRY_PAUSE_SECONDS = 300.0
_LONGEST_SLOWDOWN_SECONDS = 15.0


class Recorder:
    """Collects one worker's results. A result is kept until its row is written, also when the database fails
    meanwhile."""

    def __init__(self, gateway: str, worker: str) -> None:
        self._gateway = gateway
        self._worker = worker
        self._results: list[SmsResult] = []
        self._first_at = 0.0
        self._slowdowns = 0
        self.handed_over: dict[UUID, Prepared] = {}
        self.is_proven = False
        self.recorded = 0

    @property
    def is_waiting(self) -> bool:
        """Whether something is handed over, or answered and not yet written."""
        return bool(self.handed_over or self._results)

    def take(self, results: Sequence[SmsResult]) -> None:
        """Collect answers."""
        if results and not self._results:
            self._first_at = time.monotonic()
        self._results.extend(results)

    def is_due(self) -> bool:
        """Whether it is time to write: many, old, or all there are."""
        if not self._results:
            return False
        is_old = time.monotonic() - self._first_at >= _LONGEST_DELAY_SECONDS
        return is_old or len(self._results) >= min(_BATCH, len(self.handed_over))

    def record(self) -> None:
        """Write every collected answer in one transaction. A database error leaves them collected."""
        results = self._results
        if not results:
            return
        with unit_of_work() as session:
            changed = delivery.record(session, self._gateway, self._worker, [self._outcome(one) for one in results])
            self._slow_down(session, results)
            stops = [message_number(one.attempt_id) for one in results if one.failure_reason is FailureReason.OPTED_OUT]
            if stops:
                delivery.note_stops(session, stops)
            note_changes(session, changed)
        self.is_proven = self.is_proven or any(_proves_line(result) for result in results)
        self.recorded += len(results)
        self._results = []
        for result in results:
            self.handed_over.pop(result.attempt_id, None)

    def _outcome(self, result: SmsResult) -> OutcomeRow:
        prepared = self.handed_over.get(result.attempt_id)
        after = after_send(result, prepared.tries if prepared else 1, random.random())
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

    def _slow_down(self, session: AnySession, results: Sequence[SmsResult]) -> None:
        refused = [one for one in results if one.outcome is SendOutcome.NOT_SENT and one.error_code != "lease"]
        if refused:
            asked = max((one.retry_after_seconds or 0.0 for one in refused), default=0.0)
            own = min(_LONGEST_SLOWDOWN_SECONDS, 0.5 * 2**self._slowdowns) * random.uniform(0.5, 1.0)
            delivery.pause_sender(session, self._gateway, max(asked, own), "throttled")
            self._slowdowns = min(self._slowdowns + 1, 10)
        elif any(one.outcome is SendOutcome.ACCEPTED for one in results):
            self._slowdowns = 0
        for scope in (RefusalScope.ACCOUNT, RefusalScope.COUNTRY):
            far = [one for one in results if one.outcome is SendOutcome.REFUSED and one.scope is scope]
            if far:
                self._stop_line(session, scope, far)

    def _stop_line(self, session: AnySession, scope: RefusalScope, refused: Sequence[SmsResult]) -> None:
        error = refused[0].error_code or str(refused[0].http_status)
        if scope is RefusalScope.ACCOUNT:
            delivery.pause_sender(session, self._gateway, _ACCOUNT_PAUSE_SECONDS, f"account_refused:{error}")
            log.error("account_refused", gateway=self._gateway, error=error)
            return
        known = (self.handed_over.get(one.attempt_id) for one in refused)
        for country in sorted({prepared.country for prepared in known if prepared and prepared.country}):
            delivery.pause_country(session, self._gateway, country, error, _COUNTRY_PAUSE_SECONDS)
            log.error("country_refused", gateway=self._gateway, country=country, error=error)


def _proves_line(result: SmsResult) -> bool:
    return result.outcome is SendOutcome.ACCEPTED or (
        result.outcome is SendOutcome.REFUSED and result.scope is RefusalScope.NUMBER
    )


def note_changes(session: AnySession, changed: Sequence[Row[tuple[object, ...]]]) -> None:
    """Carry changed message states (id, event_id, before, after) to the people's reach and the counters; last in a
    transaction."""
    deltas: dict[tuple[UUID, str], int] = {}
    moved = []
    for row in changed:
        if row.event_id is None or row.before == row.after:
            continue
        moved.append(row.id)
        before, after = counted_as(MessageState(row.before)), counted_as(MessageState(row.after))
        deltas[row.event_id, f"message:{before}"] = deltas.get((row.event_id, f"message:{before}"), 0) - 1
        deltas[row.event_id, f"message:{after}"] = deltas.get((row.event_id, f"message:{after}"), 0) + 1
    if moved:
        reach.apply(session, moved)
        counters.add(session, deltas)
