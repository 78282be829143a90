"""Is this database where it was, or a copy of it? And what a copy must know before it may send."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.domain.delivery import NO_TRACE
from consular.domain.holding import RESTORED
from consular.extensions import db
from consular.queries.counters import AnySession

NUMBERS_LEFT_OUT = 1 << 24
"""A copy gives the next message a number so much higher: the numbers that its original gave after the backup are in
links and references on people's phones, and must not mean anybody else."""

_HERE = text("""
select has_function_privilege('pg_control_system()', 'execute') as may_ask,
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint as timeline,
    (select oid::bigint from pg_database where datname = current_database()) as database_oid,
    'database_home'::regclass::oid::bigint as table_oid
""")
_CLUSTER = text("select system_identifier from pg_control_system()")
_HOME = text("select * from database_home where id = 1")

_MOVE_IN = text("""
insert into database_home (id, system_identifier, timeline, database_oid, table_oid, known_since)
values (1, :system_identifier, :timeline, :database_oid, :table_oid, now())
on conflict (id) do update set system_identifier = excluded.system_identifier, timeline = excluded.timeline,
    database_oid = excluded.database_oid, table_oid = excluded.table_oid, known_since = now(), closed_at = null
""")

_CLOSE = text("update database_home set closed_at = now() where id = 1 and closed_at is null returning closed_at")

_LEAVE_OUT = text("""
select setval(s.seq, nextval(s.seq) + :numbers)
from (select pg_get_serial_sequence('messages', 'id')::regclass as seq) s
""")

_WAITING = text("""
select gateway, state, count(*) as number, min(created_at) as since from messages
where state in ('queued', 'claimed', 'sending', 'unknown', 'held') and created_at <= :before
group by gateway, state order by gateway, state
""")

_OLDEST = text("""
select min(created_at) from messages
where state in ('queued', 'claimed', 'sending', 'unknown', 'held', 'accepted', 'sent') and gateway = :gateway
    and created_at <= :before
""")

_TAKEN = text(f"""
with t as (
    select * from unnest(cast(:ids as bigint[]), cast(:sids as text[]), cast(:times as timestamptz[]),
                         cast(:attempts as uuid[])) as t (id, sid, at, attempt)
), before as (
    select m.id, m.state, m.event_id, t.sid, t.at, t.attempt from messages m join t on t.id = m.id
    where m.created_at <= :before and m.created_at <= t.at + interval '2 hours'
      and (m.state in ('queued', 'claimed', 'sending', 'unknown', 'held', 'cancelled', 'expired')
           or m.error_code = '{NO_TRACE}')
    order by m.id for update of m
), tried as (
    insert into message_attempts (id, message_id, gateway, started_at, outcome, provider_message_id, error_code)
    select attempt, id, :gateway, at, 'accepted', sid, '{RESTORED}' from before
)
update messages m set state = 'accepted', gateway = :gateway, provider_message_id = before.sid,
    accepted_at = coalesce(m.accepted_at, before.at), sending_at = coalesce(m.sending_at, before.at),
    error_code = null, failure_reason = null, lease_until = null, updated_at = now()
from before where m.id = before.id
returning m.id, m.event_id, before.state as before, m.state as after
""")  # noqa: S608 - the inserted parts are constants of consular.domain

_NOTE_LIST = text("""
insert into compared_lists (gateway, compared_at, read, found) values (:gateway, now(), :read, :found)
on conflict (gateway) do update set compared_at = now(), read = excluded.read,
    found = compared_lists.found + excluded.found
""")

