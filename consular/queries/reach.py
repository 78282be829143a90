"""What we know of people's phones: the best news of all their messages in a crisis, kept on the row of the person."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.domain.delivery import Reach
from consular.queries import counters
from consular.queries.counters import AnySession
from consular.queries.statuses import Key

_RANKED = (Reach.NO_PHONE, Reach.NOT_DELIVERED, Reach.WAITING, Reach.HANDED_OVER, Reach.DELIVERED)
"""From the worst news to the best."""

_NEWS = """
max(case when m.state in ('delivered', 'read') then 4
         when m.state in ('accepted', 'sent') then 3
         when m.state in ('queued', 'claimed', 'sending', 'unknown', 'held') then 2
         when m.state in ('undelivered', 'refused', 'failed', 'cancelled', 'expired') then 1 end)
"""

_LOCK = text(f"""
select s.crisis_id, s.person_id, s.reach, s.bucket, t.news
from person_statuses s
join (select e.crisis_id, r.person_id, {_NEWS} as news
      from messages m
      join recipients r on r.message_id = m.id
      join alert_events e on e.id = r.event_id
      where m.id = any(cast(:message_ids as bigint[]))
      group by e.crisis_id, r.person_id) t
  on t.crisis_id = s.crisis_id and t.person_id = s.person_id
order by s.crisis_id, s.person_id
for no key update of s
""")  # noqa: S608 - the inserted part is a constant of this module

_BEST = text(f"""
select k.crisis_id, k.person_id, {_NEWS} as news
from unnest(cast(:crises as uuid[]), cast(:people as uuid[])) as k (crisis_id, person_id)
join alert_events e on e.crisis_id = k.crisis_id
join recipients r on r.event_id = e.id and r.person_id = k.person_id
join messages m on m.id = r.message_id
group by k.crisis_id, k.person_id
""")  # noqa: S608

_WRITE = text("""
update person_statuses s set reach = v.reach
from unnest(cast(:crises as uuid[]), cast(:people as uuid[]), cast(:reach as text[])) as v (crisis_id, person_id, reach)
where s.crisis_id = v.crisis_id and s.person_id = v.person_id
returning s.crisis_id, s.person_id, s.reach, s.bucket
""")

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
    when nothing is pending or better. Call it in the transaction that changed the states, after that change and before
    any other counter: people's rows are locked in one order, counters last. Meant for 1 to 1,000 ids.
    """
    before = {(row.crisis_id, row.person_id): row for row in session.execute(_LOCK, {"message_ids": list(message_ids)})}
    better = {key: row.news for key, row in before.items() if row.news > _RANKED.index(row.reach)}
    worse = [key for key, row in before.items() if row.news < _RANKED.index(row.reach)]
    best = {key: news for key, news in _best(session, worse) if news != _RANKED.index(before[key].reach)}
    changed = better | best
    if changed:
        values = _keys(changed) | {"reach": [_RANKED[news] for news in changed.values()]}
        after = session.execute(_WRITE, values).all()
        counters.add(session, _deltas(before, after))


def _deltas(before: Mapping[Key, Row[Any]], after: Sequence[Row[Any]]) -> Tally[tuple[UUID, str]]:
    deltas: Tally[tuple[UUID, str]] = Tally()
    for row in after:
        old = before[row.crisis_id, row.person_id]
        for key, change in ((old, -1), (row, 1)):
            deltas[row.crisis_id, f"reach:{key.reach}"] += change
            deltas[row.crisis_id, f"bucket:{key.bucket}"] += change
    return deltas


def raise_for_event(session: AnySession, event_id: UUID) -> None:
    """A new event's messages wait: people whose earlier texts all failed, or who had no phone, are waiting again."""
    rows = session.execute(_RAISE_FOR_EVENT, {"event_id": event_id}).all()
    deltas: Tally[tuple[UUID, str]] = Tally()
    for row in rows:
        deltas[row.crisis_id, f"reach:{row.old_reach}"] -= row.people
        deltas[row.crisis_id, f"reach:{row.reach}"] += row.people
        deltas[row.crisis_id, f"bucket:{row.old_bucket}"] -= row.people
        deltas[row.crisis_id, f"bucket:{row.bucket}"] += row.people
    counters.add(session, deltas)


def _best(session: AnySession, keys: Collection[Key]) -> list[tuple[Key, int]]:
    """The best news over all messages of these people: bad news of one message may leave better news of another."""
    if not keys:
        return []
    return [((row.crisis_id, row.person_id), row.news) for row in session.execute(_BEST, _keys(keys))]


def _keys(keys: Collection[Key]) -> dict[str, list[Any]]:
    return {"crises": [crisis for crisis, _ in keys], "people": [person for _, person in keys]}
