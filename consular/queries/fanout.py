"""From an approved event to its rows: recipients, messages, standing of each person, counters; set-based, in one
transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, scoped_session

AnySession = Session | scoped_session[Session]

_SELECTED = """
create temporary table selected on commit drop as
with chosen (person_id) as materialized ({people}), best as (
    select distinct on (c.person_id) c.person_id, c.id, c.value_index, c.country, c.unusable_since
    from chosen join contact_points c using (person_id) where c.channel = 'sms'
    order by c.person_id, c.unusable_since is not null, c.created_at desc, c.id
)
select person_id, p.language, best.id as contact_point_id, best.value_index, best.country,
       case when best.value_index is null then 'no_phone'
            when best.unusable_since is not null then 'unusable_phone'
            when o.value_index is not null then 'opted_out' end as exclusion
from chosen join people p on p.id = person_id left join best using (person_id)
left join opt_outs o on o.value_index = best.value_index and o.gateway = :opt_out_list and o.ended_at is null
order by person_id
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
insert into person_statuses (crisis_id, person_id, reach)
select :crisis_id, person_id, case when exclusion is null then 'waiting' else 'no_phone' end from selected
order by person_id on conflict do nothing
returning reach
"""

_COUNT_STANDINGS = f"with fresh as ({_STANDINGS}) select reach, count(*) from fresh group by reach"  # noqa: S608


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


def select_phones(session: AnySession, people: Select[Any], opt_out_list: str) -> dict[str | None, int]:
    """Choose a phone for each person that `people` selects (one column: person id); distinct phones by country.

    What is chosen lasts until the transaction ends, for exclude() and insert_rows(). opt_out_list: which phones get
    nothing (domain.gateways.opt_out_list).
    """
    compiled = people.compile(dialect=postgresql.dialect(paramstyle="named"), compile_kwargs={"literal_binds": False})  # type: ignore[no-untyped-call]
    session.execute(text("set local work_mem = '32MB'"))
    if session.execute(text(_IS_MISJUDGED)).scalar():
        session.execute(text("analyze people, stays, contact_points, opt_outs"))
    session.execute(text("drop table if exists selected, phones"))
    values = {**compiled.params, "opt_out_list": opt_out_list}
    session.execute(text(_SELECTED.format(people=str(compiled))), values)
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
    fresh = {str(reach): int(count) for reach, count in session.execute(text(_COUNT_STANDINGS), values)}
    row = session.execute(text("select count(*), count(exclusion) from selected")).one()
    if row[0] >= _WORTH_ANALYSING:
        session.execute(
            text("analyze recipients (event_id, person_id, message_id), person_statuses (crisis_id, person_id)")
        )
    used = frozenset({values["gateway"], *gateways.values()})
    return FanOutCount(int(row[0]), int(messages), int(row[1]), fresh, used)
