"""One person's record in a crisis: who they are, where they stand, and all that was sent, said and done, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.domain.delivery import Reach
from consular.domain.triage import Assessment, Outcome, Stated, StatementSource
from consular.extensions import cipher, db
from consular.models.statuses import Bucket
from consular.queries.heard_words import heard_words

_PERSON = text("""
select p.id, p.name_sealed, p.home_country, p.language, r.people_count, r.created_at as registered_at,
       st.id as stay_id, st.country, st.place_name, st.is_resident, st.from_date, st.until_date, st.address_sealed,
       pl.timezone, s.reach, s.bucket, s.stated, s.stated_count, s.stated_at, s.assessed, s.assessed_at,
       o.full_name as assessor
from person_statuses s
join people p on p.id = s.person_id
left join officers o on o.id = s.assessed_by
left join lateral (select * from registrations where person_id = p.id order by created_at desc limit 1) r on true
left join lateral (select * from stays where person_id = p.id order by created_at desc limit 1) st on true
left join places pl on pl.id = st.place_id
where s.crisis_id = :crisis_id and s.person_id = :person_id
""")

_CONTACTS = text("""
select c.id, c.channel, c.value_sealed, c.country, c.is_valid, c.unusable_since, c.unusable_reason,
       (select min(o.opted_out_at) from opt_outs o where o.value_index = c.value_index and o.ended_at is null)
           as opted_out_at,
       (select count(distinct person_id) from contact_points x where x.value_index = c.value_index) - 1 as others
from contact_points c
where c.person_id = :person_id order by c.channel desc, c.created_at desc
""")

_EVENTS = text("""
select e.id, e.said_at, e.number, e.source, e.stated, e.assessed, e.count, e.note_sealed, e.text_key, e.inbound_id,
       o.full_name as officer, i.body_sealed, i.missing_parts, i.kind as read_as
from status_events e
left join officers o on o.id = e.officer_id
left join inbound_messages i on i.id = e.inbound_id
where e.person_id = :person_id and e.crisis_id = :crisis_id
order by e.said_at, e.number
""")

_MESSAGES = text("""
select m.id, m.state, m.created_at, m.accepted_at, m.delivered_at, m.updated_at, m.failure_reason, m.error_code,
       m.possible_duplicate, rc.exclusion, e.approved_at, a.event as subject,
       (select count(*) from message_attempts t where t.message_id = m.id) as attempts
from alert_events e
join alerts a on a.id = e.alert_id
join recipients rc on rc.event_id = e.id and rc.person_id = :person_id
left join messages m on m.id = rc.message_id
where e.crisis_id = :crisis_id order by e.approved_at
""")

_RECEIPTS = text("""
select r.received_at, r.status, r.error_code from messages m
join receipt_events r on r.gateway = m.gateway and r.provider_message_id = m.provider_message_id
where m.id = any(:message_ids) order by r.received_at
""")

_REQUESTS = text("""
select q.id, q.kind, q.opened_at, q.closed_at, q.outcome, q.note_sealed, q.inbound_id, i.body_sealed, i.missing_parts,
       o.full_name as officer,
       exists (select from status_events e where e.person_id = :person_id and e.text_key = q.source_key) as is_told
from assistance_requests q
left join officers o on o.id = q.closed_by
left join inbound_messages i on i.id = q.inbound_id
where q.id in (
    select id from assistance_requests where person_id = :person_id and (crisis_id = :crisis_id or crisis_id is null
        and is_exercise = (select status = 'Exercise' from crises where id = :crisis_id))
    union
    select r.id from status_events e join assistance_requests r on r.source_key = e.text_key
    where e.person_id = :person_id and e.crisis_id = :crisis_id)
