"""Answers by the signed link in every text: the second path, for phones that cannot reply and people who borrow one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session, scoped_session

from consular.domain.cap import AlertStatus
from consular.domain.replies import ReplyKind, classify
from consular.domain.triage import Stated, StatementSource, attribute
from consular.errors import NotFoundError
from consular.models.assistance import RequestKind
from consular.queries import answers
from consular.services.assistance import NewRequest, open_requests
from consular.services.statuses import NewStatement, record_statements
from consular.services.transactions import unit_of_work

AnySession = Session | scoped_session[Session]
_REQUESTS = {Stated.NEEDS_HELP: RequestKind.NEEDS_HELP, Stated.UNCLEAR: RequestKind.UNCLEAR}


@dataclass(frozen=True, slots=True)
class LinkContext:
    """What the link's page may show: nothing about the person, because a link can be forwarded."""

    is_exercise: bool
    crisis_title: str
    language: str
    has_expired: bool
    last_answer: str | None


def read_link(number: int, now: datetime) -> LinkContext | None:
    """The question behind message `number`; None when there is none. A link expires when its crisis is closed."""
    row = answers.question(number)
    if row is None:
        return None
    return LinkContext(
        is_exercise=row.status == AlertStatus.EXERCISE,
        crisis_title=row.title,
        language=row.language,
        has_expired=row.closed_at is not None and row.closed_at <= now,
        last_answer=row.last_answer,
    )


def answer_by_link(
    number: int, stated: Stated, count: int | None, note: str | None, answer_key: str, now: datetime
) -> Stated:
    """Record what the holder of the link said, and give back what it was taken for. The same answer_key again changes
    nothing. Raises NotFoundError.

    The note is read like a text: a call for help in it beats the button, and every note is for a human to read.
    """
    text_key = f"link:{answer_key}"[:64]
    with unit_of_work() as session:
        row = answers.question(number)
        if row is None or row.closed_at is not None:
            raise NotFoundError("This link is not valid any more.")
        people = answers.people_of(session, number)
        if note and classify(note, row.language).kind is ReplyKind.NEEDS_HELP:
            stated = Stated.NEEDS_HELP
        said = attribute(stated, count, tuple(person.heads for person in people)) if people else stated
        statements = _statements(people, row.crisis_id, said, count, note, text_key, now)
        record_statements(session, statements)
        open_requests(session, _requests(people, row.crisis_id, said, note, text_key, now))
    return said


def _statements(
    people: Sequence[answers.LinkPerson],
    crisis_id: UUID,
    said: Stated,
    count: int | None,
    note: str | None,
    key: str,
    now: datetime,
) -> list[NewStatement]:
    return [
        NewStatement(
            crisis_id=crisis_id,
            person_id=person.person_id,
            source=StatementSource.LINK,
            stated=said,
            assessed=None,
            count=count,
            note=note,
            inbound_id=None,
            officer_id=None,
            said_at=now,
            text_key=key,
        )
        for person in people
    ]


def _requests(
    people: Sequence[answers.LinkPerson], crisis_id: UUID, said: Stated, note: str | None, key: str, now: datetime
) -> list[NewRequest]:
    kind = _REQUESTS.get(said) or (RequestKind.UNCLEAR if note else None)
    if kind is None:
        return []
    person_id = people[0].person_id if len(people) == 1 else None
    return [
        NewRequest(source_key=key, crisis_id=crisis_id, kind=kind, person_id=person_id, inbound_id=None, opened_at=now)
    ]
