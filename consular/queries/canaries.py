"""Test texts to the mission's own handsets: making them, what became of them, and what their handsets wrote back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.clock import utc_now
from consular.domain.canaries import CANARY_PRIORITY, CANARY_VALIDITY
from consular.domain.delivery import ALERT_PRIORITIES
from consular.extensions import db

AnySession = Session | scoped_session[Session]

LATELY = timedelta(days=7)
_LOCK = 7_206_914

_BUSY = text("""
select g.name from unnest(cast(:gateways as text[])) as g (name) where exists (
    select 1 from messages m where m.state = 'queued' and m.gateway = g.name and m.priority = any(:priorities)
    and m.expires_at > now() and not exists (
        select 1 from country_pauses p
        where p.gateway = m.gateway and p.country = m.country and p.paused_until > now()))
or exists (
    select 1 from messages m where m.state in ('claimed', 'sending') and m.gateway = g.name and m.kind = 'alert')
""")

_INSERT = text("""
with fresh as (
    insert into canaries (id, day, run, gateway, endpoint_index, country, phone_sealed, text_sealed, message_id,
                          asked_by, created_at)
    values (:id, :day, :run, :gateway, :endpoint_index, :country, :phone_sealed, :text_sealed, :number, :asked_by, :now)
    on conflict (day, gateway, endpoint_index, run) do nothing returning message_id
)
insert into messages (id, kind, channel, endpoint_index, country, language, gateway, priority, state, not_before,
                      expires_at)
overriding system value
select message_id, 'canary', 'sms', :endpoint_index, :country, 'en', :gateway, :priority, 'queued', now(),
       now() + cast(:validity as interval)
from fresh
""")

_DONE_TODAY = text("select gateway, endpoint_index from canaries where day = :day and run = 0")

_MADE_SINCE = text("select gateway, endpoint_index from canaries where created_at > :since")

_NEXT_RUN = text("select coalesce(max(run), 0) + 1 from canaries where day = :day")

_FORGET = text("""
with old as (
    select k.id, k.message_id from canaries k join messages m on m.id = k.message_id
    where k.created_at < :before and m.state not in ('claimed', 'sending')
), tries as (
    delete from message_attempts a using old where a.message_id = old.message_id
), texts as (
    delete from messages m using old where m.id = old.message_id
)
delete from canaries k using old where k.id = old.id
""")

_FACTS = """
k.id, k.day, k.run, k.gateway, k.country, k.endpoint_index, k.phone_sealed, k.created_at, k.answered_at,
m.id as number, m.state, m.error_code, m.failure_reason, m.accepted_at, m.delivered_at, m.updated_at,
o.full_name as asked_by
from canaries k join messages m on m.id = k.message_id left join officers o on o.id = k.asked_by
"""

_LATEST = text(f"""
select distinct on (k.gateway, k.endpoint_index) {_FACTS} where k.day >= cast(:since as date)
order by k.gateway, k.endpoint_index, k.created_at desc
""")

_NEWEST = """
where k.id in (
    select distinct on (c.gateway, c.country) c.id from canaries c
    order by c.gateway, c.country, c.created_at desc, c.id
)
"""

_OF_PATHS = text(f"select {_FACTS} {_NEWEST}")

_HISTORY = text(f"select {_FACTS} order by k.created_at desc, k.gateway, k.id limit :limit")

_ASKED = text("""
select id, message_id, answered_at from canaries
where endpoint_index = any(:indexes) and gateway = :gateway and created_at between :since and :until
order by created_at desc limit 1
""")


def lock(session: AnySession) -> bool:
    """Whether this transaction is the only one that makes test texts now."""
    return bool(session.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar())


def busy(session: AnySession, gateways: Collection[str]) -> set[str]:
    """Gateways on which texts of an alert are going out, or are about to."""
    values = {"gateways": list(gateways), "priorities": sorted(set(ALERT_PRIORITIES.values()))}
    return set(session.execute(_BUSY, values).scalars())


def made_on(session: AnySession, day: date) -> set[tuple[str, bytes]]:
    """The daily test texts of a day: (gateway, endpoint index)."""
    return {(row.gateway, bytes(row.endpoint_index)) for row in session.execute(_DONE_TODAY, {"day": day})}


def made_since(session: AnySession, since: datetime) -> set[tuple[str, bytes]]:
    """Test texts made after that moment: (gateway, endpoint index)."""
    return {(row.gateway, bytes(row.endpoint_index)) for row in session.execute(_MADE_SINCE, {"since": since})}


def next_run(session: AnySession, day: date) -> int:
    """The number of the next test of a day that is asked for."""
    return int(session.execute(_NEXT_RUN, {"day": day}).scalar_one())


def next_number(session: AnySession) -> int:
    """A message number that nobody else gets."""
    query = "select nextval(cast(pg_get_serial_sequence('messages', 'id') as regclass))"
    return int(session.execute(text(query)).scalar_one())


def insert(session: AnySession, values: Mapping[str, Any]) -> bool:
    """Insert a test text and its message; False when there is one of that day, gateway, handset and run.

    values: id, day, run, gateway, endpoint_index, country, phone_sealed, text_sealed, number, asked_by, now.
    """
    extra = {"priority": CANARY_PRIORITY, "validity": CANARY_VALIDITY}
    return bool(session.execute(_INSERT, {**values, **extra}).rowcount)  # type: ignore[attr-defined]


def forget(session: AnySession, before: datetime) -> int:
    """Delete test texts made before that moment with everything about them; how many."""
    return int(session.execute(_FORGET, {"before": before}).rowcount)  # type: ignore[attr-defined]


def latest() -> Sequence[Row[Any]]:
    """The newest test text of each handset and gateway that was tested lately, with its message's state."""
    return db.session.execute(_LATEST, {"since": utc_now().date() - LATELY}).all()


def latest_of_paths() -> Sequence[Row[Any]]:
    """The newest test text of each gateway and country that is still kept, with its message's state."""
    return db.session.execute(_OF_PATHS).all()


def history(limit: int) -> Sequence[Row[Any]]:
    """Test texts, the newest first."""
    return db.session.execute(_HISTORY, {"limit": limit}).all()


def own_phones(session: AnySession, indexes: Collection[bytes]) -> set[bytes]:
    """Which of these phones are handsets that test texts went to."""
    found = session.execute(
        text("select distinct endpoint_index from canaries where endpoint_index = any(:indexes)"),
        {"indexes": list(indexes)},
    )
    return {bytes(index) for index in found.scalars()}


def note_answer(
    session: AnySession, gateway: str, indexes: Collection[bytes], since: datetime, until: datetime, at: datetime
) -> int | None:
    """A handset wrote back through that gateway: its newest test text made since then is answered. Its message's
    number; None when there was none."""
    values = {"gateway": gateway, "indexes": list(indexes), "since": since, "until": until}
    asked = session.execute(_ASKED, values).one_or_none()
    if asked is None:
        return None
    session.execute(
        text("update canaries set answered_at = :at where id = :id and (answered_at is null or answered_at > :at)"),
        {"at": at, "id": asked.id},
    )
    return int(asked.message_id)


def people_behind(session: AnySession, indexes: Collection[bytes]) -> int:
    """People on record with one of these phones."""
    query = "select count(distinct person_id) from contact_points where channel = 'sms' and value_index = any(:indexes)"
    return int(session.execute(text(query), {"indexes": list(indexes)}).scalar_one())
