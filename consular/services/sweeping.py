"""What the clock does every few seconds: leases, expiry, unknown texts, and waking workers for whatever waits in the
database."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from consular.domain.delivery import MessageState, after_not_found
from consular.domain.gateways import GATEWAYS
from consular.domain.ports import GatewayError, RemoteMessage, SmsGateway
from consular.domain.references import reference_of
from consular.queries import sweeping
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
    became of them.

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
    listed = gateway.find(address_of(row), row.sending_at - _LOOK_BACK)
    found = next((message for message in listed if reference in message.body), None)
    with unit_of_work() as session:
        changed = _found(session, row, found) if found else _not_found(session, book, row)
        note_changes(session, changed)
        return str(changed[0].after) if changed else "settled"


def _found(session: sweeping.AnySession, row: Row[Any], found: RemoteMessage) -> Any:
    return sweeping.settle(session, row, MessageState.ACCEPTED, provider_id=found.provider_message_id)


def _not_found(session: sweeping.AnySession, book: TextBook, row: Row[Any]) -> Any:
    if row.event_id is None:
        return sweeping.settle(session, row, MessageState.FAILED)
    now = sweeping.database_now(session)
    frozen = book.event(row.event_id)
    validity = timedelta(seconds=frozen.validity_seconds)
    state = after_not_found(frozen.message_class, now, row.sending_at, row.not_found_at, validity, row.unknowns)
    if state is None:
        seen_at = row.not_found_at or now
        return sweeping.settle(session, row, MessageState.UNKNOWN, wait=_LOOK_AGAIN_SECONDS, not_found_at=seen_at)
    return sweeping.settle(session, row, state)
