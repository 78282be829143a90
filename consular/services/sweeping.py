"""What the clock does every few seconds: leases, expiry, unknown texts, and waking workers for whatever waits in the
database."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from consular.domain.alerts import MessageClass
from consular.domain.delivery import (
    ACKNOWLEDGEMENT_VALIDITY,
    MessageState,
    after_not_found,
    after_silence,
    silence_ends_at,
)
from consular.domain.gateways import GATEWAYS
from consular.domain.ports import GatewayError, NoListError, RemoteMessage, SmsGateway
from consular.domain.references import reference_of
from consular.queries import sweeping
from consular.queries.sweeping import Verdict
from consular.queueing import QUEUES, Wakeups
from consular.services.preparing import address_of
from consular.services.recording import note_changes
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

_BATCH = 1000
_MOST_BATCHES = 10
_LOOK_BACK = timedelta(seconds=5)
_LOOK_AGAIN_SECONDS = 30.0
_LOOKS = 50
_NO_TRACE = "no_trace"


def sweep() -> dict[str, int]:
    """Give up dead workers' leases and end what is too late or stopped; how many rows of each. One sweeper at a time
    does it."""
    counts = {"lapsed": 0, "ended": 0}
    for _ in range(_MOST_BATCHES):
        with unit_of_work() as session:
            if not sweeping.try_lock(session):
                return {}
            lapsed, ended = sweeping.lapse(session, _BATCH), sweeping.end(session, _BATCH)
            sweeping.end_receipts(session, _BATCH)
            note_changes(session, [*lapsed, *ended])
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
            wakeups.kick(gateway, width=2)
    for queue in ("inbound", "receipts", "social"):
        if waiting[queue]:
            wakeups.kick(queue)
    return waiting


def reconcile(gateway: SmsGateway, book: TextBook, seconds: float = 10.0) -> dict[str, int]:
    """Look for `unknown` texts in the gateway's own list and settle each by proof or by its class's policy; what
    became of them. Where there is no list, silence takes the place of a look.

    Begins no look after `seconds`, and none after one that failed: what is left comes next time.
    """
    ends_at = time.monotonic() + seconds
    with unit_of_work():
        rows = sweeping.unknowns(gateway.name, _LOOKS)
    settled: dict[str, int] = {}
    for row in rows:
        if time.monotonic() >= ends_at:
            break
        try:
            state = _settle(gateway, book, row)
        except GatewayError:
            log.warning("list_unavailable", gateway=gateway.name)
            break
        settled[state] = settled.get(state, 0) + 1
    return settled


def _settle(gateway: SmsGateway, book: TextBook, row: Row[Any]) -> str:
    reference = f"Ref {reference_of(row.id)}"
    try:
        listed = gateway.find(address_of(row), row.sending_at - _LOOK_BACK)
    except NoListError:
        return _apply(lambda session: _silent(session, book, row))
    found = next((message for message in listed if reference in message.body), None)
    if found is not None:
        return _apply(lambda session: _found(session, row, found))
    return _apply(lambda session: _not_found(session, book, row))


def _apply(settle: Callable[[sweeping.AnySession], Sequence[Row[Any]]]) -> str:
    with unit_of_work() as session:
        changed = settle(session)
        note_changes(session, changed)
        return str(changed[0].after) if changed else "settled"


def _found(session: sweeping.AnySession, row: Row[Any], found: RemoteMessage) -> Sequence[Row[Any]]:
    return sweeping.settle(session, row, Verdict(MessageState.ACCEPTED, provider_id=found.provider_message_id))


def _not_found(session: sweeping.AnySession, book: TextBook, row: Row[Any]) -> Sequence[Row[Any]]:
    now = sweeping.database_now(session)
    message_class, validity = _rule(book, row)
    state = after_not_found(message_class, now, row.sending_at, row.not_found_at, validity, row.unknowns)
    if state is None:
        seen_at = row.not_found_at or now
        return sweeping.settle(session, row, Verdict(MessageState.UNKNOWN, _LOOK_AGAIN_SECONDS, seen_at))
    return sweeping.settle(session, row, Verdict(state))


def _silent(session: sweeping.AnySession, book: TextBook, row: Row[Any]) -> Sequence[Row[Any]]:
    """No list and no receipt so far: wait, and when that has lasted long enough, let the class decide."""
    now = sweeping.database_now(session)
    message_class, validity = _rule(book, row)
    is_over = row.stopped_at is not None or row.expires_at <= now
    wait = (silence_ends_at(message_class, row.sending_at, validity, is_over=is_over) - now).total_seconds()
    if wait > 0:
        return sweeping.settle(session, row, Verdict(MessageState.UNKNOWN, wait, is_absent=False))
    state = after_silence(message_class, is_over=is_over, unknowns=row.unknowns)
    return sweeping.settle(session, row, Verdict(state, error=_NO_TRACE, is_absent=False))


def _rule(book: TextBook, row: Row[Any]) -> tuple[MessageClass | None, timedelta]:
    """What decides about a row without proof: its alert's class (None: the receipt of a reply) and its validity."""
    if row.event_id is None:
        return None, ACKNOWLEDGEMENT_VALIDITY
    frozen = book.event(row.event_id)
    return frozen.message_class, timedelta(seconds=frozen.validity_seconds)
