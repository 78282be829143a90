"""Looking for rows that break a promise. Every query names the offenders, at most `MOST_NAMED` of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.extensions import db

MOST_NAMED = 10

_BROKEN: dict[str, str] = {
    "recipients_without_message_or_reason": """
        select r.event_id || '/' || r.person_id from recipients r left join messages m on m.id = r.message_id
        where r.exclusion is null and m.id is null
    """,
    "messages_without_recipient": """
        select m.id::text from messages m where m.kind = 'alert'
        and not exists (select 1 from recipients r where r.message_id = m.id)
    """,
    "people_selected_without_standing": """
        select r.person_id::text from recipients r join alert_events e on e.id = r.event_id
        left join person_statuses s on s.crisis_id = e.crisis_id and s.person_id = r.person_id where s.person_id is null
    """,
    "unsettled_messages": """
        select id || ':' || state from messages where state in ('queued', 'claimed', 'sending', 'unknown')
    """,
    "accepted_without_gateway_id": """
        select id::text from messages where state in ('accepted', 'sent', 'delivered', 'read') and provider_message_id
        is null
    """,
    "texts_not_processed": "select id::text from inbound_messages where processed_at is null",
    "receipts_not_processed": "select id::text from receipt_events where processed_at is null",
    "calls_for_help_without_request": """
        select i.id::text from inbound_messages i where i.kind = 'NEEDS_HELP'
        and not exists (select 1 from assistance_requests a where a.inbound_id = i.id)
    """,
    "unclear_without_request": """
        select i.id::text from inbound_messages i where i.kind = 'UNCLEAR'
        and not exists (select 1 from assistance_requests a where a.inbound_id = i.id)
    """,
    "sent_after_stop": """
        select m.id::text from messages m join alert_events e on e.id = m.event_id
        where e.stopped_at is not null and m.sending_at > e.stopped_at + interval '5 seconds'
    """,
    "sent_after_opt_out": """
        select m.id::text from messages m join opt_outs o on o.value_index = m.endpoint_index
        where m.kind = 'alert' and m.sending_at > o.opted_out_at and o.ended_at is null
    """,
    "exercise_on_another_gateway": """
        select m.id::text from messages m join alert_events e on e.id = m.event_id
        where (e.status = 'Exercise') <> (m.gateway = 'exercise')
    """,
    "own_approval": "select id::text from alert_events where approved_by in (author_id, last_editor_id)",
}


def names() -> list[str]:
    """The promises that one query can check."""
    return list(_BROKEN)


def offenders(name: str) -> tuple[int, list[str]]:
    """How many rows break the promise, and the first of them."""
    query = _BROKEN[name]
    count = int(db.session.execute(text(f"select count(*) from ({query}) q")).scalar_one())  # noqa: S608 - constants above
    if not count:
        return 0, []
    rows = db.session.execute(text(f"select * from ({query}) q limit {MOST_NAMED}"))  # noqa: S608
    return count, [str(row[0]) for row in rows]


def handed_over() -> Sequence[Row[Any]]:
    """Every message that has a gateway id: (id, gateway id, possible_duplicate)."""
    return db.session.execute(
        text("select id, provider_message_id, possible_duplicate from messages where provider_message_id is not null")
    ).all()


def inbound_ids() -> set[str]:
    """The gateways' ids of all stored texts."""
    return set(db.session.execute(text("select provider_message_id from inbound_messages")).scalars())


def crises_and_events() -> tuple[list[UUID], list[UUID]]:
    """Every crisis and event there is."""
    crises = db.session.execute(text("select id from crises")).scalars()
    return list(crises), list(db.session.execute(text("select id from alert_events")).scalars())


def people_in(crisis_id: UUID) -> tuple[int, int]:
    """People with a standing in the crisis, and people its events selected."""
    standing = db.session.execute(
        text("select count(*) from person_statuses where crisis_id = :id"), {"id": crisis_id}
    ).scalar_one()
    selected = db.session.execute(
        text("""
        select count(distinct r.person_id) from recipients r join alert_events e on e.id = r.event_id where
        e.crisis_id = :id
        """),
        {"id": crisis_id},
    ).scalar_one()
    return int(standing), int(selected)
