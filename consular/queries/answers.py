"""What stands behind the signed link of a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.extensions import db

AnySession = Session | scoped_session[Session]

_QUESTION = text("""
select e.crisis_id, e.status, c.title, c.closed_at, m.language,
    (select lower(s.stated) from recipients r join person_statuses s on s.person_id = r.person_id and s.crisis_id =
    e.crisis_id
     where r.message_id = m.id order by s.stated_at desc nulls last limit 1) as last_answer
from messages m join alert_events e on e.id = m.event_id join crises c on c.id = e.crisis_id where m.id = :number
""")

_PEOPLE = text("""
select r.person_id,
    coalesce((select g.people_count from registrations g where g.person_id = r.person_id order by g.created_at desc
    limit 1), 1)
from recipients r where r.message_id = :number order by r.person_id
""")


@dataclass(frozen=True, slots=True)
class LinkPerson:
    """Somebody the text was meant for. heads: people in their registration."""

    person_id: UUID
    heads: int


def question(number: int) -> Row[Any] | None:
    """The event and crisis of a message; None when there is no such alert message."""
    return db.session.execute(_QUESTION, {"number": number}).one_or_none()


def people_of(session: AnySession, number: int) -> Sequence[LinkPerson]:
    """Everybody whom the message was meant for."""
    return [LinkPerson(row[0], int(row[1])) for row in session.execute(_PEOPLE, {"number": number})]
