"""What the process that owns a bind asks of the database, and what is looked up for an SMSC's receipts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.queries.receipts import IS_DUE, OF_AN_SMSC

AnySession = Session | scoped_session[Session]

_IS_WAITING = text("""
select (select 1 from messages where state = 'queued' and gateway = :gateway and not_before <= now()
        order by priority desc, not_before, id limit 1) is not null
""")

_LAST_TEXTS = text("""
select id, provider_message_id, raw_sealed from inbound_messages
where gateway = :gateway and received_at > :since and received_at >= (
    select max(received_at) from inbound_messages where gateway = :gateway and received_at < :before
) - interval '50 milliseconds' and received_at < :before
order by received_at limit 1000
""")

_STANDS = text("""
insert into heartbeats (task, ran_at, done_at) values (:task, :since, least(:now, now()))
on conflict (task) do update set ran_at = excluded.ran_at, done_at = excluded.done_at, failing_since = null,
    failure = null
""")

"""A clock that is fast must not let a connection look as if it stood when its process is gone."""

_IS_DOWN = text("""
insert into heartbeats (task, ran_at, failing_since, failure) values (:task, :now, :now, left(:failure, 64))
on conflict (task) do update set failing_since = coalesce(heartbeats.failing_since, excluded.failing_since),
    failure = excluded.failure
""")

_WAITING_RECEIPTS = """
select id, provider_message_id, raw_sealed, result from receipt_events
where processed_at is null and {which} and {is_an_smscs}
order by received_at limit :limit for update skip locked
"""
_NEW = text(_WAITING_RECEIPTS.format(which="result is null", is_an_smscs=OF_AN_SMSC))
_AGAIN = text(_WAITING_RECEIPTS.format(which=f"result is not null and {IS_DUE}", is_an_smscs=OF_AN_SMSC))

_SENT = text("""
select a.id, a.provider_message_id, a.recorded_at, m.contact_point_id, m.inbound_id, c.value_sealed, i.sender_sealed,
    k.id as canary_id, k.phone_sealed
from message_attempts a join messages m on m.id = a.message_id
left join contact_points c on c.id = m.contact_point_id left join inbound_messages i on i.id = m.inbound_id
left join canaries k on k.message_id = m.id
where a.provider_message_id = any(:ids) and a.gateway = 'smpp' and a.provider_message_id is not null
order by a.recorded_at
""")

_NAME = text("""
update receipt_events e set attempt_id = b.attempt_id, provider_message_id = b.pid, result = null
from (
    select distinct on (f.attempt_id, f.pid, w.status, w.error_code) w.id, f.attempt_id, f.pid
    from unnest(cast(:ids as uuid[]), cast(:attempts as uuid[]), cast(:pids as text[])) as f (id, attempt_id, pid)
    join receipt_events w on w.id = f.id
    order by f.attempt_id, f.pid, w.status, w.error_code, w.received_at, w.id
) b
where e.id = b.id and not exists (
    select 1 from receipt_events o where o.gateway = e.gateway and o.provider_message_id = b.pid
    and o.status = e.status and o.error_code = e.error_code and o.attempt_id = b.attempt_id)
returning e.id
""")


def is_waiting(session: AnySession, gateway: str) -> bool:
    """Whether a text is due; cheap enough to be asked twice a second."""
    return bool(session.execute(_IS_WAITING, {"gateway": gateway}).scalar_one())


def last_texts(session: AnySession, gateway: str, since: datetime, before: datetime) -> Sequence[Row[Any]]:
    """The texts that were stored together as the last before a moment, if that was after `since`: (id,
    provider_message_id, raw_sealed)."""
    return session.execute(_LAST_TEXTS, {"gateway": gateway, "since": since, "before": before}).all()


def stands(session: AnySession, task: str, since: datetime, now: datetime) -> None:
    """Note that the bind stands now, and since when."""
    session.execute(_STANDS, {"task": task, "since": since, "now": now})


def is_down(session: AnySession, task: str, now: datetime, failure: str) -> None:
    """Note that the bind does not stand, and why."""
    session.execute(_IS_DOWN, {"task": task, "now": now, "failure": failure})


def waiting_receipts(session: AnySession, limit: int) -> Sequence[Row[Any]]:
    """Lock the oldest new receipts of an SMSC of which it is not known what they are about, and a few of those that
    are to be looked at again: (id, provider_message_id, raw_sealed, result). However many are foreign, each has its
    turn: whatever was looked at is finished or waits (queries.receipts.next_wait)."""
    new = session.execute(_NEW, {"limit": limit}).all()
    again = session.execute(_AGAIN, {"limit": max(1, limit // 5)}).all()
    return [*new, *again]


def sent_as(session: AnySession, ids: Collection[str]) -> Sequence[Row[Any]]:
    """What was handed to an SMSC under one of these ids, the oldest first, with what preparing.address_of takes."""
    return session.execute(_SENT, {"ids": list(ids)}).all()


def name_attempts(session: AnySession, found: Mapping[UUID, tuple[UUID, str]]) -> set[UUID]:
    """Note (attempt, its id at the SMSC) of receipts; those left out say again what another one says."""
    values = {
        "ids": list(found),
        "attempts": [attempt for attempt, _ in found.values()],
        "pids": [pid for _, pid in found.values()],
    }
    return set(session.execute(_NAME, values).scalars())
