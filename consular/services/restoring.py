"""A database restored from a backup has forgotten what left after it: it sends nothing until a person lets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID, uuid4

import structlog

from consular.clock import utc_now
from consular.domain.delivery import RANK, MessageState
from consular.domain.ports import FailureReason, RemoteMessage, SmsGateway
from consular.domain.references import number_of, reference_of
from consular.errors import ConflictError
from consular.queries import receipts, restoring
from consular.queries.counters import AnySession
from consular.queries.receipts import Report
from consular.queries.restoring import Taken
from consular.services import audit
from consular.services.recording import note_changes
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

LIST_LAG = timedelta(seconds=60)
"""A gateway's list may be so much behind: a list that was read sooner after the restore is read again."""

_CLOCKS_APART = timedelta(hours=2)
_BATCH = 500
_HELD_AT_ONCE = 1000
_REFERENCE = "Ref "
_HALF = (1 << 64) - 1

ReadStatus = Callable[[str], MessageState | None]
ReadReason = Callable[[str], FailureReason | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of reading one gateway's list. again_at: when to read it again, because it may have been behind."""

    read: int
    found: int
    again_at: datetime | None


def may_send(session: AnySession) -> bool:
    """Whether texts may leave this database. Asked by every sender before it claims any.

    The first time of all, the database's home is written down. When it is elsewhere since (restored from a dump, or on
    another timeline) the gate closes, until release().
    """
    known = restoring.home()
    if known is None:
        restoring.move_in(session, restoring.here())
        return True
    if known.closed_at is not None:
        return False
    if known.place.is_same(restoring.here()):
        return True
    if restoring.close(session):
        log.error("restored_copy", cure="nothing is sent: see docs/runbooks/restored.md")
        audit.record(session, utc_now(), "database_restored", "database", "home", officer_id=None)
    return False


def notice() -> bool:
    """may_send() in a transaction of its own, for a process that sends nothing: so that the gate closes also then."""
    with unit_of_work() as session:
        return may_send(session)


def closed_since() -> datetime | None:
    """Since when nothing is sent, because this is a restored copy; None: texts may leave. Changes nothing."""
    known = restoring.home()
    return known.closed_at if known is not None else None


def is_elsewhere() -> bool:
    """Whether the database is not where it was, whether or not a sender noticed. Changes nothing."""
    known = restoring.home()
    return known is not None and not known.place.is_same(restoring.here())


def mark() -> bool:
    """This is a restored copy: send nothing. For copies of files that look like the original. False: it was known."""
    with unit_of_work() as session:
        if restoring.home() is None:
            restoring.move_in(session, restoring.here())
        is_news = restoring.close(session)
        if is_news:
            audit.record(session, utc_now(), "database_marked", "database", "home", officer_id=None)
    return is_news


def compare(gateway: SmsGateway, read_status: ReadStatus, read_reason: ReadReason) -> Compared:
    """Hold a gateway's list against this copy: what it took is accepted, and stands where the list says.

    Safe to repeat. Raises ConflictError when nothing is closed, GatewayError (NoListError: it has no list).
    """
    closed_at = _closed_at()
    with unit_of_work():
        oldest = restoring.oldest(gateway.name, closed_at)
    read = found = 0
    listed = iter(gateway.list_sent(oldest - _CLOCKS_APART) if oldest is not None else ())
    while batch := list(islice(listed, _BATCH)):
        with unit_of_work() as session:
            found += _take(session, gateway.name, batch, closed_at, read_status, read_reason)
        read += len(batch)
    with unit_of_work() as session:
        again_at = None if utc_now() >= closed_at + LIST_LAG else closed_at + LIST_LAG
        if again_at is None:
            restoring.note_list(session, gateway.name, read, found)
    return Compared(read, found, again_at)


def release(*, is_complete: bool = False) -> int:
    """Let texts leave again; how many are held now, because no list tells whether they left.

    is_complete: nothing was lost (a standby that had everything took over), so that nothing is held. Raises
    ConflictError when nothing is closed.
    """
    closed_at = _closed_at()
    held = 0
    while not is_complete:
        with unit_of_work() as session:
            known = [row.gateway for row in restoring.compared()]
            changed = restoring.hold(session, closed_at, known, _HELD_AT_ONCE)
            note_changes(session, changed)
        held += sum(row.after == MessageState.HELD for row in changed)
        if not changed:
            break
    with unit_of_work() as session:
        restoring.move_in(session, restoring.here())
        detail = {"held": held, "is_complete": is_complete}
        audit.record(session, utc_now(), "database_released", "database", "home", officer_id=None, detail=detail)
    return held


def _closed_at() -> datetime:
    notice()
    with unit_of_work():
        known = restoring.home()
    if known is None or known.closed_at is None:
        raise ConflictError(
            "This database is where it was: nothing is closed. If it is a copy all the same, say so with "
            "`consular restored mark`."
        )
    return known.closed_at


def _take(
    session: AnySession,
    gateway: str,
    batch: Sequence[RemoteMessage],
    before: datetime,
    read_status: ReadStatus,
    read_reason: ReadReason,
) -> int:
    """How many texts of a part of the list this copy did not know to have left."""
    ours = {number: message for message in batch if (number := number_in(message)) is not None}
    listed = [Taken(number, one.provider_message_id, one.created_at, _attempt(number)) for number, one in ours.items()]
    taken = restoring.take(session, gateway, listed, before)
    known = receipts.existing(session, [gateway], list(ours))
    reports = [_report(number, ours[number], read_status, read_reason) for number in sorted(known)]
    moved = receipts.apply(session, [report for report in reports if report is not None])
    note_changes(session, [*taken, *moved])
    return len(taken)


def number_in(message: RemoteMessage) -> int | None:
    """The number of the message whose reference a text carries."""
    _, found, tail = message.body.rpartition(_REFERENCE)
    reference = tail.split()[0] if found and tail.split() else ""
    number = number_of(reference) if not message.is_inbound else None
    return number if number and reference_of(number) == reference else None


def _attempt(number: int) -> UUID:
    return UUID(int=number << 64 | uuid4().int & _HALF)


def _report(number: int, message: RemoteMessage, read_status: ReadStatus, read_reason: ReadReason) -> Report | None:
    state = read_status(message.status)
    if state is None:
        return None
    is_failure = state in (MessageState.FAILED, MessageState.UNDELIVERED)
    reason = (read_reason(message.error_code) if message.error_code else None) or FailureReason.PROVIDER_ERROR
    return Report(
        message_id=number,
        state=state.value,
        rank=RANK[state],
        provider_message_id=message.provider_message_id,
        error=message.error_code,
        reason=reason.value if is_failure else None,
        received_at=utc_now(),
        attempt_id=None,
    )
