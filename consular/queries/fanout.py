"""From an approved event to its rows: recipients, messages, standing of each person, counters; set-based, in one
transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session

AnySession = Session | scoped_session[Session]

_CHOSEN = "create temporary table chosen on commit drop as {people}"

_SELECTED = """
create temporary table selected on commit drop as
select distinct on (p.id) p.id as person_id, p.language, c.id as contact_point_id, c.value_index, c.country,
       case when c.id is null then 'no_phone'
            when c.unusable_since is not null then 'unusable_phone'
            when o.value_index is not null then 'opted_out' end as exclusion
from chosen join people p on p.id = chosen.person_id
left join contact_points c on c.person_id = p.id and c.channel = 'sms'
left join opt_outs o on o.value_index = c.value_index and o.gateway = :opt_out_list and o.ended_at is null
order by p.id, c.unusable_since is not null, c.created_at desc, c.id
"""

_PHONES = """
create temporary table phones on commit drop as
select nextval((select pg_get_serial_sequence('messages', 'id')::regclass)) as message_id, p.*
from (select distinct on (value_index) value_index, contact_point_id, country, language from selected
      where exclusion is null order by value_index, contact_point_id) p
"""

_COUNTRIES = "select country, count(*) as phones from phones group by country"

_EXCLUDE = """
with gone as (
    delete from phones where country = any(cast(:countries as text[])) or (:unknown and country is null)
    returning value_index
)
update selected s set exclusion = 'no_gateway' from gone where s.value_index = gone.value_index and s.exclusion is null
"""

_MESSAGES = """
insert into messages (id, kind, event_id, crisis_id, channel, contact_point_id, endpoint_index, country, language,
gateway,
                      priority, state, not_before, expires_at)
overriding system value
select message_id, 'alert', :event_id, :crisis_id, 'sms', contact_point_id, value_index, country, language,
       coalesce(r.gateway, :gateway), :priority, 'queued', now(), :expires_at
from phones
left join unnest(cast(:countries as text[]), cast(:gateways as text[])) as r (country, gateway) using (country)
"""

_RECIPIENTS = """
insert into recipients (event_id, person_id, message_id, exclusion)
select :event_id, s.person_id, case when s.exclusion is null then p.message_id end, s.exclusion
from selected s left join phones p on p.value_index = s.value_index
order by s.person_id
"""

_STANDINGS = """
with fresh as (
    insert into person_statuses (crisis_id, person_id, reach)
    select :crisis_id, person_id, case when exclusion is null then 'waiting' else 'no_phone' end from selected s
    where not exists (select from person_statuses p where p.crisis_id = :crisis_id and p.person_id = s.person_id)
    order by person_id {on_conflict}
    returning reach
)
select reach, count(*) from fresh group by reach
"""


_IS_MISJUDGED = """
select bool_or(reltuples < pg_relation_size(oid) / current_setting('block_size')::int) from pg_class
where relname in ('people', 'stays', 'contact_points', 'opt_outs') and relkind = 'r'
and pg_relation_size(oid) > 4 * current_setting('block_size')::int
"""
"""Whether the planner believes that a page of such a table holds less than one row. So it does when the last look at it
fell into an import that was not committed yet; it then goes through everybody once for each person, which takes minutes
for a thousand people."""

_WORTH_ANALYSING = 1000
"""From so many rows on the planner is told of them at once: guessing at fresh tables, it reads them whole for every
batch."""


@dataclass(frozen=True, slots=True)
class FanOutCount:
    """What an event became: people selected, one message per distinct phone, people without one, by new standing; the
    gateways that have them."""

    people: int
    messages: int
    excluded: int
    fresh: dict[str, int]
    gateways: frozenset[str]


def choose_people(session: AnySession, people: Select[Any]) -> int:
    """Hold the people that `people` selects (one column: person id, each once) for the steps that follow; how many.

    What is chosen lasts until the transaction ends or others are chosen.
    """
    compiled = people.compile(dialect=postgresql.dialect(paramstyle="named"), compile_kwargs={"literal_binds": False})  # type: ignore[no-untyped-call]
    session.execute(text("set local work_mem = '32MB'"))
    if session.execute(text(_IS_MISJUDGED)).scalar():
        session.execute(text("analyze people, stays, contact_points, opt_outs"))
    session.execute(text("drop table if exists chosen, selected, phones"))
    number = session.execute(text(_CHOSEN.format(people=str(compiled))), compiled.params).rowcount  # type: ignore[attr-defined]
    session.execute(text("analyze chosen"))
    return int(number)


def select_phones(session: AnySession, opt_out_list: str) -> dict[str | None, int]:
    """Choose a phone for each of the chosen people; distinct phones by country (None: unknown).

    opt_out_list: which phones get nothing (domain.gateways.opt_out_list).
    """
    session.execute(text(_SELECTED), {"opt_out_list": opt_out_list})
    session.execute(text(_PHONES))
    session.execute(text("analyze selected, phones"))
    return {row.country: int(row.phones) for row in session.execute(text(_COUNTRIES))}


def exclude(session: AnySession, countries: Collection[str | None]) -> None:
    """Take the chosen phones of these countries (None: unknown) out: no gateway reaches them."""
    if countries:
        named = [country for country in countries if country is not None]
        session.execute(text(_EXCLUDE), {"countries": named, "unknown": None in countries})


def insert_rows(session: AnySession, values: dict[str, Any], gateways: Mapping[str, str]) -> FanOutCount:
    """Insert every row of the event `values["event_id"]` for what select_phones() chose.

    values: event_id, crisis_id, gateway (of every country that is not in `gateways`), priority, expires_at. An event
    that has its rows already is refused by the database.
    """
    routes = {"countries": list(gateways), "gateways": list(gateways.values())}
    messages = session.execute(text(_MESSAGES), values | routes).rowcount  # type: ignore[attr-defined]
    session.execute(text(_RECIPIENTS), values)
    fresh = _insert_standings(session, values)
    row = session.execute(text("select count(*), count(exclusion) from selected")).one()
    if row[0] >= _WORTH_ANALYSING:
        session.execute(
            text("analyze recipients (event_id, person_id, message_id), person_statuses (crisis_id, person_id)")
        )
    used = frozenset({values["gateway"], *gateways.values()})
    return FanOutCount(int(row[0]), int(messages), int(row[1]), fresh, used)


def _insert_standings(session: AnySession, values: dict[str, Any]) -> dict[str, int]:
    """A standing for everybody who has none in this crisis; how many of each reach.

    Asking the database for each row whether somebody else inserts it in this moment takes a third of the time, and
    hardly ever somebody does.
    """
    try:
        with session.begin_nested():
            rows = session.execute(text(_STANDINGS.format(on_conflict="")), values).all()
    except IntegrityError:
        rows = session.execute(text(_STANDINGS.format(on_conflict="on conflict do nothing")), values).all()
    return {str(reach): int(count) for reach, count in rows}
