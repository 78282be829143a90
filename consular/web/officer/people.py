"""Lists of people behind the numbers of the board, and the record of one person."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from consular.clock import utc_now
from consular.errors import ConflictError
from consular.locales import country_name
from consular.queries import board, people, records
from consular.queries.board import REACHED, Bucket
from consular.queries.people import PersonLine, Place
from consular.schemas.assessment import NO_ASSESSMENT, AssessmentSchema, NoteSchema
from consular.schemas.request import problems
from consular.services import assessments
from consular.web.officer import blueprint, wording

_SEVERAL = {"people": ("People", tuple(Bucket)), "reached": ("Reached", REACHED)}
_ASSESSED = {f"assessed-{value}": (f"Assessed: {label}", value) for value, label in wording.ASSESSMENTS.items()}
_PARTS = {bucket.value: bucket for bucket in Bucket}


@blueprint.get("/crises/<uuid:crisis_id>/people/in/<listed>")
def people_in_bucket(crisis_id: UUID, listed: str) -> ResponseReturnValue:
    """The people behind one number, 50 on a page."""
    crisis = board.find_crisis(crisis_id) or abort(404)
    lines = _lines(crisis_id, listed)
    assessments.record_list_read(g.officer.id, crisis_id, listed, [line.id for line in lines])
    return render_template(
        "officer/people.html",
        crisis=crisis,
        listed=listed,
        heading=_heading(listed),
        lines=lines,
        choices=_choices(),
        buckets=wording.BUCKETS,
        stated=wording.STATED,
        assessments=wording.ASSESSMENTS,
        languages=wording.LANGUAGE_NAMES,
        is_ordered=listed in _PARTS and Bucket(listed) in board.ANSWERED,
        next_url=_next_url(crisis_id, listed, lines),
        now=utc_now(),
    )


@blueprint.get("/crises/<uuid:crisis_id>/people/<uuid:person_id>")
def person(crisis_id: UUID, person_id: UUID) -> ResponseReturnValue:
    """One person's record in one crisis; opening it is written down."""
    return _record_page(crisis_id, person_id, {})


@blueprint.post("/crises/<uuid:crisis_id>/people/<uuid:person_id>/assessment")
def assess_person(crisis_id: UUID, person_id: UUID) -> ResponseReturnValue:
    """Set or withdraw an officer's assessment."""
    try:
        form = AssessmentSchema().load(request.form.to_dict())
        assessments.assess(crisis_id, person_id, g.officer.id, form.seen, form.assessment, form.note)
    except ValidationError as error:
        return _record_page(crisis_id, person_id, problems(error)), 422
    except ConflictError as error:
        return _record_page(crisis_id, person_id, {"": error.message}), 409
    flash("Your assessment stands beside what the person said.")
    return redirect(url_for("officer.person", crisis_id=crisis_id, person_id=person_id), 303)


@blueprint.post("/crises/<uuid:crisis_id>/people/<uuid:person_id>/note")
def note_person(crisis_id: UUID, person_id: UUID) -> ResponseReturnValue:
    """Add a note to the timeline."""
    try:
        assessments.add_note(crisis_id, person_id, g.officer.id, NoteSchema().load(request.form.to_dict())["note"])
    except ValidationError as error:
        return _record_page(crisis_id, person_id, {"line": problems(error)["note"]}), 422
    flash("The note is in the timeline.")
    return redirect(url_for("officer.person", crisis_id=crisis_id, person_id=person_id), 303)


def _record_page(crisis_id: UUID, person_id: UUID, errors: dict[str, str]) -> str:
    crisis = board.find_crisis(crisis_id) or abort(404)
    record = records.find_record(crisis_id, person_id) or abort(404)
    assessments.record_read(g.officer.id, person_id, crisis_id)
    return render_template(
        "officer/person.html",
        crisis=crisis,
        record=record,
        errors=errors,
        values=request.form,
        seen=people.assessment_token(record.assessed_at),
        stated=wording.STATED,
        bucket=wording.BUCKETS[record.bucket],
        assessments=wording.ASSESSMENTS,
        choices=[*wording.ASSESSMENTS.items(), (NO_ASSESSMENT, "No assessment (withdraw)")],
        language=wording.LANGUAGE_NAMES.get(record.language, record.language),
        home_country=country_name(record.home_country, "en"),
        country=country_name(record.country, "en") if record.country else None,
    )


def _lines(crisis_id: UUID, listed: str) -> list[PersonLine]:
    after = _after()
    if listed in _PARTS:
        return people.list_bucket(crisis_id, _PARTS[listed], after)
    if listed in _SEVERAL:
        return people.list_buckets(crisis_id, _SEVERAL[listed][1], after)
    if listed in _ASSESSED:
        return people.list_assessed(crisis_id, _ASSESSED[listed][1], after)
    abort(404)


def _heading(listed: str) -> wording.Words:
    if listed in _PARTS:
        return wording.BUCKETS[_PARTS[listed]]
    label = (_SEVERAL | _ASSESSED)[listed][0]
    return wording.Words(label, "", "")


def _choices() -> list[tuple[str, str]]:
    parts = [(bucket.value, wording.BUCKETS[bucket].label) for bucket in (*board.ANSWERED, *board.UNANSWERED)]
    return [("people", "Everybody"), ("reached", "Reached"), *parts]


def _after() -> Place | None:
    """Where the page before ended; an address that nobody of us made starts at the beginning."""
    try:
        person_id = UUID(request.args["after"])
        at = datetime.fromisoformat(request.args["at"]) if "at" in request.args else None
    except (KeyError, ValueError):
        return None
    return Place(person_id, at if at is not None and at.tzinfo is not None else None)


def _next_url(crisis_id: UUID, listed: str, lines: list[PersonLine]) -> str | None:
    if len(lines) < people.PAGE:
        return None
    last = lines[-1]
    at = last.stated_at.isoformat() if last.stated_at else None
    return url_for("officer.people_in_bucket", crisis_id=crisis_id, listed=listed, after=last.id, at=at)
