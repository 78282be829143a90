"""What the clock does every few seconds: leases, expiry, unknown texts, and waking workers for whatever waits in the
database."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from consular.domain.alerts import MessageClass
from consular.domain.delivery import (
    ACKNOWLEDGEMENT_VALIDITY,
    NO_TRACE,
    VALIDITY_MARGIN,
    MessageState,
    Verdict,
    after_not_found,
    after_silence,
    silence_ends_at,
)
from consular.domain.gateways import GATEWAYS
from consular.domain.ports import GatewayError, NoListError, SmsGateway
from consular.domain.references import reference_of
from consular.queries import sweeping
from consular.queueing import EVERY_WORKER, QUEUES, Wakeups
from consular.security.fields import KeyUnavailableError
from consular.services.ports import Point, Ports, Rows, Steps, Store
from consular.services.sql_store import SqlStore, actual_ports
from consular.services.texts import EventUnreadableError, TextBook
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

_BATCH = 1000
_MOST_BATCHES = 10
_LOOK_BACK = timedelta(hours=2)
"""A text is told by its reference; its age only bounds the list, and may be by a clock an hour off."""
_LOOK_AGAIN_SECONDS = 30.0
_LONGEST_LOOK_AGAIN_SECONDS = 900.0
_LOOKS = 50

Settle = Callable[[Any, datetime], Verdict]
"""From an unknown row and the database's time to what becomes of it."""


def sweep(store: Store | None = None) -> dict[str, int]:
    """Give up dead workers' leases and end what is too late or stopped; how many rows of each. One sweeper at a time
    does it."""
    counts = {"lapsed": 0, "ended": 0}
    for _ in range(_MOST_BATCHES):
        with (store or SqlStore()).begin() as rows:
            if not rows.try_lock():
                return {}
            lapsed, ended = rows.lapse(_BATCH), rows.end(_BATCH)
            rows.end_receipts(_BATCH)
            rows.note_changes([*lapsed, *ended])
        counts["lapsed"] += len(lapsed)
        counts["ended"] += len(ended)
        if max(len(lapsed), len(ended)) < _BATCH:
            break
    if counts["lapsed"]:
        log.warning("leases_lapsed", **counts)
    return counts


def wake(wakeups: Wakeups) -> dict[str, bool]:
    """Ask for work on everything that waits in the database, so that lost wake-ups cost seconds; what waits."""
    with unit_of_work():
        waiting = sweeping.pending()
    for gateway in GATEWAYS:
        if gateway in QUEUES and (waiting[gateway] or waiting[f"{gateway}_unknown"]):
            wakeups.kick(gateway, EVERY_WORKER)
    for queue in ("inbound", "receipts", "social"):
        if waiting[queue]:
            wakeups.kick(queue)
    return waiting


def reconcile(gateway: SmsGateway, book: TextBook, seconds: float = sweeping.LOOK_SECONDS) -> dict[str, int]:
    """Look for `unknown` texts in the gateway's own list and settle each by proof or by its class's policy; what
    became of them. Where there is no list, silence takes the place of a look.

    Begins no look after `seconds`, and none after one that failed: what is left comes next time, the failed one last.
    """
    work = Reconciliation(gateway, actual_ports(book))
    for _ in work.steps(seconds):
        pass
    return work.settled


def settle_gone(gateways: Container[str], book: TextBook, seconds: float = sweeping.LOOK_SECONDS) -> dict[str, int]:
    """Settle the `unknown` texts of gateways that are not among those of this installation any more, as where there is
    no list: nobody can be asked, and receipts may still come. What became of them. Any number of processes may."""
    settled: Counter[str] = Counter()
    with unit_of_work():
        waiting = sweeping.pending()
    for name in GATEWAYS:
        if waiting[f"{name}_unknown"] and name not in gateways:
            work = Reconciliation(Gone(name), actual_ports(book))
            for _ in work.steps(seconds):
                pass
            settled.update(work.settled)
    if settled:
        log.warning("texts_of_gone_gateways_settled", **settled)
    return dict(settled)


@dataclass(frozen=True, slots=True)
class Gone:
    """A gateway that is not configured any more."""

    name: str


