"""Where people stand: locking, appending what was said, writing what it amounts to; set-based for hundreds at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from consular.domain.delivery import Reach
from consular.domain.triage import Assessment, Standing, Stated, Statement, StatementSource
from consular.models.statuses import Bucket, StatusEvent
from consular.queries.counters import AnySession

Key = tuple[UUID, UUID]
"""Crisis id, person id."""

_SILENCE = {
    Reach.DELIVERED: Bucket.SILENT,
    Reach.HANDED_OVER: Bucket.HANDED_OVER,
    Reach.NOT_DELIVERED: Bucket.NOT_DELIVERED,
    Reach.NO_PHONE: Bucket.NO_PHONE,
    Reach.WAITING: Bucket.WAITING,
}

_KEYS = "unnest(cast(:crises as uuid[]), cast(:people as uuid[])) as k (crisis_id, person_id)"

_CREATE = text(f"""
insert into person_statuses (crisis_id, person_id, reach)
select k.crisis_id, k.person_id,
       case when exists (select from contact_points c where c.person_id = k.person_id and c.channel = 'sms'
                         and c.unusable_since is null) then 'waiting' else 'no_phone' end
from {_KEYS}
where not exists (select from person_statuses s where s.crisis_id = k.crisis_id and s.person_id = k.person_id)
order by k.crisis_id, k.person_id
on conflict do nothing
returning crisis_id, person_id
""")  # noqa: S608 - the inserted part is a constant of this module

_LOCK = text(f"""
select s.crisis_id, s.person_id, s.reach, s.stated, s.stated_count, s.stated_at,
       s.assessed, s.assessed_at, s.assessed_by
from person_statuses s join {_KEYS} using (crisis_id, person_id)
order by s.crisis_id, s.person_id
for no key update of s
""")  # noqa: S608

_EVENTS = text(f"""
select e.crisis_id, e.person_id, e.said_at, e.number, e.source, e.stated, e.count as said_count, e.text_key
from status_events e join {_KEYS} using (crisis_id, person_id)
""")  # noqa: S608

_WRITE = text("""
update person_statuses s
set stated = v.stated, stated_count = v.stated_count, stated_at = v.stated_at,
    assessed = v.assessed, assessed_at = v.assessed_at, assessed_by = v.assessed_by
from unnest(cast(:crises as uuid[]), cast(:people as uuid[]), cast(:stated as text[]), cast(:counts as int[]),
            cast(:stated_at as timestamptz[]), cast(:assessed as text[]), cast(:assessed_at as timestamptz[]),
            cast(:assessed_by as uuid[]))
     as v (crisis_id, person_id, stated, stated_count, stated_at, assessed, assessed_at, assessed_by)
where s.crisis_id = v.crisis_id and s.person_id = v.person_id
""")


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One person_statuses row as a value; what it adds to the counters of its crisis is a function of it alone."""

    reach: Reach
    standing: Standing
    assessed: Assessment | None
    assessed_at: datetime | None
    assessed_by: UUID | None

    @property
    def bucket(self) -> Bucket:
        """The place on the board: what the person said before what the network said (the database derives the same)."""
        return Bucket(self.standing.stated.lower()) if self.standing.stated else _SILENCE[self.reach]

    def counted(self) -> Iterator[tuple[str, int]]:
        """Counter keys and how much of each this row is."""
        yield f"bucket:{self.bucket}", 1
        yield f"reach:{self.reach}", 1
        if self.standing.stated:
            yield f"heads:{self.bucket}", max(self.standing.count or 1, 1)
        if self.assessed:
            yield f"assessed:{self.assessed}", 1


def _parameters(keys: Collection[Key]) -> dict[str, list[UUID]]:
    return {"crises": [crisis for crisis, _ in keys], "people": [person for _, person in keys]}


def create_missing(session: AnySession, keys: Collection[Key]) -> set[Key]:
    """Rows for people who had none in that crisis, with the reach that their phones allow; the keys of the new ones."""
    return {(row.crisis_id, row.person_id) for row in session.execute(_CREATE, _parameters(keys))}


def lock(session: AnySession, keys: Collection[Key]) -> dict[Key, StatusRow]:
    """The rows, locked until the transaction ends, always in the same order."""
    return {
        (row.crisis_id, row.person_id): StatusRow(
            reach=Reach(row.reach),
            standing=Standing(Stated(row.stated) if row.stated else None, row.stated_count, row.stated_at),
            assessed=Assessment(row.assessed) if row.assessed else None,
            assessed_at=row.assessed_at,
            assessed_by=row.assessed_by,
        )
        for row in session.execute(_LOCK, _parameters(keys))
    }


def append_events(session: AnySession, rows: Sequence[Mapping[str, object]]) -> None:
    """Append status events in the order given; a row whose `id` exists already is the same event and is left out."""
    session.execute(insert_or_skip(StatusEvent).on_conflict_do_nothing(index_elements=["id"]), list(rows))


def statements(session: AnySession, keys: Collection[Key]) -> dict[Key, list[Statement]]:
    """Everything that was said of these people in these crises."""
    found: dict[Key, list[Statement]] = {key: [] for key in keys}
    for row in session.execute(_EVENTS, _parameters(keys)):
        found[row.crisis_id, row.person_id].append(
            Statement(
                said_at=row.said_at,
                order=row.number,
                source=StatementSource(row.source),
                stated=Stated(row.stated) if row.stated else None,
                count=row.said_count,
                text_key=row.text_key,
            )
        )
    return found


def write(session: AnySession, rows: Mapping[Key, StatusRow]) -> None:
    """Write what changed; the rows must be locked."""
    values = list(rows.values())
    session.execute(
        _WRITE,
        _parameters(list(rows))
        | {
            "stated": [row.standing.stated for row in values],
            "counts": [row.standing.count for row in values],
            "stated_at": [row.standing.said_at for row in values],
            "assessed": [row.assessed for row in values],
            "assessed_at": [row.assessed_at for row in values],
            "assessed_by": [row.assessed_by for row in values],
        },
    )