order by q.opened_at
""")


@dataclass(frozen=True, slots=True)
class Contact:
    """A phone or an address. others: how many other people on record have it. problem: why nothing is sent there."""

    channel: str
    value: str
    country: str | None
    others: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline. kind: said, act, sent, report, request. words: what the person wrote."""

    at: datetime
    kind: str
    title: str
    words: str | None = None
    note: str | None = None
    by: str | None = None
    request_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Everything an officer needs on one screen. timezone: IANA name of the place of stay, if known."""

    id: UUID
    name: str
    home_country: str
    language: str
    heads: int
    registered_at: datetime | None
    country: str | None
    place: str | None
    timezone: str | None
    is_resident: bool | None
    from_date: date | None
    until_date: date | None
    address: str | None
    reach: Reach
    bucket: Bucket
    stated: Stated | None
    stated_count: int | None
    stated_at: datetime | None
    assessed: Assessment | None
    assessed_at: datetime | None
    assessor: str | None
    contacts: list[Contact] = field(default_factory=list)
    open_requests: list[UUID] = field(default_factory=list)
    timeline: list[Moment] = field(default_factory=list)


def find_record(crisis_id: UUID, person_id: UUID) -> Record | None:
    """The record, or None when the person is not part of that crisis."""
    keys = {"crisis_id": crisis_id, "person_id": person_id}
    row = db.session.execute(_PERSON, keys).one_or_none()
    if row is None:
        return None
    requests = db.session.execute(_REQUESTS, keys).all()
    closed = {request.closed_at for request in requests}
    moments = [*_said(keys, closed), *_sent(keys), *_asked(requests)]
    return Record(
        id=row.id,
        name=cipher.open(row.name_sealed, "people.name", row.id),
        home_country=row.home_country,
        language=row.language,
        heads=row.people_count or 1,
        registered_at=row.registered_at,
        country=row.country,
        place=row.place_name,
        timezone=row.timezone,
        is_resident=row.is_resident,
        from_date=row.from_date,
        until_date=row.until_date,
        address=cipher.open(row.address_sealed, "stays.address", row.stay_id) if row.address_sealed else None,
        reach=Reach(row.reach),
        bucket=Bucket(row.bucket),
        stated=Stated(row.stated) if row.stated else None,
        stated_count=row.stated_count,
        stated_at=row.stated_at,
        assessed=Assessment(row.assessed) if row.assessed else None,
        assessed_at=row.assessed_at,
        assessor=row.assessor,
        contacts=[_contact(contact) for contact in db.session.execute(_CONTACTS, {"person_id": person_id})],
        open_requests=[request.id for request in requests if request.closed_at is None],
        timeline=sorted(moments, key=lambda moment: moment.at),
    )


def _contact(row: Row[Any]) -> Contact:
    problem = None
    if row.unusable_since:
        problem = f"not used: {(row.unusable_reason or 'no reason given').replace('_', ' ')}"
    elif row.opted_out_at:
        problem = "asked for no more texts"
    elif not row.is_valid:
        problem = "looks unusual for its country"
    value = cipher.open(row.value_sealed, "contact_points.value", row.id)
    return Contact(row.channel, value, row.country, row.others, problem)


_TITLES = {
    StatementSource.SMS: "Text from the person",
    StatementSource.LINK: "Answer by the personal link",
    StatementSource.READING: "An officer read the text",
    StatementSource.ASSESSMENT: "An officer's assessment",
    StatementSource.CLOSING: "An officer closed the call for help",
}

_WORDS = {
    Stated.SAFE: "safe",
    Stated.NEEDS_HELP: "needs help",
    Stated.NOT_THERE: "not there",
    Stated.UNCLEAR: "unclear, for a human to read",
}


def _said(keys: dict[str, UUID], closed: set[datetime | None]) -> Iterator[Moment]:
    for row in db.session.execute(_EVENTS, keys):
        source = StatementSource(row.source)
        if source is StatementSource.CLOSING and row.said_at in closed:
            continue
        own = source in (StatementSource.SMS, StatementSource.LINK)
        words = heard_words(row) if own and row.body_sealed else None
        note = cipher.open(row.note_sealed, "status_events.note", row.id) if row.note_sealed else None
        if source is StatementSource.LINK:
            words, note = note, None
        yield Moment(row.said_at, "said" if own else "act", _title(source, row), words, note, row.officer)


def _title(source: StatementSource, row: Row[Any]) -> str:
    if source is StatementSource.READING and row.text_key is None:
        return "Note"
    what = ""
    if source is StatementSource.ASSESSMENT:
        what = row.assessed.replace("_", " ") if row.assessed else "withdrawn"
    elif row.stated:
        what = _WORDS[Stated(row.stated)]
    elif source is StatementSource.READING:
        what = "it says nothing of this person"
    count = f", {row._mapping['count']} people" if row._mapping["count"] else ""
    return f"{_TITLES[source]}: {what}{count}" if what else _TITLES[source]


def _sent(keys: dict[str, UUID]) -> Iterator[Moment]:
    rows = db.session.execute(_MESSAGES, keys).all()
    for row in rows:
        yield from _steps(row)
    ids = [row.id for row in rows if row.id is not None]
    for receipt in db.session.execute(_RECEIPTS, {"message_ids": ids}) if ids else ():
        code = f", error {receipt.error_code}" if receipt.error_code else ""
        yield Moment(receipt.received_at, "report", f"The network reported: {receipt.status}{code}")


def _steps(row: Row[Any]) -> Iterator[Moment]:
    if row.exclusion:
        yield Moment(row.approved_at, "sent", f"Alert “{row.subject}”: no text, {row.exclusion.replace('_', ' ')}")
        return
    yield Moment(row.approved_at, "sent", f"Alert “{row.subject}” released, text waiting to be sent")
    if row.accepted_at:
        note = "It may have been sent twice." if row.possible_duplicate else None
        yield Moment(row.accepted_at, "sent", "Text handed over to the network", note=note)
    if row.delivered_at:
        yield Moment(row.delivered_at, "report", "Text delivered to the phone")
    elif row.state in ("undelivered", "refused", "failed", "cancelled", "expired", "unknown", "held"):
        reason = f": {row.failure_reason.replace('_', ' ')}" if row.failure_reason else ""
        code = f" (error {row.error_code})" if row.error_code else ""
        yield Moment(row.updated_at, "report", f"Text {row.state}{reason}{code}")


def _asked(rows: Sequence[Row[Any]]) -> Iterator[Moment]:
    for row in rows:
        words = None
        if row.body_sealed and not row.is_told:
            words = heard_words(row)
        number = row.id.hex[:6].upper()
        kind = row.kind.replace("_", " ")
        yield Moment(row.opened_at, "request", f"Request {number} opened: {kind}", words, request_id=row.id)
        if row.closed_at and row.outcome not in (Outcome.READ, Outcome.MISREAD):
            note = cipher.open(row.note_sealed, "assistance_requests.note", row.id) if row.note_sealed else None
            outcome = row.outcome.replace("_", " ")
            yield Moment(row.closed_at, "act", f"Request {number} closed: {outcome}", None, note, row.officer, row.id)
