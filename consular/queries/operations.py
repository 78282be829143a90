"""Figures of the running service, cheap enough to be asked for every two seconds while a million texts wait."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.canaries import CANARY_PRIORITY
from consular.domain.delivery import ACKNOWLEDGEMENT_PRIORITY, ALERT_PRIORITIES
from consular.extensions import db
from consular.queries import counters

AnySession = Session | scoped_session[Session]

SERVICE = UUID(int=2)
"""The scope of what the service counts for itself."""
_REFUSED = "webhook_refused:"
_WINDOW_SECONDS = 600
_PRIORITIES = sorted({ACKNOWLEDGEMENT_PRIORITY, CANARY_PRIORITY, *ALERT_PRIORITIES.values()}, reverse=True)

_DUE = text("""
select g.name, min(first.not_before) as since
from unnest(cast(:gateways as text[])) as g (name)
cross join unnest(cast(:priorities as int[])) as p (priority)
cross join lateral (
    select m.not_before from messages m
    where m.state = 'queued' and m.gateway = g.name and m.priority = p.priority and m.not_before <= :now
      and m.expires_at > :now and not exists (
        select 1 from country_pauses c where c.gateway = m.gateway and c.country = m.country and c.paused_until > :now)
    order by m.not_before, m.id limit 1
) first group by g.name
""")

_UNSENT = text("""
select e.id as event_id, e.alert_id, c.value as number from alert_events e
join counters c on c.scope_id = e.id and c.key = 'message:queued'
where c.value > 0 and e.stopped_at is null and e.expires_at > :now order by e.approved_at, e.id
""")

_OPEN = text("""
select gateway, state, count(*) as number, min(sending_at) as sent_at, min(updated_at) as moved_at,
    count(*) filter (where lease_until < :late) as stalled,
    min(lease_until) filter (where lease_until < :late) as stalled_at
from messages where state in ('claimed', 'sending', 'unknown', 'held') group by gateway, state
""")

_GAPS = text("""
select gateway, count(*) as number, count(*) filter (where received_at > :hour_ago) as lately,
    min(received_at) filter (where received_at > :hour_ago) as since