_HOLD = text(f"""
with before as (
    select m.id, m.state, m.event_id, m.gateway, (lpad(to_hex(m.id), 16, '0')
        || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid as attempt
    from messages m where m.state in ('queued', 'claimed', 'sending', 'unknown') and m.created_at <= :before
      and m.gateway <> all(:known) order by m.id limit :limit for update
), doubted as (
    insert into message_attempts (id, message_id, gateway, outcome, error_code)
    select attempt, id, gateway, 'unknown', '{RESTORED}' from before
)
update messages m set state = case when m.event_id is null then 'failed' else 'held' end, lease_until = null,
    error_code = case when m.event_id is null then '{NO_TRACE}' else '{RESTORED}' end, updated_at = now()
from before where m.id = before.id
returning m.id, m.event_id, before.state as before, m.state as after
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is: the cluster (None where asking is not allowed), its timeline, the database, one table."""

    system_identifier: int | None
    timeline: int
    database_oid: int
    table_oid: int

    def is_same(self, other: Place) -> bool:
        """Whether nothing that both know differs."""
        clusters = {self.system_identifier, other.system_identifier} - {None}
        rest = (self.timeline, self.database_oid, self.table_oid)
        return len(clusters) <= 1 and rest == (other.timeline, other.database_oid, other.table_oid)


@dataclass(frozen=True, slots=True)
class Home:
    """Where the database was when texts were last sent. closed_at: since when nothing is sent, if it is a copy."""

    place: Place
    known_since: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that a gateway's list shows. attempt: a new id of the form that receipts are matched by."""

    number: int
    provider_id: str
    at: datetime
    attempt: UUID


def here() -> Place:
    """Where this database is now. The timeline is that of what is written now, so a promotion shows at once."""
    row = db.session.execute(_HERE).one()
    cluster = db.session.execute(_CLUSTER).scalar_one() if row.may_ask else None
    return Place(cluster, row.timeline, row.database_oid, row.table_oid)


def home() -> Home | None:
    """Where it was; None before anything was ever sent."""
    row = db.session.execute(_HOME).one_or_none()
    if row is None:
        return None
    place = Place(row.system_identifier, row.timeline, row.database_oid, row.table_oid)
    return Home(place, row.known_since, row.closed_at)


def move_in(session: AnySession, place: Place) -> None:
    """This is where the database lives from now on, and texts may leave."""
    values = {name: getattr(place, name) for name in ("system_identifier", "timeline", "database_oid", "table_oid")}
    session.execute(_MOVE_IN, values)
    session.execute(text("delete from compared_lists"))


def close(session: AnySession) -> bool:
    """Send nothing from now on; False when it was so already. The next messages get numbers that were never given."""
    if session.execute(_CLOSE).scalar() is None:
        return False
    session.execute(_LEAVE_OUT, {"numbers": NUMBERS_LEFT_OUT})
    return True


def waiting(before: datetime) -> Sequence[Row[Any]]:
    """What was not settled when the backup was made: (gateway, state, number, since), of messages until `before`."""
    return db.session.execute(_WAITING, {"before": before}).all()


def oldest(gateway: str, before: datetime) -> datetime | None:
    """Since when the oldest text of a gateway waits for news."""
    found: datetime | None = db.session.execute(_OLDEST, {"gateway": gateway, "before": before}).scalar_one()
    return found


def take(session: AnySession, gateway: str, listed: Sequence[Taken], before: datetime) -> Sequence[Row[Any]]:
    """Mark what a gateway has, of messages made until `before`, as accepted by it; rows as note_changes takes them."""
    values = {
        "gateway": gateway,
        "ids": [one.number for one in listed],
        "sids": [one.provider_id for one in listed],
        "times": [one.at for one in listed],
        "attempts": [one.attempt for one in listed],
        "before": before,
    }
    return session.execute(_TAKEN, values).all()


def note_list(session: AnySession, gateway: str, read: int, found: int) -> None:
    """The whole list of a gateway was held against this copy."""
    session.execute(_NOTE_LIST, {"gateway": gateway, "read": read, "found": found})


def compared() -> Sequence[Row[Any]]:
    """Gateways whose lists were compared: (gateway, compared_at, read, found)."""
    return db.session.execute(text("select * from compared_lists order by gateway")).all()


def hold(session: AnySession, before: datetime, known: Collection[str], limit: int) -> Sequence[Row[Any]]:
    """Hold texts of messages made until `before` at all gateways but the `known` ones, at most `limit`; receipts for
    replies, which nobody needs any more, are closed. Rows as note_changes takes them."""
    return session.execute(_HOLD, {"before": before, "known": list(known), "limit": limit}).all()
