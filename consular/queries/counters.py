"""Totals kept by difference, so that a board costs the same for ten people and a million, and their recount."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import MessageState, counted_as
from consular.extensions import db
from consular.models.statuses import Counter

AnySession = Session | scoped_session[Session]
Deltas = Mapping[tuple[UUID, str], int]

NO_CRISIS = UUID(int=0)
NO_EXERCISE = UUID(int=1)
"""The scopes of requests that belong to no crisis, or no exercise, yet."""

_ADD = text("""
insert into counters (scope_id, key, value)
select scope_id, key, delta
from unnest(cast(:scopes as uuid[]), cast(:keys as text[]), cast(:deltas as bigint[])) as d (scope_id, key, delta)
order by scope_id, key
on conflict (scope_id, key) do update set value = counters.value + excluded.value
""")

_RECOUNT_PEOPLE = text("""
select 'bucket:' || bucket, count(*) from person_statuses where crisis_id = :crisis_id group by 1
union all
select 'reach:' || reach, count(*) from person_statuses where crisis_id = :crisis_id group by 1
union all
select 'heads:' || bucket, sum(greatest(coalesce(stated_count, 1), 1)) from person_statuses
where crisis_id = :crisis_id and stated is not null group by 1
union all
select 'assessed:' || assessed, count(*) from person_statuses
where crisis_id = :crisis_id and assessed is not null group by 1
""")

_RECOUNT_REQUESTS = text("""
select 'requests:' || kind, count(*) from assistance_requests
where :crisis_id = coalesce(
    crisis_id, case when is_exercise then cast(:no_exercise as uuid) else cast(:no_crisis as uuid) end)
    and closed_at is null group by 1
""")

_RECOUNT_MESSAGES = text("select state, count(*) from messages where event_id = :event_id group by 1")


def add(session: AnySession, deltas: Deltas) -> None:
    """Add `deltas` ((scope, key) -> difference) in one statement. Call it last in a transaction.

    Rows are locked in the order of scope and key until the transaction ends, so that two workers never wait for each
    other in a circle.
    """
    changes = sorted((scope, key, delta) for (scope, key), delta in deltas.items() if delta)
    if not changes:
        return
    scopes, keys, values = zip(*changes, strict=True)
    session.execute(_ADD, {"scopes": list(scopes), "keys": list(keys), "deltas": list(values)})


def read(scope_id: UUID) -> dict[str, int]:
    """Every counter of a crisis or an event: one short index scan."""
    rows = db.session.execute(select(Counter.key, Counter.value).where(Counter.scope_id == scope_id))
    return {key: value for key, value in rows}


def recount_crisis(crisis_id: UUID) -> dict[str, int]:
    """What read(crisis_id) must give, counted from the rows; zeros are left out. For checks, not for pages."""
    people = db.session.execute(_RECOUNT_PEOPLE, {"crisis_id": crisis_id})
    apart = {"no_crisis": NO_CRISIS, "no_exercise": NO_EXERCISE}
    requests = db.session.execute(_RECOUNT_REQUESTS, {"crisis_id": crisis_id, **apart})
    return {key: int(value) for rows in (people, requests) for key, value in rows}


def recount_event(event_id: UUID) -> dict[str, int]:
    """What read(event_id) must give, counted from the messages themselves; zeros are left out."""
    counted: Tally[str] = Tally()
    for state, number in db.session.execute(_RECOUNT_MESSAGES, {"event_id": event_id}):
        counted["message:" + counted_as(MessageState(state))] += number
    return dict(counted)
