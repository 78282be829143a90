"""Lists of people behind every number of the board, in pages that cost the same at the start and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text

from consular.domain.delivery import Reach
from consular.domain.triage import Assessment, Stated
from consular.extensions import cipher, db
from consular.models.statuses import Bucket

PAGE = 50

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_ANSWERED = (Bucket.SAFE, Bucket.NEEDS_HELP, Bucket.NOT_THERE, Bucket.UNCLEAR)


def _statement(wanted: str, after: str, order: str) -> TextClause:
    return text(_SHOW.format(wanted=wanted, after=after, order=order))


_SHOW = """
select q.*, p.name_sealed, p.language, r.people_count as heads, coalesce(st.place_name, st.country) as place,
       m.failure_reason, m.exclusion, m.since as reach_since
from (
    select crisis_id, person_id, bucket, reach, stated, stated_count, stated_at, assessed from person_statuses
    where crisis_id = :crisis_id and {wanted} and {after} order by {order} limit :limit
) q
join people p on p.id = q.person_id
left join lateral (select people_count from registrations where person_id = q.person_id
                   order by created_at desc limit 1) r on true
left join lateral (select country, place_name from stays where person_id = q.person_id
                   order by created_at desc limit 1) st on true
left join lateral (
    select m.failure_reason, rc.exclusion,
           case q.reach when 'delivered' then m.delivered_at when 'handed_over' then m.accepted_at
                        when 'not_delivered' then m.updated_at else coalesce(m.created_at, e.approved_at) end as since
    from alert_events e
    join recipients rc on rc.event_id = e.id and rc.person_id = q.person_id
    left join messages m on m.id = rc.message_id
    where e.crisis_id = q.crisis_id
    order by case q.reach when 'delivered' then m.delivered_at when 'handed_over' then m.accepted_at end
             desc nulls last, e.approved_at desc
    limit 1) m on true
order by {order}
"""

_BY_ID = "person_id > cast(:after_id as uuid)"
_BY_MOMENT = "(stated_at, person_id) > (cast(:after_at as timestamptz), cast(:after_id as uuid))"
_SPOKEN = _statement("bucket = :bucket", _BY_MOMENT, "stated_at, person_id")
_ONE = _statement("bucket = :bucket", _BY_ID, "person_id")
_SEVERAL = _statement("bucket = any(:buckets)", _BY_ID, "person_id")
_ASSESSED = _statement("assessed = :assessed", _BY_ID, "person_id")


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person in a list. since: when they said it, or when the network reported what we know of their phone.

    heads: people in the registration, themselves included. reason: why a text failed or none was sent.
    """

    id: UUID
    name: str
    place: str | None
    language: str
    heads: int | None
    bucket: Bucket
    reach: Reach
    stated: Stated | None
    stated_count: int | None
    assessed: Assessment | None
    since: datetime | None
    reason: str | None
    stated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended."""

    id: UUID
    at: datetime | None = None


def list_bucket(crisis_id: UUID, bucket: Bucket, after: Place | None = None, limit: int = PAGE) -> list[PersonLine]:
    """The next people in one part of the board; of those who answered, the oldest word first."""
    return _lines(_SPOKEN if bucket in _ANSWERED else _ONE, crisis_id, after, limit, bucket=bucket)


def list_buckets(
    crisis_id: UUID, buckets: Sequence[Bucket], after: Place | None = None, limit: int = PAGE
) -> list[PersonLine]:
    """The next people in any of several parts, in the order of their ids."""
    return _lines(_SEVERAL, crisis_id, after, limit, buckets=list(buckets))


def list_assessed(
    crisis_id: UUID, assessed: Assessment, after: Place | None = None, limit: int = PAGE
) -> list[PersonLine]:
    """The next people whom officers assessed so, in the order of their ids."""
    return _lines(_ASSESSED, crisis_id, after, limit, assessed=assessed)


def assessment_token(assessed_at: datetime | None) -> str:
    """What an assessment form was drawn from; when it comes back different, somebody else assessed meanwhile."""
    return assessed_at.isoformat() if assessed_at else "none"


def _lines(
    statement: TextClause, crisis_id: UUID, after: Place | None, limit: int, **wanted: object
) -> list[PersonLine]:
    values = {
        "crisis_id": crisis_id,
        "limit": limit,
        "after_id": after.id if after else UUID(int=0),
        "after_at": (after.at if after else None) or _BEGINNING,
    }
    return [_line(row) for row in db.session.execute(statement, values | wanted)]


def _line(row: Row[Any]) -> PersonLine:
    return PersonLine(
        id=row.person_id,
        name=cipher.open(row.name_sealed, "people.name", row.person_id),
        place=row.place,
        language=row.language,
        heads=row.heads,
        bucket=Bucket(row.bucket),
        reach=Reach(row.reach),
        stated=Stated(row.stated) if row.stated else None,
        stated_count=row.stated_count,
        assessed=Assessment(row.assessed) if row.assessed else None,
        since=row.stated_at or row.reach_since,
        reason=row.failure_reason or row.exclusion,
        stated_at=row.stated_at,
    )
