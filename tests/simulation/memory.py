"""The store in memory: statement by statement what queries.delivery, .sweeping and .receipts do in PostgreSQL.

tests/simulation/test_memory.py drives both with the same random statements and compares every row after each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from consular.domain.canaries import CANARY_PRIORITY
from consular.domain.delivery import (
    ACCOUNT_REFUSED,
    ACKNOWLEDGEMENT_PRIORITY,
    MOST_DEATHS,
    NO_TRACE,
    RANK,
    MessageState,
    Verdict,
    counted_as,
)
from consular.domain.gateways import EXERCISE
from consular.queries.delivery import FAR_SECONDS, OutcomeRow, Slot
from consular.queries.receipts import Report
from consular.queries.sweeping import LOOK_SECONDS
from tests.simulation.rows import Attempt, Changed, Claimed, Message, Receipt, Unknown

RANKS = {state.value: rank for state, rank in RANK.items()}
COUNTED = {state.value: f"message:{counted_as(state)}" for state in MessageState}
TAKEN_BACK = ("unknown", "queued", "held", "cancelled", "expired")
LAST_PRIORITIES = (ACKNOWLEDGEMENT_PRIORITY, CANARY_PRIORITY)


class MemoryStore:
    """Store and transaction in one. clock: the database's. fail: called at each begin and after each commit; may raise.

    Nothing is undone: a simulated database fails before a transaction or after it, never within. answered: texts whose
    acceptance a worker wrote down.
    """

    def __init__(self, clock: Callable[[], datetime], rng: random.Random) -> None:
        self.clock = clock
        self.rng = rng
        self.messages: dict[int, Message] = {}
        self.events: dict[UUID, Any] = {}
        self.attempts: dict[UUID, Attempt] = {}
        self.receipts: dict[tuple[Any, ...], Receipt] = {}
        self.waiting: list[Receipt] = []
        self.results: dict[UUID, str] = {}
        self.senders: dict[str, Any] = {}
        self.country_pauses: dict[tuple[str, str], Any] = {}
        self.opt_outs: dict[tuple[bytes, str], Any] = {}
        self.counters: dict[tuple[UUID, str], int] = {}
        self.fail: Callable[[str], None] | None = None
        self.answered: set[int] = set()
        self.moment = clock()

    def begin(self) -> MemoryStore:
        return self

    def __enter__(self) -> MemoryStore:
        if self.fail is not None:
            self.fail("begin")
        self.moment = self.clock()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.fail is not None and kind is None:
            self.fail("committed")

    def add_event(self, event_id: UUID, expires_at: datetime) -> None:
        self.events[event_id] = SimpleNamespace(id=event_id, expires_at=expires_at, stopped_at=None)

    def add_message(self, message: Message) -> None:
        self.messages[message.id] = message
        if message.event_id is not None:
            self._count(message.event_id, "message:queued", 1)

    def stop(self, event_id: UUID) -> None:
        """services.dispatch.cancel_unsent with its stop."""
        self.moment = self.clock()
        self.events[event_id].stopped_at = self.moment
        changed = []
        for message in self.messages.values():
            if message.event_id == event_id and self._is_unsent(message):
                changed.append(Changed(message.id, event_id, message.state, "cancelled"))
                message.state, message.lease_until = "cancelled", None
        self.note_changes(changed)

    def _is_unsent(self, message: Message) -> bool:
        doubts = (one for one in self.attempts.values() if one.message_id == message.id and one.outcome == "unknown")
        return message.state in ("queued", "claimed") or (message.state == "held" and not any(doubts))

    def opt_out(self, endpoint: bytes, gateway: str) -> None:
        self.moment = self.clock()
        self.opt_outs[endpoint, _list(gateway)] = SimpleNamespace(opted_out_at=self.moment, ended_at=None)

    def store_receipt(self, receipt: Receipt) -> None:
        key = (receipt.gateway, receipt.provider_message_id, receipt.status, receipt.error_code, receipt.attempt_id)
        if key not in self.receipts:
            self.receipts[key] = receipt
            self.waiting.append(receipt)

    def open_line(self, gateway: str) -> tuple[float, str | None]:
        fresh = SimpleNamespace(next_free_at=self.moment, paused_until=None, pause_reason=None)
        sender = self.senders.setdefault(gateway, fresh)
        left = (sender.paused_until - self.moment).total_seconds() if sender.paused_until else 0.0
        return max(0.0, left), sender.pause_reason

    def claim(self, gateway: str, worker: str, limit: int, lease_seconds: float) -> list[Claimed]:
        now = self.moment
        due = [
            message
            for message in self.messages.values()
            if message.state == "queued"
            and message.gateway == gateway
            and message.not_before <= now < message.expires_at
            and not self._is_stopped(message)
            and not self._is_country_paused(message)
        ]
        due.sort(key=lambda message: (-message.priority, message.not_before, message.id))
        lease_until = now + timedelta(seconds=lease_seconds)
        for message in due[:limit]:
            message.state, message.worker, message.lease_until = "claimed", worker, lease_until
            message.tries += 1
            message.attempt_id = UUID(int=message.id << 64 | self.rng.getrandbits(64))
        picked = sorted(due[:limit], key=lambda message: (-message.priority, message.id))
        return [
            Claimed(m.id, m.attempt_id, m.event_id, None, "safe", "en", m.country, m.tries, m.deaths)  # type: ignore[arg-type]
            for m in picked
        ]

    def _is_stopped(self, message: Message) -> bool:
        return message.event_id is not None and self.events[message.event_id].stopped_at is not None

    def _is_country_paused(self, message: Message) -> bool:
        pause = self.country_pauses.get((message.gateway, message.country or ""))
        return pause is not None and pause.paused_until > self.moment

    def _is_opted_out(self, message: Message) -> bool:
        entry = self.opt_outs.get((message.endpoint_index, _list(message.gateway)))
        return entry is not None and entry.ended_at is None

    def _mine(self, pairs: Sequence[tuple[int, UUID]]) -> list[Message]:
        found = []
        for number, attempt_id in pairs:
            message = self.messages.get(number)
            if message is None or message.attempt_id != attempt_id or message.state != "claimed":
                continue
            if message.lease_until is not None and message.lease_until > self.moment:
                found.append(message)
        return found

    def mark_sending(self, pairs: Sequence[tuple[int, UUID]], lease_seconds: float) -> set[int]:
        marked = set()
        for message in self._mine(pairs):
            if message.expires_at > self.moment and not self._is_stopped(message) and not self._is_opted_out(message):
                message.state, message.sending_at, message.not_found_at = "sending", self.moment, None
                message.lease_until = self.moment + timedelta(seconds=lease_seconds)
                marked.add(message.id)
        return marked

    def drop(self, pairs: Sequence[tuple[int, UUID]]) -> list[Changed]:
        dropped = []
        for message in self._mine(pairs):
            is_late, is_out = message.expires_at <= self.moment, self._is_opted_out(message)
            if is_late or is_out or self._is_stopped(message):
                after = "expired" if is_late else "cancelled"
                dropped.append(Changed(message.id, message.event_id, message.state, after))
                message.state, message.lease_until = after, None
                message.failure_reason = "opted_out" if is_out else "expired" if is_late else None
        return dropped

    def reserve_slot(self, gateway: str, seconds: float, longest_wait: float) -> Slot | None:
        sender = self.senders[gateway]
        starts_at = max(sender.paused_until or self.moment, self.moment)
        if sender.next_free_at <= self.moment + timedelta(seconds=FAR_SECONDS):
            starts_at = max(starts_at, sender.next_free_at)
        if starts_at > self.moment + timedelta(seconds=longest_wait):
            return None
        unused = max(0.0, (starts_at - sender.next_free_at).total_seconds())
        sender.next_free_at = starts_at + timedelta(seconds=seconds)
        return Slot((starts_at - self.moment).total_seconds(), unused)

    def record(self, gateway: str, worker: str, outcomes: Sequence[OutcomeRow]) -> list[Changed]:
        changed = []
        for row in outcomes:
            self._try(row.attempt_id, row.id, gateway, worker, row.outcome, row.provider_id, row.parts)
            if row.outcome == "accepted":
                self.answered.add(row.id)
            message = self.messages.get(row.id)
            if message is not None and _decides(message, row):
                changed.append(self._write(message, row))
        return changed

    def _write(self, message: Message, row: OutcomeRow) -> Changed:
        after = row.state
        if after == "queued":
            if self._is_stopped(message):
                after = "cancelled"
            elif message.expires_at <= self.moment:
                after = "expired"
        before, message.state = message.state, after
        message.provider_message_id = row.provider_id or message.provider_message_id
        message.error_code, message.failure_reason, message.lease_until = row.error, row.reason, None
        if row.state == "accepted":
            message.accepted_at = self.moment
        if row.state in ("queued", "unknown"):
            message.not_before = self.moment + timedelta(seconds=row.wait)
        return Changed(message.id, message.event_id, before, after)

    def _try(self, attempt_id: Any, *values: Any) -> None:
        if attempt_id not in self.attempts:
            self.attempts[attempt_id] = Attempt(self.moment, attempt_id, *values)

    def release(self, worker: str, ids: Sequence[int], seconds: float = 0.0, error: str | None = None) -> None:
        for number in ids:
            message = self.messages[number]
            if message.worker == worker and message.state == "claimed":
                message.state, message.lease_until = "queued", None
                message.tries = max(message.tries - 1, 0)
                message.not_before = max(message.not_before, self.moment + timedelta(seconds=seconds))
                message.error_code = error or message.error_code

    def cancel_claimed(self, message_id: int, attempt_id: UUID) -> None:
        message = self.messages[message_id]
        if message.attempt_id == attempt_id and message.state == "claimed":
            message.state, message.lease_until = "cancelled", None

    def pause_country(self, gateway: str, country: str, error_code: str, seconds: float) -> None:
        until = self.moment + timedelta(seconds=seconds)
        self.country_pauses[gateway, country] = SimpleNamespace(error_code=error_code, paused_until=until)

    def pause_sender(self, gateway: str, seconds: float, reason: str) -> None:
        sender = self.senders.get(gateway)
        if sender is not None:
            until = self.moment + timedelta(seconds=seconds)
            is_longer = sender.paused_until is None or sender.paused_until <= until
            is_refused = self._lasts(sender) and (sender.pause_reason or "").startswith(ACCOUNT_REFUSED)
            if not is_refused and (is_longer or reason.startswith(ACCOUNT_REFUSED)):
                sender.pause_reason = reason
            sender.paused_until = max(sender.paused_until or self.moment, until)

    def refusals(self, gateway: str) -> tuple[str | None, frozenset[str]]:
        sender = self.senders.get(gateway)
        if sender is None:
            return None, frozenset()
        paused = {at[1] for at, pause in self.country_pauses.items() if at[0] == gateway and self._lasts(pause)}
        return (sender.pause_reason if self._lasts(sender) else None), frozenset(paused)

    def _lasts(self, pause: SimpleNamespace) -> bool:
        return pause.paused_until is not None and pause.paused_until > self.moment

    def trust_line(self, gateway: str) -> None:
        sender = self.senders.get(gateway)
        if sender is not None and (sender.paused_until or self.moment) <= self.moment:
            sender.pause_reason = sender.paused_until = None

    def note_stops(self, ids: Sequence[int]) -> None:
        for number in ids:
            message = self.messages[number]
            key = (message.endpoint_index, _list(message.gateway))
            if key not in self.opt_outs or self.opt_outs[key].ended_at is not None:
                self.opt_outs[key] = SimpleNamespace(opted_out_at=self.moment, ended_at=None)

    def note_changes(self, changed: Sequence[Changed]) -> None:
        for row in changed:
            if row.event_id is not None and row.before != row.after:
                self._count(row.event_id, COUNTED[row.before], -1)
                self._count(row.event_id, COUNTED[row.after], 1)

    def _count(self, event_id: UUID, key: str, delta: int) -> None:
        self.counters[event_id, key] = self.counters.get((event_id, key), 0) + delta

    def try_lock(self) -> bool:
        return True

    def lapse(self, limit: int) -> list[Changed]:
        late = [m for m in self.messages.values() if m.lease_until is not None and m.lease_until < self.moment]
        sending = [m for m in late if m.state == "sending"][:limit]
        claimed = [m for m in late if m.state == "claimed"][:limit]
        return [*map(self._lapse_claimed, claimed), *map(self._lapse_sending, sending)]

    def _lapse_claimed(self, message: Message) -> Changed:
        message.deaths += 1
        message.state = "held" if message.deaths >= MOST_DEATHS else "queued"
        message.lease_until, message.error_code = None, "worker_died"
        return Changed(message.id, message.event_id, "claimed", message.state)

    def _lapse_sending(self, message: Message) -> Changed:
        self._try(message.attempt_id, message.id, message.gateway, message.worker, "unknown", None)
        message.state, message.lease_until, message.not_before = "unknown", None, self.moment
        message.error_code = "worker_died"
        return Changed(message.id, message.event_id, "sending", "unknown")

    def end(self, limit: int) -> list[Changed]:
        over = [
            event
            for event in self.events.values()
            if self.counters.get((event.id, "message:queued"), 0) > 0
            and (event.stopped_at is not None or event.expires_at <= self.moment)
        ]
        changed: list[Changed] = []
        for event in over:
            after = "expired" if event.stopped_at is None else "cancelled"
            for message in self.messages.values():
                if message.event_id == event.id and message.state == "queued" and len(changed) < limit:
                    message.state = after
                    changed.append(Changed(message.id, event.id, "queued", after))
        return changed

    def end_receipts(self, limit: int) -> None:
        for message in self.messages.values():
            is_late = message.event_id is None and message.expires_at <= self.moment
            is_last = message.state == "queued" and message.priority in LAST_PRIORITIES
            if is_late and (is_last or message.state == "held"):
                message.state = "expired"

    def unknowns(self, gateway: str, limit: int) -> list[Unknown]:
        due = [
            m
            for m in self.messages.values()
            if m.state == "unknown" and m.gateway == gateway and m.not_before <= self.moment
        ]
        due.sort(key=lambda message: message.not_before)
        found = [self._unknown(message) for message in due[:limit]]
        for message in due[:limit]:
            message.not_before = self.moment + timedelta(seconds=LOOK_SECONDS)
        return found

    def _unknown(self, m: Message) -> Unknown:
        stopped_at = self.events[m.event_id].stopped_at if m.event_id is not None else None
        unknowns = sum(1 for one in self.attempts.values() if one.message_id == m.id and one.outcome == "unknown")
        assert m.attempt_id is not None and m.sending_at is not None
        return Unknown(m.id, m.attempt_id, m.event_id, m.sending_at, m.not_found_at, m.expires_at, stopped_at, unknowns)

    def settle(self, row: Any, verdict: Verdict) -> list[Changed]:
        message = self.messages[row.id]
        if message.attempt_id != row.attempt_id or message.state != "unknown":
            return []
        after = verdict.state.value
        if after == "queued":
            is_stopped, is_late = self._is_stopped(message), message.expires_at <= self.moment
            if is_stopped or is_late:
                after = "unknown" if not verdict.is_absent else "cancelled" if is_stopped else "expired"
            else:
                message.possible_duplicate = True
        message.state, message.not_found_at = after, verdict.not_found_at
        message.error_code = verdict.error or message.error_code
        message.provider_message_id = verdict.provider_id or message.provider_message_id
        if after == "accepted":
            message.accepted_at = message.accepted_at or message.sending_at
        message.not_before = self.moment + timedelta(seconds=verdict.wait)
        return [Changed(message.id, message.event_id, "unknown", after)]

    def now(self) -> datetime:
        return self.moment

    def take_receipts(self, limit: int) -> list[Receipt]:
        waiting = sorted(self.waiting, key=lambda one: one.received_at)
        new = [one for one in waiting if one.result is None and (one.gateway != "smpp" or one.attempt_id is not None)]
        again = [one for one in waiting if one.result is not None and self.looked_at_in(one) <= 0.0]
        return [*new[:limit], *again[: max(1, limit // 5)]]

    def looked_at_in(self, receipt: Receipt) -> float:
        """Seconds until a receipt that waits is looked at again."""
        return int(receipt.result.split()[1]) - self.moment.timestamp() if receipt.result is not None else 0.0

    def existing(self, gateways: Sequence[str], numbers: Sequence[int]) -> set[int]:
        return {n for n in numbers if n in self.messages and self.messages[n].gateway in gateways}

    def find_numbers(self, gateway: str, provider_ids: Sequence[str]) -> dict[str, tuple[int, UUID | None]]:
        found: dict[str, tuple[int, UUID | None]] = {}
        for one in sorted(self.attempts.values(), key=lambda one: one.recorded_at):
            if one.provider_message_id in provider_ids and one.gateway == gateway:
                found[str(one.provider_message_id)] = (one.message_id, one.id)
        mine = [m for m in self.messages.values() if m.provider_message_id in provider_ids and m.gateway == gateway]
        mine.sort(key=lambda m: (m.accepted_at is not None, m.accepted_at, m.id))
        found.update({str(m.provider_message_id): (m.id, None) for m in mine})
        return found

    def apply_reports(self, reports: Sequence[Report]) -> list[Changed]:
        return [self._apply(self.messages[one.message_id], one) for one in reports if self._is_news(one)]

    def _is_news(self, report: Report) -> bool:
        message = self.messages.get(report.message_id)
        return message is not None and report.rank > (0 if message.error_code == NO_TRACE else RANKS[message.state])

    def _apply(self, message: Message, report: Report) -> Changed:
        before, message.state = message.state, report.state
        is_other = report.attempt_id is not None and report.attempt_id != message.attempt_id
        message.possible_duplicate = message.possible_duplicate or (before == "sending" and is_other)
        message.lease_until = None
        message.provider_message_id = message.provider_message_id or report.provider_message_id
        message.error_code, message.failure_reason = report.error, report.reason
        message.accepted_at = message.accepted_at or report.received_at
        if report.state in ("delivered", "read"):
            message.delivered_at = message.delivered_at or report.received_at
        return Changed(message.id, message.event_id, before, report.state)

    def finish_receipts(self, results: dict[UUID, str]) -> None:
        self.results.update(results)
        told = [one._replace(result=results.get(one.id, one.result)) for one in self.waiting]
        self.waiting = [one for one in told if one.result is None or one.result.startswith("wait")]


def _list(gateway: str) -> str:
    return EXERCISE if gateway == EXERCISE else "actual"


def _decides(message: Message, row: OutcomeRow) -> bool:
    """Whether an answer may still decide about its row (queries.delivery._RECORD)."""
    if message.attempt_id == row.attempt_id and message.state in ("sending", "unknown"):
        return True
    if row.state != "accepted":
        return False
    is_other = message.attempt_id != row.attempt_id
    return message.state in TAKEN_BACK or message.error_code == NO_TRACE or (message.state == "claimed" and is_other)
