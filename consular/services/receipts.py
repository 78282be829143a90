"""Hearing from gateways what became of a text: stored raw first, applied forward only, in any order, any number of
times."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row

from consular.domain.delivery import RANK, MessageState, message_number
from consular.domain.ports import FailureReason
from consular.extensions import cipher
from consular.queries import receipts
from consular.queries.receipts import Report
from consular.queueing import wakeups
from consular.services.recording import note_changes
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
    receipt_id = uuid4()
    row = {
        "id": receipt_id,
        "gateway": gateway,
        "provider_message_id": provider_message_id,
        "attempt_id": attempt_id,
        "status": status,
        "error_code": error_code or "",
        "raw_sealed": cipher.seal(json.dumps(list(raw)), "receipt_events.raw", receipt_id),
        "received_at": now,
    }
    with unit_of_work() as session:
        receipts.store(session, [row])
    wakeups.kick("receipts", at_most_every=0.25)


def process(read_status: ReadStatus, read_reason: ReadReason) -> int:
    """Apply the oldest waiting receipts, at most BATCH; how many were looked at. read_status: a gateway's verb to our
    state."""
    with unit_of_work() as session:
        rows = receipts.take(session, BATCH)
        if not rows:
            return 0
        numbers = _numbers(session, rows)
        best: dict[int, Report] = {}
        for row in rows:
            report = _report(row, numbers.get(row.id), read_status, read_reason)
            if report is not None and report.rank > best.get(report.message_id, _NO_REPORT).rank:
                best[report.message_id] = report
        changed = receipts.apply(session, sorted(best.values(), key=lambda report: report.message_id)) if best else []
        moved = {row.id for row in changed}
        receipts.finish(session, {row.id: _result(row, numbers.get(row.id), moved, read_status) for row in rows})
        note_changes(session, changed)
        return len(rows)


_NO_REPORT = Report(0, "", -1, "", None, None, datetime.min, None)  # noqa: DTZ901


def _numbers(session: receipts.AnySession, rows: Sequence[Row[Any]]) -> dict[UUID, int]:
    """Message number by receipt: from the attempt in the callback's address, else from the gateway's own id."""
    found: dict[UUID, int] = {}
    for gateway in {row.gateway for row in rows}:
        mine = [row for row in rows if row.gateway == gateway]
        claimed = {row.id: message_number(row.attempt_id) for row in mine if row.attempt_id is not None}
        real = receipts.existing(session, gateway, [number for number in claimed.values() if number < 1 << 63])
        found.update({receipt_id: number for receipt_id, number in claimed.items() if number in real})
        others = [row for row in mine if row.attempt_id is None]
        by_id = receipts.find_numbers(session, gateway, [row.provider_message_id for row in others]) if others else {}
        found.update({row.id: by_id[row.provider_message_id] for row in others if row.provider_message_id in by_id})
    return found


def _report(row: Row[Any], number: int | None, read_status: ReadStatus, read_reason: ReadReason) -> Report | None:
    state = read_status(row.status)
    if number is None or state is None:
        return None
    is_failure = state in (MessageState.FAILED, MessageState.UNDELIVERED)
    reason = (read_reason(row.error_code) if row.error_code else None) or FailureReason.PROVIDER_ERROR
    return Report(
        message_id=number,
        state=state.value,
        rank=RANK[state],
        provider_message_id=row.provider_message_id,
        error=row.error_code or None,
        reason=reason.value if is_failure else None,
        received_at=row.received_at,
        attempt_id=row.attempt_id,
    )


def _result(row: Row[Any], number: int | None, moved: set[int], read_status: ReadStatus) -> str:
    if number is None:
        return "unmatched"
    if read_status(row.status) is None:
        return "unknown_status"
    return "applied" if number in moved else "stale"