class Reconciliation:
    """One round of looks. settled: how many texts went to which state."""

    def __init__(self, gateway: SmsGateway | Gone, ports: Ports) -> None:
        self._gateway = gateway
        self._ports = ports
        self._store = ports.store
        self.settled: dict[str, int] = {}

    def steps(self, seconds: float) -> Steps:
        """Do the round, stopping at every point where a worker can be interrupted."""
        ends_at = self._ports.clock.monotonic() + seconds
        yield Point("unknowns")
        with self._store.begin() as rows:
            unknowns, now = deque(rows.unknowns(self._gateway.name, _LOOKS)), rows.now()
        while unknowns and self._ports.clock.monotonic() < ends_at:
            row = unknowns.popleft()
            yield Point("look")
            try:
                settle = self._look(row)
                yield Point("looked")
                self._count(self._settle(row, settle))
            except (KeyUnavailableError, EventUnreadableError):
                log.error("message_unreadable", gateway=self._gateway.name, message=row.id)  # noqa: TRY400 - no trace
                self._settle(row, _put_off)
            except GatewayError:
                log.warning("list_unavailable", gateway=self._gateway.name)
                self._settle(row, _put_off)
                yield from self._give_up([one for one in (*unknowns, row) if self._is_too_late(one, now)])
                return

    def _give_up(self, rows: list[Any]) -> Steps:
        """Without an answer from the list nothing is decided, until a text can no longer arrive."""
        for row in rows:
            yield Point("looked")
            self._count(self._settle(row, self._silent))

    def _look(self, row: Any) -> Settle:
        """What the gateway's list says about a text decides how it is settled. Raises GatewayError."""
        if isinstance(self._gateway, Gone):
            return self._silent
        try:
            listed = self._gateway.find(self._ports.address_of(row), row.sending_at - _LOOK_BACK)
        except NoListError:
            return self._silent
        reference = f"Ref {reference_of(row.id)}"
        found = next((message for message in listed if reference in message.body), None)
        if found is None:
            return self._not_found
        return lambda *_: Verdict(MessageState.ACCEPTED, provider_id=found.provider_message_id)

    def _settle(self, row: Any, settle: Settle) -> Rows:
        with self._store.begin() as rows:
            changed = rows.settle(row, settle(row, rows.now()))
            rows.note_changes(changed)
        return changed

    def _count(self, changed: Rows) -> None:
        state = str(changed[0].after) if changed else "settled"
        self.settled[state] = self.settled.get(state, 0) + 1

    def _is_too_late(self, row: Any, now: datetime) -> bool:
        return bool(now > row.sending_at + self._rule(row)[1] + VALIDITY_MARGIN)

    def _not_found(self, row: Any, now: datetime) -> Verdict:
        message_class, validity = self._rule(row)
        state = after_not_found(message_class, now, row.sending_at, row.not_found_at, validity, row.unknowns)
        if state is None:
            return Verdict(MessageState.UNKNOWN, _look_again(row, now), row.not_found_at or now)
        return Verdict(state, error=NO_TRACE)

    def _silent(self, row: Any, now: datetime) -> Verdict:
        """No list and no receipt so far: wait, and when that has lasted long enough, let the class decide."""
        message_class, validity = self._rule(row)
        is_over = row.stopped_at is not None or row.expires_at <= now
        wait = (silence_ends_at(message_class, row.sending_at, validity, is_over=is_over) - now).total_seconds()
        if wait > 0:
            return Verdict(MessageState.UNKNOWN, wait, is_absent=False)
        state = after_silence(message_class, is_over=is_over, unknowns=row.unknowns)
        return Verdict(state, error=NO_TRACE, is_absent=False)

    def _rule(self, row: Any) -> tuple[MessageClass | None, timedelta]:
        """What decides about a row without proof: its alert's class (None: the receipt of a reply) and its validity."""
        if row.event_id is None:
            return None, ACKNOWLEDGEMENT_VALIDITY
        return self._ports.book.rule(row.event_id)


def _look_again(row: Any, now: datetime) -> float:
    """Seconds until the next look: what was not found for hours is not asked for every half minute."""
    unseen = (now - (row.not_found_at or now)).total_seconds()
    return min(max(_LOOK_AGAIN_SECONDS, unseen / 8), _LONGEST_LOOK_AGAIN_SECONDS)


def _put_off(row: Any, now: datetime) -> Verdict:
    """Nothing is known now; the row gives way to the others."""
    return Verdict(MessageState.UNKNOWN, _LOOK_AGAIN_SECONDS, row.not_found_at)
