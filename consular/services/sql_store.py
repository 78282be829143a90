"""The store that is PostgreSQL: every statement of services.ports.Transaction by its query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from consular.domain.delivery import Verdict
from consular.queries import delivery, receipts, sweeping
from consular.queries.delivery import AnySession, OutcomeRow
from consular.queries.receipts import Report
from consular.services import restoring
from consular.services.ports import Ports, Rows
from consular.services.preparing import address_of
from consular.services.recording import note_changes
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work


class SqlTransaction:
    """One open transaction."""

    def __init__(self, session: AnySession, book: TextBook | None) -> None:
        self._session = session
        self._book = book

    def open_line(self, gateway: str) -> tuple[float, str | None]:
        """queries.delivery.open_line"""
        return delivery.open_line(self._session, gateway)

    def claim(self, gateway: str, worker: str, limit: int, lease_seconds: float) -> Rows:
        """queries.delivery.claim; also reads the events' texts, while a connection is there. What belongs to an event
        that this process cannot read is left as it is, for others or until it can be read: it keeps nothing else back.
        A restored copy gives nothing to claim."""
        if not restoring.may_send(self._session):
            return []
        if self._book is None:
            return delivery.claim(self._session, gateway, worker, limit, lease_seconds)
        unreadable = self._book.unreadable()
        while True:
            with self._session.begin_nested() as attempt:
                rows = delivery.claim(self._session, gateway, worker, limit, lease_seconds, unreadable)
                found = self._not_opened(self._book, rows)
                if not found:
                    return rows
                attempt.rollback()
            unreadable |= found

    def _not_opened(self, book: TextBook, rows: Rows) -> set[UUID]:
        events = {row.event_id for row in rows if row.event_id is not None}
        return {event_id for event_id in events if not book.opens(event_id)}

    def mark_sending(self, pairs: Sequence[tuple[int, UUID]], lease_seconds: float) -> set[int]:
        """queries.delivery.mark_sending"""
        return delivery.mark_sending(self._session, pairs, lease_seconds)

    def drop(self, pairs: Sequence[tuple[int, UUID]]) -> Rows:
        """queries.delivery.drop"""
        return delivery.drop(self._session, pairs)

    def reserve_slot(self, gateway: str, seconds: float, longest_wait: float) -> delivery.Slot | None:
        """queries.delivery.reserve_slot"""
        return delivery.reserve_slot(self._session, gateway, seconds, longest_wait)

    def record(self, gateway: str, worker: str, outcomes: Sequence[OutcomeRow]) -> Rows:
        """queries.delivery.record"""
        return delivery.record(self._session, gateway, worker, outcomes)

    def release(self, worker: str, ids: Sequence[int], seconds: float = 0.0, error: str | None = None) -> None:
        """queries.delivery.release"""
        delivery.release(self._session, worker, ids, seconds, error)

    def cancel_claimed(self, message_id: int, attempt_id: UUID) -> None:
        """queries.delivery.cancel_claimed"""
        delivery.cancel_claimed(self._session, message_id, attempt_id)

    def pause_country(self, gateway: str, country: str, error_code: str, seconds: float) -> None:
        """queries.delivery.pause_country"""
        delivery.pause_country(self._session, gateway, country, error_code, seconds)

    def pause_sender(self, gateway: str, seconds: float, reason: str) -> None:
        """queries.delivery.pause_sender"""
        delivery.pause_sender(self._session, gateway, seconds, reason)

    def refusals(self, gateway: str) -> tuple[str | None, frozenset[str]]:
        """queries.delivery.refusals"""
        return delivery.refusals(self._session, gateway)

    def trust_line(self, gateway: str) -> None:
        """queries.delivery.trust_line"""
        delivery.trust_line(self._session, gateway)

    def note_stops(self, ids: Sequence[int]) -> None:
        """queries.delivery.note_stops"""
        delivery.note_stops(self._session, ids)

    def note_changes(self, changed: Rows) -> None:
        """services.recording.note_changes: last in a transaction"""
        note_changes(self._session, changed)

    def try_lock(self) -> bool:
        """queries.sweeping.try_lock"""
        return sweeping.try_lock(self._session)

    def lapse(self, limit: int) -> Rows:
        """queries.sweeping.lapse"""
        return sweeping.lapse(self._session, limit)

    def end(self, limit: int) -> Rows:
        """queries.sweeping.end"""
        return sweeping.end(self._session, limit)

    def end_receipts(self, limit: int) -> None:
        """queries.sweeping.end_receipts"""
        sweeping.end_receipts(self._session, limit)

    def unknowns(self, gateway: str, limit: int) -> Rows:
        """queries.sweeping.unknowns"""
        return sweeping.unknowns(self._session, gateway, limit)

    def settle(self, row: Any, verdict: Verdict) -> Rows:
        """queries.sweeping.settle"""
        return sweeping.settle(self._session, row, verdict)

    def now(self) -> datetime:
        """queries.sweeping.database_now"""
        return sweeping.database_now(self._session)

    def take_receipts(self, limit: int) -> Rows:
        """queries.receipts.take"""
        return receipts.take(self._session, limit)

    def existing(self, gateways: Sequence[str], numbers: Sequence[int]) -> set[int]:
        """queries.receipts.existing"""
        return receipts.existing(self._session, gateways, numbers)

    def find_numbers(self, gateway: str, provider_ids: Sequence[str]) -> dict[str, tuple[int, UUID | None]]:
        """queries.receipts.find_numbers"""
        return receipts.find_numbers(self._session, gateway, provider_ids)

    def apply_reports(self, reports: Sequence[Report]) -> Rows:
        """queries.receipts.apply"""
        return receipts.apply(self._session, reports)

    def finish_receipts(self, results: dict[UUID, str]) -> None:
        """queries.receipts.finish"""
        receipts.finish(self._session, results)


class SqlStore:
    """PostgreSQL. book: whose events are read together with the rows that need them."""

    def __init__(self, book: TextBook | None = None) -> None:
        self._book = book

    @contextmanager
    def begin(self) -> Iterator[SqlTransaction]:
        """One transaction of services.transactions.unit_of_work."""
        with unit_of_work() as session:
            yield SqlTransaction(session, self._book)


def actual_ports(book: TextBook) -> Ports:
    """What the product runs on."""
    return Ports(SqlStore(book), book, address_of)
