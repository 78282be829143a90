"""Figures for the report of a drill."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.extensions import db


def latest_event() -> Row[Any] | None:
    """(id, crisis_id, approved_at, people) of the event approved last."""
    return db.session.execute(
        text("select id, crisis_id, approved_at, people from alert_events order by approved_at desc limit 1")
    ).one_or_none()


def handover_times(event_id: UUID) -> Row[Any]:
    """Seconds from the approval: first and last answer "accepted", last text settled later; number of answers."""
    return db.session.execute(
        text("""
        select extract(epoch from min(a.recorded_at) - e.approved_at) as first,
               extract(epoch from max(a.recorded_at) - e.approved_at) as last, count(*) as number,
               (select extract(epoch from max(n.accepted_at) - e.approved_at) from messages n where n.event_id = e.id)
                   as settled
        from message_attempts a join messages m on m.id = a.message_id join alert_events e on e.id = m.event_id
        where m.event_id = :id and a.outcome = 'accepted' group by e.id, e.approved_at
        """),
        {"id": event_id},
    ).one()


def message_states(event_id: UUID) -> dict[str, int]:
    """Messages of an event by state, counted from the rows."""
    rows = db.session.execute(
        text("select state, count(*) from messages where event_id = :id group by state"), {"id": event_id}
    )
    return {str(state): int(count) for state, count in rows}


def buckets(crisis_id: UUID) -> dict[str, int]:
    """People of a crisis by where the board shows them, counted from the rows."""
    rows = db.session.execute(
        text("select bucket, count(*) from person_statuses where crisis_id = :id group by bucket"), {"id": crisis_id}
    )
    return {str(bucket): int(count) for bucket, count in rows}


def replies() -> Row[Any]:
    """Texts received and processed, and the 99th percentile of seconds between the two."""
    return db.session.execute(
        text("""
        select count(*) as received, count(processed_at) as processed,
               coalesce(percentile_cont(0.99) within group (order by extract(epoch from processed_at - received_at)),
               0) as p99
        from inbound_messages
        """)
    ).one()


def readings() -> dict[str, str]:
    """How each text was read, by the gateway's id of it."""
    rows = db.session.execute(text("select provider_message_id, coalesce(kind, '') from inbound_messages"))
    return {str(sid): str(kind) for sid, kind in rows}


def waiting() -> dict[str, int]:
    """Rows that work still waits for."""
    row = db.session.execute(
        text("""
        select (select count(*) from messages where state in ('queued', 'claimed', 'sending', 'unknown')) as messages,
               (select count(*) from inbound_messages where processed_at is null) as texts,
               (select count(*) from receipt_events where processed_at is null) as receipts,
               (select count(*) from social_posts where state in ('queued', 'sending')) as posts
        """)
    ).one()
    return {name: int(count) for name, count in row._mapping.items()}


def holdings() -> list[str]:
    """What the database holds of people, crises and officers; nothing when it is empty or has no schema yet."""
    there = {name for name in _HOLDINGS if db.session.scalar(text("select to_regclass(:name)"), {"name": name})}
    return [name for name, is_any in _HOLDINGS.items() if name in there and db.session.scalar(is_any)]


_HOLDINGS = {
    "people": text("select exists (select 1 from people)"),
    "crises": text("select exists (select 1 from crises)"),
    "officers": text("select exists (select 1 from officers)"),
}
