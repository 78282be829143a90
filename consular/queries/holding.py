"""Held texts: how many, why and since when, who they are for, and taking them out of the hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.domain.delivery import MOST_DEATHS, NO_TRACE
from consular.domain.holding import DEATHS_AFTER_RELEASE, MOST_UNKNOWNS, RESTORED, Why
from consular.extensions import cipher, db
from consular.queries.counters import AnySession

PAGE = 50
START = (0, UUID(int=0))

_UNKNOWNS = "(select count(*) from message_attempts a where a.message_id = m.id and a.outcome = 'unknown')"
_WHY = f"""case when m.error_code = '{RESTORED}' then '{Why.RESTORED}'
    when m.deaths >= {MOST_DEATHS} then '{Why.WORKER_DIED}'
    when u.unknowns >= {MOST_UNKNOWNS} then '{Why.UNKNOWN_OFTEN}'
    when e.message_class = 'sensitive' then '{Why.SENSITIVE}' else '{Why.UNKNOWN}' end"""
_HELD = f"messages m join alert_events e on e.id = m.event_id cross join lateral (select {_UNKNOWNS} as unknowns) u"

_ALERTS = text("""
select a.id as alert_id, a.event as subject, c.id as crisis_id, c.title, c.status, count(*) as number,
    min(m.updated_at) as since
from messages m join alert_events e on e.id = m.event_id join alerts a on a.id = e.alert_id
join crises c on c.id = a.crisis_id where m.state = 'held'
group by a.id, a.event, c.id, c.title, c.status order by since, a.id
""")

_GROUPS = text(f"""
select {_WHY} as why, count(*) as number, count(*) filter (where u.unknowns > 0) as doubtful,
    min(m.updated_at) as since, max(m.expires_at) as expires_at
from {_HELD}
where m.state = 'held' and m.event_id = :event_id and (cast(:number as bigint) is null or m.id = :number)
group by 1 order by 2 desc, 1
""")  # noqa: S608 - constants of this module

_LINES = text(f"""
select q.*, p.name_sealed, p.language, coalesce(st.place_name, st.country) as place
from (select m.id, m.updated_at as since, u.unknowns, {_WHY} as why, r.person_id,
          (select count(*) from recipients o where o.message_id = m.id) as people
      from {_HELD} join recipients r on r.message_id = m.id
      where m.state = 'held' and m.event_id = :event_id
        and (m.id, r.person_id) > (:after_number, cast(:after_person as uuid))
        and (cast(:number as bigint) is null or m.id = :number)
      order by m.id, r.person_id limit :limit) q
join people p on p.id = q.person_id
left join lateral (select country, place_name from stays where person_id = q.person_id
                   order by created_at desc limit 1) st on true
order by q.id, q.person_id
""")  # noqa: S608

_LOCK = text("""
select m.id from messages m where m.state = 'held' and m.event_id = :event_id
    and (cast(:number as bigint) is null or m.id = :number) order by m.id limit :limit for update
""")

_SEND = text(f"""
with before as (
    select m.id, m.state, m.event_id, m.gateway, {_UNKNOWNS} > 0 as is_doubtful from messages m
    where m.id = any(:ids) and m.state = 'held' order by m.id for update of m
)
update messages m set state = 'queued', not_before = now(), lease_until = null, not_found_at = null, error_code = null,
    deaths = least(m.deaths, {DEATHS_AFTER_RELEASE}), updated_at = now(),
    possible_duplicate = m.possible_duplicate or before.is_doubtful
from before where m.id = before.id
returning m.id, m.event_id, before.state as before, m.state as after, before.gateway, before.is_doubtful
""")  # noqa: S608

_END = text(f"""
with before as (
    select m.id, m.state, m.event_id, m.gateway, {_UNKNOWNS} > 0 as is_doubtful from messages m
    where m.id = any(:ids) and m.state = 'held' order by m.id for update of m
)
update messages m set state = case when before.is_doubtful then 'failed' else 'cancelled' end, lease_until = null,
    error_code = case when before.is_doubtful then '{NO_TRACE}' else m.error_code end, updated_at = now()
from before where m.id = before.id
returning m.id, m.event_id, before.state as before, m.state as after, before.gateway, before.is_doubtful
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """Held texts of one alert with the same reason. doubtful: of those, how many may have left already."""

    why: Why
    number: int
    doubtful: int
    since: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class HeldLine:
    """Somebody whose text is held. people: how many share the phone, and with it the text. unknowns: tries of which
    nobody knows whether they succeeded."""

    number: int
    person_id: UUID
    name: str
    place: str | None
    language: str
    people: int
    why: Why
    since: datetime
    unknowns: int


def alerts_with_held() -> Sequence[Row[Any]]:
    """Alerts with held texts, the longest waiting first: (alert_id, subject, crisis_id, title, status, number,
    since)."""
    return db.session.execute(_ALERTS).all()


def groups(event_id: UUID, number: int | None = None) -> list[HeldGroup]:
    """The held texts of an event by reason, the largest group first. number: only this message."""
    rows = db.session.execute(_GROUPS, {"event_id": event_id, "number": number})
    return [HeldGroup(Why(row.why), row.number, row.doubtful, row.since, row.expires_at) for row in rows]


def lines(
    event_id: UUID, number: int | None = None, after: tuple[int, UUID] = START, limit: int = PAGE
) -> list[HeldLine]:
    """The next people behind held texts of an event, without their phones. number: only this message. after: message
    and person of the last line of the page before."""
    values: dict[str, object] = {"event_id": event_id, "number": number, "limit": limit}
    values |= {"after_number": after[0], "after_person": after[1]}
    return [
        HeldLine(
            number=row.id,
            person_id=row.person_id,
            name=cipher.open(row.name_sealed, "people.name", row.person_id),
            place=row.place,
            language=row.language,
            people=row.people,
            why=Why(row.why),
            since=row.since,
            unknowns=row.unknowns,
        )
        for row in db.session.execute(_LINES, values)
    ]


def lock(session: AnySession, event_id: UUID, number: int | None, limit: int) -> list[int]:
    """Lock held texts of an event, in order; their numbers. number: only this one."""
    return list(session.execute(_LOCK, {"event_id": event_id, "number": number, "limit": limit}).scalars())


def send_again(session: AnySession, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Queue held texts; those that may have left become possible duplicates. Rows as note_changes takes them, with
    gateway and is_doubtful."""
    return session.execute(_SEND, {"ids": list(ids)}).all()


def end(session: AnySession, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Close held texts: what never left is cancelled, of the others we say that they failed as far as anybody knows,
    and any report proves more. Rows as send_again() gives them."""
    return session.execute(_END, {"ids": list(ids)}).all()
