"""Hearing from gateways what became of a text: stored raw first, applied forward only, in any order, any number of
times."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from consular.domain.delivery import RANK, MessageState, message_number
from consular.domain.gateways import GATEWAYS, gateways_for, status_of
from consular.domain.ports import FailureReason
from consular.extensions import cipher
from consular.queries import receipts
from consular.queries.receipts import Report
from consular.queueing import wakeups
from consular.services.ports import Rows, Store, Transaction
from consular.services.sql_store import SqlStore
from consular.services.transactions import unit_of_work

BATCH = 500

ReadStatus = Callable[[str], MessageState | None]
ReadReason = Callable[[str], FailureReason | None]


def store(
    gateway: str,
    provider_message_id: str,
    attempt_id: UUID | None,
    status: str,
    error_code: str | None,
    raw: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    """Keep one receipt; the same one again changes nothing. Commits. A database error is raised: the gateway must try
    again."""
    row = new_row(gateway, provider_message_id, attempt_id, status, error_code, raw, now)
    with unit_of_work() as session:
        receipts.store(session, [row])
    wakeups.kick("receipts", at_most_every=0.25)


def new_row(
    gateway: str,
    provider_message_id: str,
    attempt_id: UUID | None,
    status: str,
    error_code: str | None,
    raw: Sequence[tuple[str, str]],
    now: datetime,
) -> dict[str, Any]:
    """One receipt as queries.receipts.store takes it."""
    receipt_id = uuid4()
    return {
        "id": receipt_id,
        "gateway": gateway,
        "provider_message_id": provider_message_id,
        "attempt_id": attempt_id,
        "status": status,
        "error_code": error_code or "",
        "raw_sealed": cipher.seal(json.dumps(list(raw)), "receipt_events.raw", receipt_id),
        "received_at": now,
    }


def process(read_status: ReadStatus, read_reason: ReadReason, store: Store | None = None) -> int:
    """Apply the oldest waiting receipts, at most BATCH new ones; how many were looked at. read_status: a gateway's verb
    to our state. What fits no text yet and names no attempt waits (queries.receipts.WAITS)."""
    with (store or SqlStore()).begin() as rows:
        taken = rows.take_receipts(BATCH)
        if not taken:
            return 0
        matches = _matches(rows, taken)
        best: dict[int, Report] = {}
        for row in taken:
            report = _report(row, matches.get(row.id), read_status, read_reason)
            if report is not None and report.rank > best.get(report.message_id, _NO_REPORT).rank:
                best[report.message_id] = report
        changed = rows.apply_reports(sorted(best.values(), key=lambda report: report.message_id)) if best else []
        moved = {row.id for row in changed}
        now = rows.now()
        rows.finish_receipts({row.id: _result(row, matches.get(row.id), moved, read_status, now) for row in taken})
        rows.note_changes(changed)
        return len(taken)


_NO_REPORT = Report(0, "", -1, "", None, None, datetime.min, None)  # noqa: DTZ901


@dataclass(frozen=True, slots=True)
class _Match:
    """The message a receipt is about, and the attempt when it is known."""

    number: int
    attempt_id: UUID | None


def _matches(rows: Transaction, taken: Rows) -> dict[UUID, _Match]:
    """What each receipt is about: the attempt in its address is proof, else the gateway's own id tells."""
    found: dict[UUID, _Match] = {}
    for gateway in {row.gateway for row in taken} & set(GATEWAYS):
        mine = [row for row in taken if row.gateway == gateway]
        found.update(_by_attempt(rows, gateway, [row for row in mine if row.attempt_id is not None]))
        found.update(_by_provider_id(rows, gateway, [row for row in mine if row.attempt_id is None]))
    return found


def _by_attempt(rows: Transaction, gateway: str, mine: Rows) -> dict[UUID, _Match]:
    """A text may have gone by another gateway since; but practice never tells about what is real, nor the reverse."""
    if not mine:
        return {}
    claimed = {row.id: _Match(message_number(row.attempt_id), row.attempt_id) for row in mine}
    numbers = [match.number for match in claimed.values() if match.number < 1 << 63]
    real = rows.existing(gateways_for(status_of(gateway)), numbers)
    return {receipt_id: match for receipt_id, match in claimed.items() if match.number in real}


def _by_provider_id(rows: Transaction, gateway: str, mine: Rows) -> dict[UUID, _Match]:
    if not mine:
        return {}
    known = rows.find_numbers(gateway, [row.provider_message_id for row in mine])
    return {row.id: _Match(*known[row.provider_message_id]) for row in mine if row.provider_message_id in known}


def _report(row: Any, match: _Match | None, read_status: ReadStatus, read_reason: ReadReason) -> Report | None:
    state = read_status(row.status)
    if match is None or state is None:
        return None
    is_failure = state in (MessageState.FAILED, MessageState.UNDELIVERED)
    reason = (read_reason(row.error_code) if row.error_code else None) or FailureReason.PROVIDER_ERROR
    return Report(
        message_id=match.number,
        state=state.value,
        rank=RANK[state],
        provider_message_id=row.provider_message_id,
        error=row.error_code or None,
        reason=reason.value if is_failure else None,
        received_at=row.received_at,
        attempt_id=match.attempt_id,
    )


def _result(row: Any, match: _Match | None, moved: set[int], read_status: ReadStatus, now: datetime) -> str:
    is_readable = read_status(row.status) is not None
    if match is None:
        may_fit_later = is_readable and row.attempt_id is None
        return (receipts.next_wait(row.result, now) if may_fit_later else None) or "unmatched"
    if not is_readable:
        return "unknown_status"
    return "applied" if match.number in moved else "stale"
