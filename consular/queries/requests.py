"""The officers' queue: needs help first, oldest first, read from its index in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.dialects.postgresql import insert

from consular.domain.triage import Stated
from consular.extensions import cipher, db
from consular.models.assistance import AssistanceRequest, RequestKind
from consular.models.statuses import StatusEvent
from consular.queries.counters import AnySession
from consular.queries.heard_words import heard_words
from consular.queries.statuses import Key

__all__ = [
    "KINDS",
    "TAKEN",
    "Cursor",
    "QueueRow",
    "RequestKind",
    "closed_page",
    "find",
    "insert_new",
    "lock",
    "oldest",
    "open_page",
    "people_of",
    "people_told",
    "state_token",
]

TAKEN = "request.taken"
"""The audit entry by which an officer says "I am on it"; the last one counts."""

KINDS = (
    RequestKind.NEEDS_HELP,
    RequestKind.UNCLEAR,
    RequestKind.WRONG_PERSON,
    RequestKind.UNKNOWN_SENDER,
    RequestKind.OPTED_OUT,
)
"""In the order of the queue."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

_OPEN = """
select q.id, q.source_key, q.kind, q.opened_at, q.closed_at, q.outcome, q.note_sealed, q.crisis_id, q.person_id,
       q.inbound_id, i.body_sealed, i.missing_parts, i.kind as read_as, i.people_matched,
       e.id as event_id, e.note_sealed as link_note_sealed, p.language, r.people_count as heads,
       coalesce(s.place_name, s.country) as place, t.full_name as closed_by_name,
       h.officer_id as holder_id, ho.full_name as holder, h.at as held_since
from ({pick}) q
left join inbound_messages i on i.id = q.inbound_id
left join lateral (select id, note_sealed from status_events
                   where q.inbound_id is null and text_key = q.source_key and source = 'link'
                   order by number limit 1) e on true
left join people p on p.id = q.person_id
left join officers t on t.id = q.closed_by
left join lateral (select people_count from registrations where person_id = q.person_id
                   order by created_at desc limit 1) r on true
left join lateral (select country, place_name from stays where person_id = q.person_id
                   order by created_at desc limit 1) s on true
left join lateral (select officer_id, at from audit_entries where subject_type = 'request'
                   and subject_id = cast(q.id as text) and action = 'request.taken' order by id desc limit 1) h on true
left join officers ho on ho.id = h.officer_id
order by {order}
"""

OF_ITS_KIND = "is_exercise = (select status = 'Exercise' from crises where id = :crisis_id)"
"""What belongs to no crisis is shown in every one of its kind: practice in exercises, real texts in real crises."""

_PICK_KIND = f"""
(select * from assistance_requests where crisis_id = :crisis_id and closed_at is null and kind = :kind
   and (opened_at, id) > (:after, cast(:after_id as uuid)) order by opened_at, id limit :limit)
union all
(select * from assistance_requests where crisis_id is null and closed_at is null and kind = :kind and {OF_ITS_KIND}
   and (opened_at, id) > (:after, cast(:after_id as uuid)) order by opened_at, id limit :limit)
order by opened_at, id limit :limit
"""  # noqa: S608 - the inserted part is a constant of this module

_PICK_CLOSED = """
select * from assistance_requests where crisis_id = :crisis_id and closed_at is not null
order by closed_at desc limit :limit
"""

