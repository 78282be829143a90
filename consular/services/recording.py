"""Writing down what gateways answered, in bulk, and slowing or stopping the line when they ask for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import Row

from consular.domain.delivery import (
    ACCOUNT_REFUSED,
    NO_ANSWER,
    NOT_CONNECTED,
    THROTTLED,
    UNREACHABLE,
    MessageState,
    after_send,
    counted_as,
    message_number,
)
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome, SmsRequest, SmsResult
from consular.queries import counters, reach
from consular.queries.delivery import AnySession, OutcomeRow
from consular.services.ports import Ports, Transaction
from consular.services.preparing import Prepared
from consular.services.probation import Probation

log = structlog.get_logger(__name__)

_BATCH = 250
_LONGEST_DELAY_SECONDS = 0.15
_ACCOUNT_PAUSE_SECONDS = 60.0
_COUNTRY_PAUSE_SECONDS = 300.0
_SILENCE_PAUSE_SECONDS = 60.0
_LONGEST_SLOWDOWN_SECONDS = 15.0
_SLOWDOWNS_BEFORE = 4
"""So many count as past on a line that has taken nothing since its last one: it does not begin with the shortest."""
_UNREACHABLE_PAUSE_SECONDS = 10.0
_BLIP_SECONDS = 2.0
"""A gateway that could not be reached for less than this is only waited for."""
_SILENT_ANSWERS = 20
"""So many requests without an answer and none taken in between pause the line: the gateway hangs, and each would be a
text of which nobody knows whether it left."""


class Recorder:
    """Collects one worker's results. A result is kept until its row is written, also when the database fails
    meanwhile.

    is_proven: the gateway takes texts. is_refused: it refused our account, here or before another worker, so nothing
    more leaves. is_suspect: it last left requests without an answer, so the first one that it leaves so again is
    enough. is_throttled: it last told us to come again later, and has taken nothing since.
    """

    def __init__(self, gateway: str, worker: str, ports: Ports) -> None:
        self._gateway = gateway
        self._worker = worker
        self._store = ports.store
        self._clock = ports.clock
        self._rng = ports.rng
        self._results: list[SmsResult] = []
        self._open: dict[UUID, Prepared] = {}
        self._left_at: dict[UUID, float] = {}
        self._first_at = 0.0
        self._slowdowns = 0
        self._silent = 0
        self._unconnected_at: float | None = None
        self._is_urgent = False
        self.is_proven = False
        self.is_refused = False
        self.is_suspect = False
        self.is_throttled = False
        self._throttled: frozenset[UUID] = frozenset()
        self.recorded = 0
        self.probation = Probation()

    def opened(self, reason: str | None) -> None:
        """The line is open; the reason of its last pause, None when it was trusted since."""
        self.is_suspect = reason == NO_ANSWER
        self.is_throttled = reason == THROTTLED
        self._slowdowns = _SLOWDOWNS_BEFORE if self.is_throttled else 0
        self._unconnected_at = float("-inf") if reason in (NOT_CONNECTED, UNREACHABLE) else None

    @property
    def open(self) -> int:
        """Texts that are marked and whose outcome is not written yet."""
        return len(self._open)

    @property
    def trials(self) -> int:
        """The same, of those marked since the gateway told us to come again later."""
        return sum(1 for attempt_id in self._open if attempt_id not in self._throttled)

    @property
    def is_waiting(self) -> bool:
        """Whether something is marked, or answered and not yet written."""
        return bool(self._open or self._results)

    def longest_wait(self, now: float) -> float:
        """Seconds since the oldest request left whose answer is not written yet; 0 when there is none."""
        return now - next(iter(self._left_at.values()), now)

    def expect(self, item: Prepared) -> None:
        """A text is marked: its outcome will have to be written."""
        self._open[item.attempt_id] = item

    def handed_over(self, request: SmsRequest) -> None:
        """A marked text leaves now."""
        self._left_at[request.attempt_id] = self._clock.monotonic()

    def keep_back(self, request: SmsRequest) -> None:
        """A marked text does not leave after all: certainly not sent."""
        self.take([SmsResult(request.attempt_id, SendOutcome.NOT_SENT, error_code="lease")])

    def watched(self, reason: str | None, countries: Collection[str]) -> None:
        """The line, and these countries, are paused meanwhile, by whichever worker."""
        self.is_refused = self.is_refused or (reason or "").startswith(ACCOUNT_REFUSED)
        self.probation.refused(countries)

    def may_leave(self, request: SmsRequest) -> bool:
        """Whether a marked text may still leave: neither our account nor its country is refused."""
        prepared = self._open.get(request.attempt_id)
        return not self.is_refused and (prepared is None or not self.probation.is_refused(prepared.country))

    def take(self, results: Sequence[SmsResult]) -> None:
        """Collect answers."""
        if results and not self._results:
            self._first_at = self._clock.monotonic()
        results = self._judged(results)
        refusals = [one for one in results if one.outcome is SendOutcome.REFUSED]
        is_account = any(one.scope is RefusalScope.ACCOUNT for one in refusals)
        countries = self._countries([one for one in refusals if one.scope is RefusalScope.COUNTRY])
        self.is_refused = self.is_refused or is_account
        self.probation.refused(countries)
        self._is_urgent = self._is_urgent or is_account or bool(countries)
        self._results.extend(results)

    def _judged(self, results: Sequence[SmsResult]) -> list[SmsResult]:
        """The same answers; of a refusal that may be the number's or the country's, which of them it is held for."""
        for one in results:
            if one.outcome is SendOutcome.ACCEPTED and one.attempt_id in self._open:
                self.probation.taken(self._open[one.attempt_id].country)
        return [replace(one, scope=self._reach(one, results)) if _is_doubtful(one) else one for one in results]

    def _reach(self, result: SmsResult, together: Sequence[SmsResult]) -> RefusalScope:
        prepared = self._open.get(result.attempt_id)
        if prepared is None:
            return RefusalScope.ROUTE
        answered = {one.attempt_id for one in (*self._results, *together)}
        waiting = (other.country for attempt, other in self._open.items() if attempt not in answered)
        is_alone = prepared.country not in waiting
        return self.probation.judge(prepared.country, prepared.tries, is_alert=prepared.is_alert, is_alone=is_alone)

    def is_due(self) -> bool:
        """Whether it is time to write: many, old, all there are, or what other workers must know at once."""
        if not self._results:
            return False
        is_old = self._clock.monotonic() - self._first_at >= _LONGEST_DELAY_SECONDS
        return self._is_urgent or is_old or len(self._results) >= min(_BATCH, len(self._open))

    def record(self) -> None:
        """Write every collected answer in one transaction. A database error leaves them collected."""
        results = self._results
        if not results:
            return
        now = self._clock.monotonic()
        is_silent, is_heard = self._silence(results)
        with self._store.begin() as rows:
            changed = rows.record(self._gateway, self._worker, [self._outcome(one, now) for one in results])
            if is_silent:
                self._pause_silent(rows)
            elif is_heard and (self.is_suspect or self.is_throttled or self._unconnected_at is not None):
                rows.trust_line(self._gateway)
            self._slow_down(rows, results)
            stops = [message_number(one.attempt_id) for one in results if one.failure_reason is FailureReason.OPTED_OUT]
            if stops:
                rows.note_stops(stops)
            rows.note_changes(changed)
        self._remember(results, is_silent=is_silent, is_heard=is_heard)

    def _remember(self, results: Sequence[SmsResult], *, is_silent: bool, is_heard: bool) -> None:
        """What is written is done with; and what it says about the gateway."""
        self.is_suspect = is_silent or (self.is_suspect and not is_heard)
        self._unconnected_at = None if is_heard else self._unconnected_at
        self.is_proven = not is_silent and (self.is_proven or any(_proves_line(result) for result in results))
        self._silent = 0 if is_silent or is_heard else self._silent + _unanswered(results)
        self.recorded += len(results)
        self._results = []
        self._is_urgent = False
        for result in results:
            prepared = self._open.pop(result.attempt_id, None)
            self._left_at.pop(result.attempt_id, None)
            if prepared is not None:
                self.probation.settled(prepared.country, result)
        if is_heard:
            self.is_throttled = False
        elif any(map(_is_throttled, results)):
            self.is_throttled = True
            self._throttled = frozenset(self._open)

    def _outcome(self, result: SmsResult, now: float) -> OutcomeRow:
        prepared = self._open.get(result.attempt_id)
        after = after_send(result, prepared.tries if prepared else 1, self._rng.random())
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
            age=now - self._left_at.get(result.attempt_id, now),
            parts=prepared.parts if prepared else None,
        )

    def _silence(self, results: Sequence[SmsResult]) -> tuple[bool, bool]:
        """Whether the gateway leaves requests without an answer, and whether it answers."""
        is_heard = any(_proves_line(one) for one in results)
        most = 1 if self.is_suspect else _SILENT_ANSWERS
        return not is_heard and self._silent + _unanswered(results) >= most, is_heard

    def _pause_silent(self, rows: Transaction) -> None:
        rows.pause_sender(self._gateway, _SILENCE_PAUSE_SECONDS, NO_ANSWER)
        log.error("gateway_silent", gateway=self._gateway)

    def _slow_down(self, rows: Transaction, results: Sequence[SmsResult]) -> None:
        refused = [one for one in results if one.outcome is SendOutcome.NOT_SENT and one.error_code != "lease"]
        if refused:
            asked = max((one.retry_after_seconds or 0.0 for one in refused), default=0.0)
            own = min(_LONGEST_SLOWDOWN_SECONDS, 0.5 * 2**self._slowdowns) * self._rng.uniform(0.5, 1.0)
            if all(map(_is_unconnected, results)):
                self._pause_unconnected(rows, results, own)
            else:
                rows.pause_sender(self._gateway, max(asked, own), THROTTLED)
            self._slowdowns = min(self._slowdowns + 1, 10)
        elif any(one.outcome is SendOutcome.ACCEPTED for one in results):
            self._slowdowns = 0
        for scope in (RefusalScope.ACCOUNT, RefusalScope.COUNTRY):
            far = [one for one in results if one.outcome is SendOutcome.REFUSED and one.scope is scope]
            if far:
                self._stop_line(rows, scope, far)

    def _pause_unconnected(self, rows: Transaction, results: Sequence[SmsResult], seconds: float) -> None:
        """Nothing got through: for a moment that may be chance, after that others should carry what waits."""
        since = self._unconnected_at
        if since is None:
            self._unconnected_at = self._clock.monotonic()
        elif any(self._left_at.get(one.attempt_id, since) > since + _BLIP_SECONDS for one in results):
            rows.pause_sender(self._gateway, max(_UNREACHABLE_PAUSE_SECONDS, seconds), UNREACHABLE)
            log.error("gateway_unreachable", gateway=self._gateway, error=results[0].error_code)
            return
        rows.pause_sender(self._gateway, seconds, NOT_CONNECTED)

    def _stop_line(self, rows: Transaction, scope: RefusalScope, refused: Sequence[SmsResult]) -> None:
        error = refused[0].error_code or str(refused[0].http_status)
        if scope is RefusalScope.ACCOUNT:
            rows.pause_sender(self._gateway, _ACCOUNT_PAUSE_SECONDS, f"{ACCOUNT_REFUSED}:{error}")
            log.error("account_refused", gateway=self._gateway, error=error)
            return
        for country in sorted(country for country in self._countries(refused) if country):
            rows.pause_country(self._gateway, country, error, _COUNTRY_PAUSE_SECONDS)
            log.error("country_refused", gateway=self._gateway, country=country, error=error)

    def _countries(self, results: Sequence[SmsResult]) -> set[str | None]:
        """Where the texts were to go to."""
        known = (self._open.get(one.attempt_id) for one in results)
        return {prepared.country for prepared in known if prepared}


def _is_doubtful(result: SmsResult) -> bool:
    return result.outcome is SendOutcome.REFUSED and result.scope is RefusalScope.ROUTE


def _unanswered(results: Sequence[SmsResult]) -> int:
    return sum(1 for one in results if one.outcome is SendOutcome.UNKNOWN)


def _is_unconnected(result: SmsResult) -> bool:
    """Whether there was no connection to write a request to."""
    return result.outcome is SendOutcome.NOT_SENT and (result.error_code or "").startswith("transport-")


def _is_throttled(result: SmsResult) -> bool:
    """Whether the gateway itself told us to come again later."""
    return result.outcome is SendOutcome.NOT_SENT and result.error_code != "lease" and not _is_unconnected(result)


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
