"""The queue: requests with the words themselves, and the page on which one is taken, read and closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from consular.clock import utc_now
from consular.errors import ConflictError, InvalidInputError
from consular.queries import board, requests
from consular.queries.requests import KINDS, Cursor, QueueRow, RequestKind
from consular.schemas.request import NOTHING, ClosingSchema, ReadingSchema, problems
from consular.services import assessments, assistance
from consular.web.officer import blueprint, wording

PAGE = 50
_READING_CHOICES = [
    ("NEEDS_HELP", "Needs help", "The request stays open as a call for help."),
    ("SAFE", "Safe", ""),
    ("NOT_THERE", "Not there", "Not in the area of the crisis."),
    (NOTHING, "Says nothing of this person", "Their earlier word, if any, counts."),
]


@blueprint.get("/crises/<uuid:crisis_id>/requests", endpoint="requests")
def requests_page(crisis_id: UUID) -> ResponseReturnValue:
    """Open requests by kind, the oldest first; or those closed last."""
    crisis = board.find_crisis(crisis_id) or abort(404)
    kind = request.args.get("kind", "")
    rows = _rows(crisis_id, kind)
    assessments.record_list_read(g.officer.id, crisis_id, "requests", [row.person_id for row in rows if row.person_id])
    now = utc_now()
    return render_template(
        "officer/requests.html",
        crisis=crisis,
        look=board.look(crisis, queue_length=1),
        kind=kind,
        rows=[(row, wording.REQUESTS[row.kind], wording.age_of(row, now)) for row in rows],
        kinds=wording.REQUESTS,
        outcomes=wording.OUTCOMES,
        languages=wording.LANGUAGE_NAMES,
        age_rule=wording.AGE_RULE,
        next_url=_next_url(crisis_id, kind, rows),
        now=now,
    )


@blueprint.get("/requests/<uuid:request_id>", endpoint="request")
def request_page(request_id: UUID) -> ResponseReturnValue:
    """One request: the words, who may be meant, and the acts."""
    return _page(request_id, {})


@blueprint.post("/requests/<uuid:request_id>/take")
def take_request(request_id: UUID) -> ResponseReturnValue:
    """Say "I am on it"."""
    seen = request.form.get("seen", "")
    return _act(request_id, lambda: assistance.take_request(request_id, g.officer.id, seen), "It is yours now.")


@blueprint.post("/requests/<uuid:request_id>/read")
def read_request(request_id: UUID) -> ResponseReturnValue:
    """Say what the text says of each person."""

    def read() -> None:
        form = ReadingSchema().load(request.form.to_dict())
        assistance.read_text(request_id, g.officer.id, form.seen, form.readings, form.count, form.note)

    return _act(request_id, read, "Your reading counts from now on. You can change it below.")


@blueprint.post("/requests/<uuid:request_id>/close")
def close_request(request_id: UUID) -> ResponseReturnValue:
    """End the request with what became of it."""

    def close() -> None:
        form = ClosingSchema().load(request.form.to_dict())
        assistance.close_request(request_id, g.officer.id, form.seen, form.outcome, form.note)

    return _act(request_id, close, "The request is closed.")


def _act(request_id: UUID, act: Callable[[], None], done: str) -> ResponseReturnValue:
    try:
        act()
    except ValidationError as error:
        return _page(request_id, problems(error)), 422
    except InvalidInputError as error:
        return _page(request_id, error.fields), 422
    except ConflictError as error:
        return _page(request_id, {}, error.message), 409
    flash(done)
    return redirect(url_for("officer.request", request_id=request_id, crisis=request.form.get("crisis")), 303)


def _page(request_id: UUID, errors: dict[str, str], conflict: str | None = None) -> str:
    row = requests.find(request_id) or abort(404)
    crisis = board.find_crisis(row.crisis_id or _crisis_hint() or abort(404)) or abort(404)
    people = requests.people_told(row)
    for person in people:
        assessments.record_read(g.officer.id, person.id, person.crisis_id or crisis.id)
    now = utc_now()
    is_call = row.kind is RequestKind.NEEDS_HELP
    outcomes = assistance.NEED_OUTCOMES if is_call else assistance.OTHER_OUTCOMES
    return render_template(
        "officer/request.html",
        crisis=crisis,
        row=row,
        kind=wording.REQUESTS[row.kind],
        age=wording.age_of(row, now),
        people=people,
        errors=errors,
        conflict=conflict,
        values=request.form,
        is_call=is_call,
        readings=_READING_CHOICES,
        can_read=bool(people) and row.kind in (RequestKind.NEEDS_HELP, RequestKind.UNCLEAR) and people[0].was_told,
        outcomes=[(outcome.value, wording.OUTCOMES[outcome]) for outcome in outcomes],
        all_outcomes=wording.OUTCOMES,
        stated=wording.STATED,
        languages=wording.LANGUAGE_NAMES,
        now=now,
    )


def _crisis_hint() -> UUID | None:
    """The crisis from which a request without one was opened, for the way back."""
    try:
        return UUID(request.values.get("crisis", ""))
    except ValueError:
        return None


def _rows(crisis_id: UUID, kind: str) -> list[QueueRow]:
    if kind == "closed":
        return requests.closed_page(crisis_id, PAGE)
    if kind and kind not in set(KINDS):
        abort(404)
    wanted = [RequestKind(kind)] if kind else list(KINDS)
    return requests.open_page(crisis_id, wanted, _after(), PAGE)


def _after() -> Cursor | None:
    """Where the page before ended; an address that nobody of us made starts at the beginning."""
    try:
        opened_at = datetime.fromisoformat(request.args["at"])
        cursor = Cursor(RequestKind(request.args["of"]), opened_at, UUID(request.args["after"]))
    except (KeyError, ValueError):
        return None
    return cursor if opened_at.tzinfo is not None else None


def _next_url(crisis_id: UUID, kind: str, rows: list[QueueRow]) -> str | None:
    if len(rows) < PAGE or kind == "closed":
        return None
    last = rows[-1]
    at, of = last.opened_at.isoformat(), last.kind.value
    return url_for("officer.requests", crisis_id=crisis_id, kind=kind or None, at=at, of=of, after=last.id)
