"""Opening, reading and closing a crisis."""

from __future__ import annotations

from uuid import UUID

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from consular.clock import utc_now
from consular.domain.audience import AudienceRule, rule_from_dict
from consular.errors import InvalidInputError
from consular.extensions import db
from consular.locales import country_names
from consular.queries import alerts as queries
from consular.queries import audience
from consular.schemas.audience import AudienceSchema, first_messages, form_values
from consular.schemas.crisis import CrisisForm, CrisisSchema
from consular.services import crises
from consular.web.officer import audiences, blueprint


@blueprint.route("/crises/new", methods=["GET", "POST"])
def open_crisis() -> ResponseReturnValue:
    """The form that opens a crisis."""
    if request.method == "GET":
        return _form(MultiDict(), {})
    try:
        form, rule = _read(request.form)
        crisis_id = crises.open_crisis(
            form.title, form.status, rule, g.officer.id, utc_now(), confirmation=form.confirmation
        )
    except InvalidInputError as error:
        return _form(request.form, error.fields), 422
    return redirect(url_for("officer.crisis", crisis_id=crisis_id), 303)


@blueprint.get("/crises/<uuid:crisis_id>")
def crisis(crisis_id: UUID) -> ResponseReturnValue:
    """One crisis: its alerts, and whom its default audience selects now."""
    found = queries.find_crisis(db.session, crisis_id) or abort(404)
    rule = rule_from_dict(found.audience)
    names = audience.place_names(db.session, rule)
    return render_template(
        "officer/crisis_page.html",
        crisis=found,
        audience=audiences.sentence(rule, names),
        people=audience.count_people(db.session, rule, utc_now().date()),
        alerts=queries.list_alerts(db.session, crisis_id),
    )


@blueprint.post("/crises/<uuid:crisis_id>/close")
def close_crisis(crisis_id: UUID) -> ResponseReturnValue:
    """No new alerts from now on."""
    crises.close_crisis(crisis_id, g.officer.id, utc_now())
    flash("The crisis is closed. Texts under way and answers go on as before.")
    return redirect(url_for("officer.crisis", crisis_id=crisis_id), 303)


def _form(values: MultiDict[str, str], errors: dict[str, str]) -> str:
    return render_template(
        "officer/crisis_form.html",
        values=values,
        errors=errors,
        targets=audiences.field_ids(errors),
        countries=list(country_names("en").items()),
        actual_words=crises.ACTUAL_WORDS,
    )


def _read(values: MultiDict[str, str]) -> tuple[CrisisForm, AudienceRule]:
    """Both parts of the form, with the errors of both together."""
    errors: dict[str, str] = {}
    form: CrisisForm | None = None
    rule: AudienceRule | None = None
    try:
        form = CrisisSchema().load(values.to_dict())
    except ValidationError as error:
        errors |= first_messages(error)
    try:
        rule = audiences.rule_of(AudienceSchema().load(form_values(values)))
    except ValidationError as error:
        errors |= first_messages(error)
    except InvalidInputError as error:
        errors |= error.fields
    if form is not None and rule is not None and not errors:
        return form, rule
    raise InvalidInputError(" ".join(errors.values()), errors)
