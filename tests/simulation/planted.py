"""Deliberate bugs, each a small piece put in the product's place: the simulation must catch every one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from consular.domain.delivery import MessageState, Verdict
from consular.domain.ports import SmsRequest
from consular.queries.delivery import OutcomeRow, Slot
from consular.queries.receipts import Report
from consular.services.delivery import Drain
from consular.services.ports import Point, Steps
from consular.services.sweeping import Reconciliation, Settle
from tests.simulation.memory import MemoryStore
from tests.simulation.operator import Client
from tests.simulation.rows import Changed, Claimed, Message
from tests.simulation.world import Kinds


class RequeuesSending(MemoryStore):
    def _lapse_sending(self, message: Message) -> Changed:
        super()._lapse_sending(message)
        message.state = "queued"
        return Changed(message.id, message.event_id, "sending", "queued")


class ForgetsTheDead(MemoryStore):
    def lapse(self, limit: int) -> list[Changed]:
        return []


class DeclaresNoDuplicate(MemoryStore):
    def settle(self, row: Any, verdict: Verdict) -> list[Changed]:
        was = self.messages[row.id].possible_duplicate
        changed = super().settle(row, verdict)
        self.messages[row.id].possible_duplicate = was
        return changed


class SettlesWhatIsSettled(MemoryStore):
    """No condition on attempt and state: a receipt that was faster is overwritten."""

    def settle(self, row: Any, verdict: Verdict) -> list[Changed]:
        message = self.messages[row.id]
        before, message.state, message.attempt_id = message.state, "unknown", row.attempt_id
        (changed,) = super().settle(row, verdict)
        return [changed._replace(before=before)]


class ClaimsWhatOthersHave(MemoryStore):
    def claim(self, gateway: str, worker: str, limit: int, lease_seconds: float) -> list[Claimed]:
        for message in self.messages.values():
            if message.state == "sending":
                self.note_changes([Changed(message.id, message.event_id, message.state, "queued")])
                message.state = "queued"
        return super().claim(gateway, worker, limit, lease_seconds)


class MarksAnything(MemoryStore):
    """No condition on lease and attempt: a worker that lost its claim sends as well."""

    def _mine(self, pairs: Sequence[tuple[int, UUID]]) -> list[Message]:
        return [self.messages[number] for number, _ in pairs]


class MarksAfterTheStop(MemoryStore):
    def stop(self, event_id: UUID) -> None:
        self.events[event_id].stopped_at = None
        self.moment = self.clock()

    def _is_stopped(self, message: Message) -> bool:
        return False


class MarksWhoOptedOut(MemoryStore):
    def _is_opted_out(self, message: Message) -> bool:
        return False


class KeepsNoPace(MemoryStore):
    def reserve_slot(self, gateway: str, seconds: float, longest_wait: float) -> Slot | None:
        super().reserve_slot(gateway, seconds, longest_wait)
        return Slot(0.0, 0.0)


class RecordsUnasked(MemoryStore):
    """No condition on state and attempt: an old answer overwrites what is known since."""

    def record(self, gateway: str, worker: str, outcomes: Sequence[OutcomeRow]) -> list[Changed]:
        changed = []
        for row in outcomes:
            self._try(row.attempt_id, row.id, gateway, worker, row.outcome, row.provider_id)
            changed.append(self._write(self.messages[row.id], row))
        return changed


class TakesReceiptsAsTheyCome(MemoryStore):
    """No rank: the last receipt wins."""

    def _is_news(self, report: Report) -> bool:
        return report.message_id in self.messages


class LosesReceipts(MemoryStore):
    def take_receipts(self, limit: int) -> list[Any]:
        taken = super().take_receipts(limit)
        self.waiting = self.waiting[len(taken) :]
        return taken[:-1]


class CountsNothing(MemoryStore):
    def note_changes(self, changed: Sequence[Changed]) -> None:
        super().note_changes(changed[:1])


class CommitsNoAttempt(MemoryStore):
    """An attempt of a dead worker is not written down, so nobody knows how often a text was in doubt."""

    def _try(self, attempt_id: Any, *values: Any) -> None:
        if values[3] != "unknown":
            super()._try(attempt_id, *values)


class WritesWithoutLease(Client):
    def has_lease(self, request: SmsRequest) -> bool:
        return True


class BelievesOneLook(Reconciliation):
    def _not_found(self, row: Any, now: datetime) -> Verdict:
        return Verdict(MessageState.QUEUED)


class BelievesAnyText(Reconciliation):
    """What was sent to the same phone is taken for this text."""

    def _look(self, row: Any) -> Settle:
        settle = super()._look(row)
        if settle != self._not_found:
            return settle
        listed = self._gateway.find(self._ports.address_of(row), row.sending_at - timedelta(hours=2))
        return (
            (lambda *_: Verdict(MessageState.ACCEPTED, provider_id=listed[0].provider_message_id)) if listed else settle
        )


class TrustsTheClocks(Reconciliation):
    """Only what the gateway dates after the hand-over is looked at."""

    def _look(self, row: Any) -> Settle:
        return super()._look(row._replace(sending_at=row.sending_at + timedelta(hours=2)))


class DecidesOnNothing(Reconciliation):
    def _silent(self, row: Any, now: datetime) -> Verdict:
        return Verdict(MessageState.UNKNOWN, 30.0, is_absent=False)


class SubmitsHoweverLate(Drain):
    def _submit_due(self) -> Steps:
        while self._due and self._leaves_at(self._due[0].place) <= self._clock.monotonic() + 0.005:
            request = self._due.popleft().request
            yield Point("submit")
            self._recorder.handed_over(request)
            self._gateway.submit(request)


class SubmitsBeforeTheMark(Drain):
    def _hand_over(self) -> Steps:
        for item in self._batch:
            self._gateway.submit(item.request(self._clock.monotonic() + 60.0))
            yield Point("submit")
        yield from super()._hand_over()


PLANTED: dict[str, Kinds] = {
    **{
        kind.__name__: Kinds(store=kind)
        for kind in (
            RequeuesSending,
            ForgetsTheDead,
            DeclaresNoDuplicate,
            SettlesWhatIsSettled,
            ClaimsWhatOthersHave,
            MarksAnything,
            MarksAfterTheStop,
            MarksWhoOptedOut,
            KeepsNoPace,
            RecordsUnasked,
            TakesReceiptsAsTheyCome,
            LosesReceipts,
            CountsNothing,
            CommitsNoAttempt,
        )
    },
    **{
        kind.__name__: Kinds(reconciliation=kind)
        for kind in (BelievesOneLook, BelievesAnyText, TrustsTheClocks, DecidesOnNothing)
    },
    **{kind.__name__: Kinds(drain=kind) for kind in (SubmitsHoweverLate, SubmitsBeforeTheMark)},
    "WritesWithoutLease": Kinds(client=WritesWithoutLease),
}
"""By name."""
