"""The officers' queue: opening requests, taking, reading and closing them."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from consular.clock import utc_now
from consular.domain.triage import Outcome, Stated, StatementSource
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.extensions import cipher
from consular.models.assistance import AssistanceRequest, RequestKind
from consular.queries import counters, officers, requests
from consular.queries.counters import NO_CRISIS, NO_EXERCISE, AnySession
from consular.queries.statuses import Key
from consular.services import audit
from consular.services.statuses import NewStatement, record_statements
from consular.services.transactions import unit_of_work

NEED_OUTCOMES = (
    Outcome.HELPED,
    Outcome.PASSED_ON,
    Outcome.NO_LONGER_NEEDED,
    Outcome.DUPLICATE,
)
OTHER_OUTCOMES = (Outcome.NO_ACTION, Outcome.PASSED_ON, Outcome.DUPLICATE)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """Why a human is needed. source_key: the text_key of the text's statements, so that one text opens one request.

    opened_at: when the text reached us; the timer runs from then. person_id is None when nobody, or more than one
    person, is behind the phone; crisis_id is None when the text belongs to no crisis: it is then shown in every open
    one, or, when a practice gateway played it (is_exercise), in every open exercise.
    """

    source_key: str
    kind: RequestKind
    crisis_id: UUID | None
    person_id: UUID | None
    inbound_id: UUID | None
    opened_at: datetime
    is_exercise: bool = False


def open_requests(session: AnySession, new: Sequence[NewRequest]) -> int:
    """Open requests in the caller's transaction, after record_statements(); the number of those that are new."""
    rows = [
        {
            "id": uuid4(),
            "source_key": request.source_key,
            "kind": request.kind,
            "crisis_id": request.crisis_id,
            "person_id": request.person_id,
            "inbound_id": request.inbound_id,
            "opened_at": request.opened_at,
            "is_exercise": request.is_exercise,
        }
        for request in sorted(new, key=lambda request: request.source_key)
    ]
    opened = requests.insert_new(session, rows) if rows else []
    counters.add(
        session, Tally((scope(crisis_id, is_exercise), f"requests:{kind}") for crisis_id, is_exercise, kind in opened)
    )
    return len(opened)


def take_request(request_id: UUID, officer_id: UUID, seen: str) -> None:
    """Say "I am on it"; replaces whoever had it. seen: QueueRow.state_token. Raises ConflictError, NotFoundError."""
    with unit_of_work() as session:
        request = _locked(session, request_id, seen)
        _require_open(request)
        audit.record(session, utc_now(), requests.TAKEN, "request", request.id, officer_id=officer_id)


def close_request(request_id: UUID, officer_id: UUID, seen: str, outcome: Outcome, note: str) -> None:
    """End a request with what became of it. A call for help needs a note and is closed for all the text spoke of.

    Raises ConflictError when somebody else changed it since `seen`, InvalidInputError, NotFoundError.
    """
    with unit_of_work() as session:
        request = _locked(session, request_id, seen)
        _require_open(request)
        _check_closing(request, outcome, note)
        now = utc_now()
        if request.kind is RequestKind.NEEDS_HELP:
            people = requests.people_of(session, request.source_key, request.person_id)
            record_statements(session, [_act(request, key, officer_id, now, note, closes=True) for key in people])
        _end(request, officer_id, now, outcome, note)
        counters.add(session, {(scope(request.crisis_id, request.is_exercise), f"requests:{request.kind}"): -1})
        audit.record(
            session, now, "request.closed", "request", request.id, officer_id=officer_id, detail={"outcome": outcome}
        )


def read_text(
    request_id: UUID,
    officer_id: UUID,
    seen: str,
    readings: Mapping[UUID, Stated | None],
    count: int | None = None,
    note: str = "",
) -> None:
    """An officer's reading of a text for each person (None: it says nothing of them). The last reading counts.

    Read as a call for help, the request is (again) an open one; read as anything else it is closed. That a text the
    rules took for a call for help is none needs a note. Raises ConflictError, InvalidInputError, NotFoundError.
    """
    with unit_of_work() as session:
        request = _locked(session, request_id, seen)
        was_open = request.closed_at is None
        was_kind = request.kind
        people = requests.people_of(session, request.source_key, request.person_id)
        _check_readings(request, people, readings, note)
        now = utc_now()
        is_call = Stated.NEEDS_HELP in readings.values()
        acts = [_act(request, key, officer_id, now, note, stated=readings[key[1]], count=count) for key in people]
        if was_kind is RequestKind.NEEDS_HELP and not is_call:
            acts = [_act(request, key, officer_id, now, note, closes=True) for key in people] + acts
        record_statements(session, acts)
        _after_reading(request, officer_id, now, is_call, note)
        counters.add(session, _moved(request, was_kind, was_open))
        audit.record(session, now, "request.read", "request", request.id, officer_id=officer_id)


