"""What we know of people's phones: the best news of all their messages in a crisis, kept on the row of the person."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.queries import counters
from consular.queries.counters import AnySession

_NEWS = """
case max(case when m.state in ('delivered', 'read') then 4
              when m.state in ('accepted', 'sent') then 3
              when m.state in ('queued', 'claimed', 'sending', 'unknown', 'held') then 2
              when m.state in ('undelivered', 'refused', 'failed', 'cancelled', 'expired') then 1 end)
     when 4 then 'delivered' when 3 then 'handed_over' when 2 then 'waiting' else 'not_delivered' end
"""

_LOCK = text("""
select s.crisis_id, s.person_id
from person_statuses s
join (select distinct e.crisis_id, r.person_id
      from recipients r join alert_events e on e.id = r.event_id
      where r.message_id = any(cast(:message_ids as bigint[]))) t
  on t.crisis_id = s.crisis_id and t.person_id = s.person_id
order by s.crisis_id, s.person_id
for no key update of s
""")

_SHIFT = text(f"""
with now_known as materialized (
    select k.crisis_id, k.person_id, {_NEWS} as reach
    from unnest(cast(:crises as uuid[]), cast(:people as uuid[])) as k (crisis_id, person_id)
    join alert_events e on e.crisis_id = k.crisis_id
    join recipients r on r.event_id = e.id and r.person_id = k.person_id
    join messages m on m.id = r.message_id
    group by k.crisis_id, k.person_id
), old as materialized (
    select s.crisis_id, s.person_id, s.reach as old_reach, s.bucket as old_bucket, n.reach
    from person_statuses s join now_known n on n.crisis_id = s.crisis_id and n.person_id = s.person_id
    where s.reach <> n.reach
), moved as (
    update person_statuses s set reach = old.reach
    from old where s.crisis_id = old.crisis_id and s.person_id = old.person_id
    returning s.crisis_id, old.old_reach, old.old_bucket, s.reach, s.bucket
)
select crisis_id, old_reach, old_bucket, reach, bucket, count(*) as people
from moved group by 1, 2, 3, 4, 5
""")  # noqa: S608 - the inserted part is a constant of this module

_RAISE_FOR_EVENT = text("""
with raised as (
    update person_statuses s set reach = 'waiting'
    from (select s.crisis_id, s.person_id, s.reach, s.bucket
          from recipients r
          join alert_events e on e.id = r.event_id
          join person_statuses s on s.crisis_id = e.crisis_id and s.person_id = r.person_id
          where r.event_id = :event_id and r.message_id is not null and s.reach in ('no_phone', 'not_delivered')
          order by s.crisis_id, s.person_id for no key update of s) old
    where s.crisis_id = old.crisis_id and s.person_id = old.person_id
    returning s.crisis_id, old.reach as old_reach, old.bucket as old_bucket, s.reach, s.bucket
)
select crisis_id, old_reach, old_bucket, reach, bucket, count(*) as people
from raised group by 1, 2, 3, 4, 5
""")


def apply(session: AnySession, message_ids: Sequence[int]) -> None:
    """Bring the reach of everybody behind these messages, and the counters, up to the messages' present states.

    Best news wins over all messages of the person in that crisis: delivered, handed over, waiting; not delivered only
    when nothing is pending or better. Call it in the transaction that changed the states, after that change and
    before any other counter: people's rows are locked in one order, counters last. Meant for 1 to 1,000 ids.
    """
    people = session.execute(_LOCK, {"message_ids": list(message_ids)}).all()
    if not people:
        return
    keys = {"crises": [row.crisis_id for row in people], "people": [row.person_id for row in people]}
    _count(session, session.execute(_SHIFT, keys).all())


def raise_for_event(session: AnySession, event_id: UUID) -> None:
    """A new event's messages wait: people whose earlier texts all failed, or who had no phone, are waiting again."""
    _count(session, session.execute(_RAISE_FOR_EVENT, {"event_id": event_id}).all())


def _count(session: AnySession, moved: Sequence[Row[Any]]) -> None:
    deltas: Tally[tuple[UUID, str]] = Tally()
    for row in moved:
        deltas[row.crisis_id, f"reach:{row.old_reach}"] -= row.people
        deltas[row.crisis_id, f"reach:{row.reach}"] += row.people
        deltas[row.crisis_id, f"bucket:{row.old_bucket}"] -= row.people
        deltas[row.crisis_id, f"bucket:{row.bucket}"] += row.people
    counters.add(session, deltas)
