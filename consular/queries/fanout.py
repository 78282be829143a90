"""From an approved event to its rows: recipients, messages, standing of each person, counters; set-based, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, scoped_session

AnySession = Session | scoped_session[Session]

_SELECTED = """
create temporary table selected on commit drop as
select s.person_id, p.language, c.id as contact_point_id, c.value_index, c.country,
       case when c.value_index is null then 'no_phone'
            when c.unusable_since is not null then 'unusable_phone'
            when o.value_index is not null then 'opted_out' end as exclusion
from ({people}) as s (person_id)
join people p on p.id = s.person_id
left join lateral (
    select id, value_index, country, unusable_since from contact_points
    where person_id = s.person_id and channel = 'sms'
    order by unusable_since is not null, created_at desc, id limit 1
) c on true
left join opt_outs o on o.value_index = c.value_index and o.ended_at is null
"""

_MESSAGES = """
insert into messages (kind, event_id, crisis_id, channel, contact_point_id, endpoint_index, country, language, gateway,
                      priority, state, not_before, expires_at)
select distinct on (value_index) 'alert', :event_id, :crisis_id, 'sms', contact_point_id, value_index, country, language,
       :gateway, :priority, 'queued', now(), :expires_at
from selected where exclusion is null order by value_index, contact_point_id
on conflict do nothing
"""

_RECIPIENTS = """
insert into recipients (event_id, person_id, message_id, exclusion)
select :event_id, s.person_id, m.id, s.exclusion
from selected s
left join messages m on s.exclusion is null and m.event_id = :event_id and m.endpoint_index = s.value_index
     and m.channel = 'sms' and m.step = 0
on conflict do nothing
"""

_STANDINGS = """
insert into person_statuses (crisis_id, person_id, reach)
select :crisis_id, person_id, case when exclusion is null then 'waiting' else 'no_phone' end from selected
order by person_id on conflict do nothing
returning reach
"""

_COUNT_STANDINGS = f"with fresh as ({_STANDINGS}) select reach, count(*) from fresh group by reach"


@dataclass(frozen=True, slots=True)
class FanOutCount:
    """What an event became: people selected, one message per distinct phone, people without one, by new standing."""

    people: int
    messages: int
    excluded: int
    fresh: dict[str, int]


def insert_rows(session: AnySession, people: Select[Any], values: dict[str, Any]) -> FanOutCount:
    """Insert every row of the event `values["event_id"]` for the people that `people` selects (one column: person id).

    values: event_id, crisis_id, gateway, priority, expires_at. Safe to repeat: existing rows stay as they are.
    """
    compiled = people.compile(dialect=postgresql.dialect(paramstyle="named"), compile_kwargs={"literal_binds": False})  # type: ignore[no-untyped-call]
    session.execute(text("set local work_mem = '128MB'"))
    session.execute(text("drop table if exists selected"))
    session.execute(text(_SELECTED.format(people=str(compiled))), dict(compiled.params))
    session.execute(text("analyze selected"))
    messages = session.execute(text(_MESSAGES), values).rowcount  # type: ignore[attr-defined]
    session.execute(text(_RECIPIENTS), values)
    fresh = {str(reach): int(count) for reach, count in session.execute(text(_COUNT_STANDINGS), values)}
    row = session.execute(text("select count(*), count(exclusion) from selected")).one()
    return FanOutCount(people=int(row[0]), messages=int(messages), excluded=int(row[1]), fresh=fresh)