def _locked(session: AnySession, request_id: UUID, seen: str) -> AssistanceRequest:
    request = requests.lock(session, request_id)
    if request is None:
        raise NotFoundError("There is no such request.")
    if requests.state_token(request.kind, request.closed_at) != seen:
        who = officers.names(session, {request.closed_by}) if request.closed_by else {}
        name = next(iter(who.values()), "Another officer")
        raise ConflictError(
            f"{name} changed this request while you had it open. Nothing of yours was saved: look again."
        )
    return request


def _require_open(request: AssistanceRequest) -> None:
    if request.closed_at is not None:
        raise ConflictError("This request is closed already.")


def _check_closing(request: AssistanceRequest, outcome: Outcome, note: str) -> None:
    is_call = request.kind is RequestKind.NEEDS_HELP
    if outcome not in (NEED_OUTCOMES if is_call else OTHER_OUTCOMES):
        raise InvalidInputError("Choose how this ended.", {"outcome": "Choose how this request ended."})
    if is_call and not note.strip():
        cure = "Write what was done and by whom: a call for help is not closed without it."
        raise InvalidInputError("The note is missing.", {"note": cure})


def _check_readings(
    request: AssistanceRequest, people: Sequence[Key], readings: Mapping[UUID, Stated | None], note: str
) -> None:
    if request.kind not in (RequestKind.UNCLEAR, RequestKind.NEEDS_HELP) or not people:
        raise ConflictError("This text belongs to nobody on record, so there is nobody to read it for.")
    if set(readings) != {person_id for _, person_id in people} or Stated.UNCLEAR in readings.values():
        raise InvalidInputError("A reading is missing.", {"reading": "Say for each person what the text says of them."})
    taken_back = request.kind is RequestKind.NEEDS_HELP and Stated.NEEDS_HELP not in readings.values()
    if taken_back and not note.strip():
        cure = "Write why this is not a call for help: it is shown to everybody who opens the record."
        raise InvalidInputError("The note is missing.", {"note": cure})


def _act(  # noqa: PLR0913 - what an officer did to a text, each part named at the call
    request: AssistanceRequest,
    key: Key,
    officer_id: UUID,
    now: datetime,
    note: str,
    *,
    closes: bool = False,
    stated: Stated | None = None,
    count: int | None = None,
) -> NewStatement:
    return NewStatement(
        crisis_id=key[0],
        person_id=key[1],
        source=StatementSource.CLOSING if closes else StatementSource.READING,
        said_at=now,
        stated=stated,
        count=count,
        note=note.strip() or None,
        inbound_id=request.inbound_id,
        officer_id=officer_id,
        text_key=request.source_key,
    )


def _after_reading(request: AssistanceRequest, officer_id: UUID, now: datetime, is_call: bool, note: str) -> None:
    if is_call:
        request.kind = RequestKind.NEEDS_HELP
        request.closed_at = request.closed_by = request.outcome = request.note_sealed = None
    else:
        was_call = request.kind is RequestKind.NEEDS_HELP
        _end(request, officer_id, now, Outcome.MISREAD if was_call else Outcome.READ, note)


def _end(request: AssistanceRequest, officer_id: UUID, now: datetime, outcome: Outcome, note: str) -> None:
    request.closed_at = now
    request.closed_by = officer_id
    request.outcome = outcome
    text = note.strip()
    request.note_sealed = cipher.seal(text, "assistance_requests.note", request.id) if text else None


def _moved(request: AssistanceRequest, was_kind: RequestKind, was_open: bool) -> Tally[tuple[UUID, str]]:
    crisis = scope(request.crisis_id, request.is_exercise)
    deltas: Tally[tuple[UUID, str]] = Tally()
    if was_open:
        deltas[crisis, f"requests:{was_kind}"] -= 1
    if request.closed_at is None:
        deltas[crisis, f"requests:{request.kind}"] += 1
    return deltas


def scope(crisis_id: UUID | None, is_exercise: bool) -> UUID:
    """Where a request is counted: its crisis, or the common place of those that belong to none."""
    return crisis_id or (NO_EXERCISE if is_exercise else NO_CRISIS)
