"""Hearing what webhooks missed: while a crisis is open, the gateway's own list is read and missing texts are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import DataError

from consular.domain.ports import GatewayError, RemoteMessage, SmsGateway
from consular.models.inbound import InboundPath
from consular.queries import operations
from consular.services import inbound
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=60)
LOOK_BACK = timedelta(minutes=10)
"""How far before the last list that was read: a gateway's list may be behind."""

WEBHOOK_TIME = timedelta(seconds=45)
"""A text younger than this may still come by its webhook (15 s, tried twice): it is left to the next look."""

_SLACK = timedelta(seconds=2)


def watch(gateway: SmsGateway, now: datetime) -> int | None:
    """Read the list when it is due and store what is missing; how many texts that were. None: not due, no open crisis.

    Any number of processes may call it; one of them reads. A list that does not answer is noted, and asked again when
    it is due next, from where the last good one ended.
    """
    task = task_of(gateway.name)
    with unit_of_work() as session:
        opened_at = operations.oldest_open_crisis("Exercise" if gateway.name == "exercise" else "Actual")
        run = operations.begin(session, task, now, now - EVERY + _SLACK) if opened_at is not None else None
    if run is None or opened_at is None:
        return None
    try:
        filled = fill(gateway, max(run.done_at or opened_at, opened_at) - LOOK_BACK, now)
    except GatewayError as error:
        log.warning("inbound_list_unavailable", gateway=gateway.name)
        with unit_of_work() as session:
            operations.fail(session, task, now, str(error))
        return 0
    with unit_of_work() as session:
        operations.succeed(session, task, now)
    return filled


def fill(gateway: SmsGateway, since: datetime, now: datetime) -> int:
    """Store the texts of the gateway's list since then that we do not have; how many. Raises GatewayError.

    A text is dated by the gateway, so that a later word of the same person stays the later one. One that cannot be
    stored keeps no other back; its error is raised after them.
    """
    listed = [one for one in gateway.list_inbound(since) if one.created_at <= now - WEBHOOK_TIME]
    with unit_of_work():
        known = operations.stored_ids(gateway.name, [one.provider_message_id for one in listed])
    missing = sorted((one for one in listed if one.provider_message_id not in known), key=lambda one: one.created_at)
    filled, failed = 0, None
    for one in missing:
        try:
            filled += _store(gateway.name, one)
        except DataError as error:
            failed = error
    if filled:
        log.warning("gap_filled", gateway=gateway.name, texts=filled)
    if failed is not None:
        raise failed
    return filled


def task_of(gateway: str) -> str:
    """The name of the task in heartbeats."""
    return f"gaps:{gateway}"


def _store(gateway: str, one: RemoteMessage) -> bool:
    sender, body = _encodable(one.sender), _encodable(one.body)
    raw = [
        ("MessageSid", one.provider_message_id),
        ("From", sender),
        ("To", one.to),
        ("Body", body),
        ("DateCreated", one.created_at.isoformat()),
    ]
    if body != one.body:
        raw.append(("BodyAsListed", one.body))
    return inbound.store(gateway, one.provider_message_id, sender, body, raw, one.created_at, InboundPath.POLLER)


def _encodable(text: str) -> str:
    """JSON can spell halves of characters, which no text and no database can hold."""
    return text.encode("utf-8", "replace").decode()
