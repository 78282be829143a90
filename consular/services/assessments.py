"""What officers add to a person's record: an assessment beside the person's word, notes, the trace of who read it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from consular.clock import utc_now
from consular.domain.triage import Assessment, StatementSource
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.queries import people, statuses
from consular.queries.counters import AnySession
from consular.queries.statuses import StatusRow
from consular.services import audit
from consular.services.statuses import NewStatement, record_statements
from consular.services.transactions import unit_of_work


def assess(
    crisis_id: UUID, person_id: UUID, officer_id: UUID, seen: str, assessment: Assessment | None, note: str
) -> None:
    """What an officer believes, beside what the person said; None withdraws. seen: people.assessment_token().

    Raises ConflictError when another officer assessed meanwhile, NotFoundError when the person is not part of the
    crisis.
    """
    now = utc_now()
    with unit_of_work() as session:
        row = _locked(session, crisis_id, person_id)
        if seen != people.assessment_token(row.assessed_at):
            raise ConflictError(
                "Another officer assessed this person while you had the page open. Yours was not saved: look again."
            )
        record_statements(
            session,
            [
                NewStatement(
                    crisis_id=crisis_id,
                    person_id=person_id,
                    source=StatementSource.ASSESSMENT,
                    said_at=now,
                    assessed=assessment,
                    note=note.strip() or None,
                    officer_id=officer_id,
                )
            ],
        )
        detail = {"assessed": assessment.value if assessment else None}
        audit.record(session, now, "person.assessed", "person", person_id, officer_id=officer_id, detail=detail)


def add_note(crisis_id: UUID, person_id: UUID, officer_id: UUID, note: str) -> None:
    """A line in a person's timeline that changes nothing else. Raises InvalidInputError, NotFoundError."""
    if not note.strip():
        raise InvalidInputError("The note is empty.", {"note": "Write what the next officer needs to know."})
    now = utc_now()
    with unit_of_work() as session:
        _locked(session, crisis_id, person_id)
        record_statements(session, [_note(crisis_id, person_id, officer_id, now, note.strip())])
        audit.record(session, now, "person.noted", "person", person_id, officer_id=officer_id)


def record_read(officer_id: UUID, person_id: UUID, crisis_id: UUID) -> None:
    """An officer opened one person's record."""
    with unit_of_work() as session:
        detail = {"crisis": str(crisis_id)}
        audit.record(session, utc_now(), "person.read", "person", person_id, officer_id=officer_id, detail=detail)


def record_list_read(officer_id: UUID, crisis_id: UUID, listed: str, person_ids: list[UUID]) -> None:
    """An officer saw these people's names in a list. listed: which list."""
    with unit_of_work() as session:
        detail = {"list": listed, "people": [str(person_id) for person_id in person_ids]}
        audit.record(session, utc_now(), "people.listed", "crisis", crisis_id, officer_id=officer_id, detail=detail)


def _locked(session: AnySession, crisis_id: UUID, person_id: UUID) -> StatusRow:
    row = statuses.lock(session, [(crisis_id, person_id)]).get((crisis_id, person_id))
    if row is None:
        raise NotFoundError("This person is not part of this crisis.")
    return row


def _note(crisis_id: UUID, person_id: UUID, officer_id: UUID, now: datetime, note: str) -> NewStatement:
    return NewStatement(
        crisis_id=crisis_id,
        person_id=person_id,
        source=StatementSource.READING,
        said_at=now,
        note=note,
        officer_id=officer_id,
    )