_KIND_PAGE = text(_OPEN.format(pick=_PICK_KIND, order="q.opened_at, q.id"))
_ONE = text(_OPEN.format(pick="select * from assistance_requests where id = :id", order="q.id"))
_CLOSED = text(_OPEN.format(pick=_PICK_CLOSED, order="q.closed_at desc"))
_TOLD = text("""
select p.id, k.crisis_id, p.name_sealed, p.language, coalesce(st.place_name, st.country) as place, s.stated,
       (select people_count from registrations where person_id = p.id order by created_at desc limit 1) as heads
from unnest(cast(:people as uuid[]), cast(:crises as uuid[])) as k (person_id, crisis_id)
join people p on p.id = k.person_id
left join person_statuses s on s.person_id = p.id and s.crisis_id = k.crisis_id
left join lateral (select country, place_name from stays where person_id = p.id
                   order by created_at desc limit 1) st on true
order by p.id
""")
_OLDEST = text(f"""
select kind, min(opened_at) as opened_at
from unnest(cast(:kinds as text[])) as k (kind)
cross join lateral (
    (select opened_at from assistance_requests where crisis_id = :crisis_id and closed_at is null and kind = k.kind
     order by opened_at limit 1)
    union all
    (select opened_at from assistance_requests where crisis_id is null and closed_at is null and kind = k.kind
     and {OF_ITS_KIND} order by opened_at limit 1)) o
group by kind
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One request as the queue shows it. words: the text, or the note of a link answer. read_as: the rules' kind."""

    id: UUID
    source_key: str
    kind: RequestKind
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    note: str | None
    crisis_id: UUID | None
    person_id: UUID | None
    words: str | None
    read_as: str | None
    people_matched: int | None
    language: str | None
    heads: int | None
    place: str | None
    holder_id: UUID | None
    holder: str | None
    held_since: datetime | None

    @property
    def number(self) -> str:
        """The short number officers say to each other."""
        return self.id.hex[:6].upper()

    @property
    def state_token(self) -> str:
        """See state_token()."""
        return state_token(self.kind, self.closed_at)


@dataclass(frozen=True, slots=True)
class PersonTold:
    """Somebody whom a request may be about, as they stand now. was_told: the text was recorded as their statement."""

    id: UUID
    crisis_id: UUID | None
    name: str
    place: str | None
    heads: int
    language: str
    stated: Stated | None
    was_told: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the kind and, within it, the last row."""

    kind: RequestKind
    opened_at: datetime
    id: UUID


def state_token(kind: str, closed_at: datetime | None) -> str:
    """What a form was drawn from; a different token when it comes back means that somebody else acted meanwhile."""
    return f"{kind}:{closed_at.isoformat() if closed_at else 'open'}"


def open_page(
    crisis_id: UUID, kinds: Sequence[RequestKind] = KINDS, after: Cursor | None = None, limit: int = 50
) -> list[QueueRow]:
    """The next `limit` open requests of a crisis and of no crisis, by kind in the order of KINDS, then oldest first."""
    found: list[QueueRow] = []
    for kind in (kind for kind in KINDS if kind in kinds):
        if after is not None and KINDS.index(kind) < KINDS.index(after.kind):
            continue
        start = after if after is not None and after.kind is kind else None
        found += _kind_page(crisis_id, kind, start, limit - len(found))
        if len(found) >= limit:
            break
    return found


def closed_page(crisis_id: UUID, limit: int = 50) -> list[QueueRow]:
    """The requests closed last."""
    return [_queue_row(row) for row in db.session.execute(_CLOSED, {"crisis_id": crisis_id, "limit": limit})]


def find(request_id: UUID) -> QueueRow | None:
    """One request, open or closed."""
    row = db.session.execute(_ONE, {"id": request_id}).one_or_none()
    return _queue_row(row) if row else None


def oldest(crisis_id: UUID) -> dict[RequestKind, datetime]:
    """Since when the oldest open request of each kind waits; kinds without one are left out."""
    rows = db.session.execute(_OLDEST, {"crisis_id": crisis_id, "kinds": list(KINDS)})
    return {RequestKind(row.kind): row.opened_at for row in rows}


def insert_new(
    session: AnySession, rows: Sequence[Mapping[str, object]]
) -> list[tuple[UUID | None, bool, RequestKind]]:
    """Insert requests whose source_key is new; (crisis, is_exercise, kind) of each that was."""
    statement = (
        insert(AssistanceRequest)
        .on_conflict_do_nothing(index_elements=["source_key"])
        .returning(AssistanceRequest.crisis_id, AssistanceRequest.is_exercise, AssistanceRequest.kind)
    )
    return [(row.crisis_id, row.is_exercise, row.kind) for row in session.execute(statement, list(rows))]


def lock(session: AnySession, request_id: UUID) -> AssistanceRequest | None:
    """The request, locked until the transaction ends."""
    return session.get(AssistanceRequest, request_id, with_for_update=True, populate_existing=True)


def people_of(session: AnySession, source_key: str, person_id: UUID | None = None) -> list[Key]:
    """(crisis, person) of everybody whom a text was recorded for, in one order. person_id: when it is only one."""
    statement = (
        select(StatusEvent.crisis_id, StatusEvent.person_id).where(StatusEvent.text_key == source_key).distinct()
    )
    if person_id is not None:
        statement = statement.where(StatusEvent.person_id == person_id)
    return sorted((row.crisis_id, row.person_id) for row in session.execute(statement))


def people_told(row: QueueRow) -> list[PersonTold]:
    """Everybody whom a request may be about: those its text was recorded for, else the one person behind the phone."""
    keys = people_of(db.session(), row.source_key)
    told = {person_id: crisis_id for crisis_id, person_id in keys}
    ids = list(told) or ([row.person_id] if row.person_id else [])
    crises = [told.get(person_id, row.crisis_id) for person_id in ids]
    found = db.session.execute(_TOLD, {"people": ids, "crises": crises}) if ids else ()
    return [
        PersonTold(
            id=person.id,
            crisis_id=person.crisis_id,
            name=cipher.open(person.name_sealed, "people.name", person.id),
            place=person.place,
            heads=person.heads or 1,
            language=person.language,
            stated=Stated(person.stated) if person.stated else None,
            was_told=person.id in told,
        )
        for person in found
    ]


def _kind_page(crisis_id: UUID, kind: RequestKind, after: Cursor | None, limit: int) -> Iterator[QueueRow]:
    values = {
        "crisis_id": crisis_id,
        "kind": kind,
        "after": after.opened_at if after else _BEGINNING,
        "after_id": after.id if after else UUID(int=0),
        "limit": limit,
    }
    return (_queue_row(row) for row in db.session.execute(_KIND_PAGE, values))


def _queue_row(row: Row[Any]) -> QueueRow:
    return QueueRow(
        id=row.id,
        source_key=row.source_key,
        kind=RequestKind(row.kind),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by_name,
        outcome=row.outcome,
        note=cipher.open(row.note_sealed, "assistance_requests.note", row.id) if row.note_sealed else None,
        crisis_id=row.crisis_id,
        person_id=row.person_id,
        words=_words(row),
        read_as=row.read_as,
        people_matched=row.people_matched,
        language=row.language,
        heads=row.heads,
        place=row.place,
        holder_id=row.holder_id,
        holder=row.holder,
        held_since=row.held_since,
    )


def _words(row: Row[Any]) -> str | None:
    if row.body_sealed:
        return heard_words(row)
    if row.link_note_sealed:
        return cipher.open(row.link_note_sealed, "status_events.note", row.event_id)
    return None
