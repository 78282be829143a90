"""What the clock does every few seconds: leases, expiry, unknown texts, and waking workers for whatever waits in the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from consular.domain.delivery import MessageState, after_not_found
from consular.domain.ports import GatewayError, RemoteMessage, SmsGateway
from consular.extensions import cipher
from consular.queries import sweeping
from consular.queueing import Wakeups
from consular.services.delivery import note_changes
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

_BATCH = 1000
_LOOK_BACK = timedelta(seconds=5)
_LOOK_AGAIN_SECONDS = 30.0
_LOOKS = 50


def sweep() -> dict[str, int]:
    """Give up dead workers' leases and expire what is too late; how many rows of each. One sweeper at a time does it."""
    with unit_of_work() as session:
        if not sweeping.try_lock(session):
            return {}
        lapsed = sweeping.lapse(session, _BATCH)
        expired = sweeping.expire(session, _BATCH)
        note_changes(session, [*lapsed, *expired])
    counts = {"lapsed": len(lapsed), "expired": len(expired)}
    if lapsed:
        log.warning("leases_lapsed", **counts)
    return counts


def wake(wakeups: Wakeups) -> dict[str, bool]:
    """Ask for work on everything that waits in the database, so that lost wake-ups cost seconds; what waits."""
    with unit_of_work():
        waiting = sweeping.pending()
    for queue in ("delivery", "exercise"):
        if waiting[queue] or waiting[f"{queue}_unknown"]:
            wakeups.kick(queue, width=2)
    for queue in ("inbound", "receipts", "social"):
        if waiting[queue]:
            wakeups.kick(queue)
    return waiting


def reconcile(gateway: SmsGateway, book: TextBook) -> dict[str, int]:
    """Look for `unknown` texts in the gateway's own list and settle each by proof or by its class's policy; what became of them."""
    with unit_of_work():
        rows = sweeping.unknowns(gateway.name, _LOOKS)
    settled: dict[str, int] = {}
    for row in rows:
        try:
            state = _settle(gateway, book, row)
        except GatewayError:
            log.warning("list_unavailable", gateway=gateway.name)
            break
        settled[state] = settled.get(state, 0) + 1
    return settled


def _settle(gateway: SmsGateway, book: TextBook, row: Row[Any]) -> str:
    with unit_of_work():
        body = _body(gateway, book, row)
        to = _address(row)
    listed = gateway.find(to, row.sending_at - _LOOK_BACK)
    found = next((message for message in listed if message.body == body), None)
    with unit_of_work() as session:
        changed = _found(session, row, found) if found else _not_found(session, book, row)
        note_changes(session, changed)
        return str(changed[0].after) if changed else "settled"


def _body(gateway: SmsGateway, book: TextBook, row: Row[Any]) -> str | None:
    if row.event_id is not None:
        return book.alert(row.event_id, row.language, row.id)
    return book.acknowledgement(row.template, row.language, row.id, is_exercise=gateway.name == "exercise")


def _address(row: Row[Any]) -> str:
    if row.value_sealed is not None:
        return cipher.open(row.value_sealed, "contact_points.value", row.contact_point_id)
    return cipher.open(row.sender_sealed, "inbound_messages.sender", row.inbound_id)


def _found(session: sweeping.AnySession, row: Row[Any], found: RemoteMessage) -> Any:
    return sweeping.settle(session, row, MessageState.ACCEPTED, provider_id=found.provider_message_id)


def _not_found(session: sweeping.AnySession, book: TextBook, row: Row[Any]) -> Any:
    now = sweeping.database_now(session)
    if row.event_id is None:
        return sweeping.settle(session, row, MessageState.FAILED)
    frozen = book.event(row.event_id)
    validity = timedelta(seconds=frozen.validity_seconds)
    state = after_not_found(frozen.message_class, now, row.sending_at, row.not_found_at, validity)
    if state is None:
        waiting = {"wait": _LOOK_AGAIN_SECONDS, "not_found_at": row.not_found_at or now}
        return sweeping.settle(session, row, MessageState.UNKNOWN, **waiting)
    if state is MessageState.QUEUED and row.expires_at <= now:
        state = MessageState.EXPIRED
    return sweeping.settle(session, row, state, is_duplicate=state is MessageState.QUEUED)