from inbound_messages where path = 'poller' group by gateway
""")


def senders() -> Sequence[Row[Any]]:
    """Every sender that was used: (gateway, next_free_at, paused_until, pause_reason)."""
    return db.session.execute(text("select gateway, next_free_at, paused_until, pause_reason from senders")).all()


def country_pauses(now: datetime) -> Sequence[Row[Any]]:
    """Countries that wait now: (gateway, country, error_code, refusals, paused_until)."""
    query = """
        select gateway, country, error_code, refusals, paused_until from country_pauses
        where paused_until > :now order by gateway, country
    """
    return db.session.execute(text(query), {"now": now}).all()


def due_since(gateways: Collection[str], now: datetime) -> dict[str, datetime]:
    """Since when the oldest text that may leave now is due, by gateway; texts of paused countries do not count."""
    values = {"gateways": list(gateways), "priorities": _PRIORITIES, "now": now}
    return {row.name: row.since for row in db.session.execute(_DUE, values)}


def unsent_events(now: datetime) -> Sequence[Row[Any]]:
    """Alerts with texts that are still to leave: (event_id, alert_id, number)."""
    return db.session.execute(_UNSENT, {"now": now}).all()


def open_messages(late: datetime) -> Sequence[Row[Any]]:
    """Messages in the hands of workers, unknown or held, by gateway and state: (number, sent_at, moved_at, stalled,
    stalled_at). late: leases that ended before it are stalled."""
    return db.session.execute(_OPEN, {"late": late}).all()


def messages_by_state() -> dict[str, int]:
    """Texts of all alerts by state, from the counters."""
    rows = db.session.execute(
        text("select substr(key, 9), sum(value) from counters where key like 'message:%' group by 1 order by 1")
    )
    return {str(state): int(number) for state, number in rows}


def waiting(table: str) -> tuple[int, datetime | None]:
    """Unprocessed rows of "inbound_messages" or "receipt_events", and when the oldest of them came."""
    assert table in ("inbound_messages", "receipt_events")
    query = f"select count(*), min(received_at) from {table} where processed_at is null"  # noqa: S608 - checked above
    number, since = db.session.execute(text(query)).one()
    return int(number), since


def gap_filled(hour_ago: datetime) -> dict[str, Row[Any]]:
    """Texts that webhooks missed, by gateway: (number, lately: in the last hour, since: the first of those)."""
    return {row.gateway: row for row in db.session.execute(_GAPS, {"hour_ago": hour_ago})}


def count_refused(session: AnySession, door: str, number: int, now: datetime) -> None:
    """Add calls that were refused at a door of ours; of single times only the last hour is kept."""
    window = int(now.timestamp()) // _WINDOW_SECONDS * _WINDOW_SECONDS
    keys = [f"{_REFUSED}{door}", f"{_REFUSED}{door}:{window}"]
    counters.add(session, dict.fromkeys([(SERVICE, key) for key in keys], number))
    session.execute(
        text("""
        delete from counters where scope_id = :scope and key like :windows
            and cast(split_part(key, ':', 3) as bigint) < :oldest
        """),
        {"scope": SERVICE, "windows": f"{_REFUSED}{door}:%", "oldest": window - 3600},
    )


def refused_calls(now: datetime) -> dict[str, tuple[int, int]]:
    """Calls refused at our doors, by door: (in all, in the last hour, to ten minutes)."""
    rows = db.session.execute(
        text("""
        select split_part(key, ':', 2) as door, sum(value) filter (where split_part(key, ':', 3) = '') as total,
            sum(value) filter (where cast(nullif(split_part(key, ':', 3), '') as bigint) > :after) as lately
        from counters where scope_id = :scope and key like :keys group by 1 order by 1
        """),
        {"scope": SERVICE, "keys": f"{_REFUSED}%", "after": int(now.timestamp()) - 3600},
    )
    return {row.door: (int(row.total or 0), int(row.lately or 0)) for row in rows}


def open_statuses() -> set[str]:
    """ "Actual", "Exercise", or both, or none: the kinds of crises that are open."""
    return set(db.session.execute(text("select distinct status from crises where closed_at is null")).scalars())


def heartbeats() -> dict[str, Row[Any]]:
    """The regular tasks by name: (ran_at, done_at, failing_since, failure)."""
    return {row.task: row for row in db.session.execute(text("select * from heartbeats"))}


def begin(session: AnySession, task: str, now: datetime, not_after: datetime) -> Row[Any] | None:
    """Begin a run of a task unless another began after `not_after`: its row, or None. One process gets it."""
    return session.execute(
        text("""
        insert into heartbeats (task, ran_at) values (:task, :now)
        on conflict (task) do update set ran_at = excluded.ran_at where heartbeats.ran_at <= :not_after
        returning done_at, failing_since
        """),
        {"task": task, "now": now, "not_after": not_after},
    ).one_or_none()


def succeed(session: AnySession, task: str, began_at: datetime) -> None:
    """The run that began then did what it is for."""
    session.execute(
        text("""
        insert into heartbeats (task, ran_at, done_at) values (:task, :at, :at)
        on conflict (task) do update set done_at = greatest(heartbeats.done_at, excluded.done_at),
            ran_at = greatest(heartbeats.ran_at, excluded.ran_at), failing_since = null, failure = null
        """),
        {"task": task, "at": began_at},
    )


def fail(session: AnySession, task: str, now: datetime, failure: str) -> None:
    """The run failed. failure: its kind in at most 64 characters, without personal data."""
    session.execute(
        text("""
        update heartbeats set failing_since = coalesce(failing_since, :now), failure = left(:failure, 64)
        where task = :task
        """),
        {"task": task, "now": now, "failure": failure},
    )


def oldest_open_crisis(status: str) -> datetime | None:
    """When the oldest open crisis of that status was opened."""
    query = "select min(opened_at) from crises where closed_at is null and status = :status"
    opened_at: datetime | None = db.session.execute(text(query), {"status": status}).scalar_one()
    return opened_at


def standing_alarms() -> dict[tuple[str, str], datetime]:
    """Alarms that were seen raised, and since when."""
    rows = db.session.execute(text("select alarm, subject, since from standing_alarms"))
    return {(row.alarm, row.subject): row.since for row in rows}


def note_alarms(session: AnySession, raised: Sequence[Mapping[str, Any]], now: datetime, forget: datetime) -> list[Any]:
    """Remember raised alarms (alarm, subject, value, since); those not seen since `forget` end: (alarm, subject)."""
    if raised:
        session.execute(
            text("""
            insert into standing_alarms (alarm, subject, value, since, seen_at)
            values (:alarm, :subject, :value, :since, :now)
            on conflict (alarm, subject) do update set value = excluded.value, since = excluded.since,
                seen_at = excluded.seen_at
            """),
            [{**one, "now": now} for one in raised],
        )
    ended = session.execute(
        text("delete from standing_alarms where seen_at < :forget returning alarm, subject"), {"forget": forget}
    )
    return list(ended)


def stored_ids(gateway: str, provider_ids: Collection[str]) -> set[str]:
    """Which of these texts of a gateway we have."""
    query = (
        "select provider_message_id from inbound_messages where gateway = :gateway and provider_message_id = any(:ids)"
    )
    return set(db.session.execute(text(query), {"gateway": gateway, "ids": list(provider_ids)}).scalars())
