"""Writing, deciding, releasing and stopping alerts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from consular.clock import utc_now
from consular.domain.alerts import EDITABLE
from consular.domain.audience import AudienceRule, rule_from_dict
from consular.errors import ConflictError, InvalidInputError
from consular.extensions import db
from consular.queries import alerts as queries
from consular.queries import audience
from consular.queries.alerts import AlertView, CrisisView
from consular.schemas.alert import AlertForm, AlertSchema, ApprovalSchema, WithoutAskingSchema, alert_values
from consular.schemas.audience import AudienceSchema, first_messages, form_values
from consular.services import alerts, social
from consular.services.alert_refusals import AlreadyIssuedError, EditedMeanwhileError
from consular.services.alerts import AlertDraft
from consular.web.officer import alert_pages, audiences, blueprint
from consular.web.officer.pages import configured_gateways, outlets


@blueprint.route("/crises/<uuid:crisis_id>/alerts/new", methods=["GET", "POST"])
def write_alert(crisis_id: UUID) -> ResponseReturnValue:
    """The form for a new alert; its audience starts as the crisis's."""
    crisis = queries.find_crisis(db.session, crisis_id) or abort(404)
    if request.method == "GET":
        return _form(crisis, alert_pages.new_values(_rule_values(crisis.audience)), {})
    try:
        form, rule = _read(request.form)
    except InvalidInputError as error:
        return _form(crisis, request.form, error.fields), 422
    alert_id = alerts.write(crisis_id, _draft(form, rule), g.officer.id, utc_now())
    return _to_alert(alert_id)


@blueprint.route("/alerts/<uuid:alert_id>/edit", methods=["GET", "POST"])
def edit_alert(alert_id: UUID) -> ResponseReturnValue:
    """The form with an alert's content; when somebody else saved it meanwhile, both versions are shown."""
    found = _find(alert_id)
    if request.method == "GET":
        if found.state not in EDITABLE:
            flash("It cannot be edited as it stands now. While it waits for approval, take it back first.", "note")
            return _to_alert(alert_id)
        values = alert_pages.values_of(found, _rule_values(found.audience))
        return _form(found.crisis, values, {}, found)
    try:
        form, rule = _read(request.form)
        alerts.edit(alert_id, _draft(form, rule), form.revision, g.officer.id, utc_now())
    except InvalidInputError as error:
        return _form(found.crisis, request.form, error.fields, found), 422
    except EditedMeanwhileError as error:
        return _conflict(alert_id, error), 409
    except ConflictError as error:
        return alert_pages.page(_find(alert_id), {"": error.message}), 409
    return _to_alert(alert_id)


@blueprint.get("/alerts/<uuid:alert_id>")
def alert(alert_id: UUID) -> ResponseReturnValue:
    """An alert: its preview and what can be done now, or the release page once it is issued."""
    return alert_pages.page(_find(alert_id))


@blueprint.get("/alerts/<uuid:alert_id>/progress")
def alert_progress(alert_id: UUID) -> ResponseReturnValue:
    """The part of the release page that changes while texts leave."""
    found = _find(alert_id)
    event = queries.find_event(db.session, alert_id) or abort(404)
    return render_template("officer/alert_progress.html", **alert_pages.progress(found, event))


@blueprint.post("/alerts/<uuid:alert_id>/without-asking")
def send_without_asking(alert_id: UUID) -> ResponseReturnValue:
    """Leave the question out where nobody can answer it."""
    form = WithoutAskingSchema().load({**request.form.to_dict(), "countries": request.form.getlist("countries")})
    choose = partial(
        alerts.send_without_asking,
        alert_id,
        form["countries"],
        form["revision"],
        g.officer.id,
        utc_now(),
        gateways=configured_gateways(),
    )
    return _act(alert_id, choose, "Saved. Whoever cannot answer gets the text without the question.")


@blueprint.post("/alerts/<uuid:alert_id>/submit")
def submit_alert(alert_id: UUID) -> ResponseReturnValue:
    """Hand it to the approvers."""
    submit = partial(alerts.submit, alert_id, g.officer.id, utc_now(), gateways=configured_gateways())
    return _act(alert_id, submit, "Submitted. An approver who neither wrote nor last edited it must release it.")


@blueprint.post("/alerts/<uuid:alert_id>/withdraw")
def withdraw_alert(alert_id: UUID) -> ResponseReturnValue:
    """Take it back to be edited."""
    return _act(alert_id, partial(alerts.withdraw, alert_id, g.officer.id, utc_now()), "Taken back. You can edit it.")


@blueprint.post("/alerts/<uuid:alert_id>/return")
def return_alert(alert_id: UUID) -> ResponseReturnValue:
    """Send it back to its author with a note."""
    give_back = partial(alerts.return_to_author, alert_id, g.officer.id, request.form.get("note", ""), utc_now())
    return _act(alert_id, give_back, "Returned to the author with your note.")


@blueprint.post("/alerts/<uuid:alert_id>/reject")
def reject_alert(alert_id: UUID) -> ResponseReturnValue:
    """Refuse it for good with a note."""
    reject = partial(alerts.reject, alert_id, g.officer.id, request.form.get("note", ""), utc_now())
    return _act(alert_id, reject, "Rejected. It cannot be sent any more.")


@blueprint.post("/alerts/<uuid:alert_id>/approve")
def approve_alert(alert_id: UUID) -> ResponseReturnValue:
    """Release exactly what the page showed; a second click comes to the page of the first."""
    form = ApprovalSchema().load(request.form.to_dict())
    approve = partial(
        alerts.approve,
        alert_id,
        g.officer.id,
        form.seen_hash,
        form.seen_count,
        utc_now(),
        gateways=configured_gateways(),
        typed_count=form.typed_count,
        outlets=outlets(),
    )
    return _act(alert_id, approve, None)


@blueprint.post("/alerts/<uuid:alert_id>/stop")
def stop_alert(alert_id: UUID) -> ResponseReturnValue:
    """Stop sending at once; one person is enough."""
    event = queries.find_event(db.session, alert_id) or abort(404)
    return _act(alert_id, partial(alerts.stop, event.id, g.officer.id, utc_now()), None)


@blueprint.post("/alerts/<uuid:alert_id>/cancel")
def cancel_alert(alert_id: UUID) -> ResponseReturnValue:
    """End it; what was not sent will not be."""
    cancel = partial(alerts.cancel, alert_id, g.officer.id, utc_now())
    return _act(alert_id, cancel, "Cancelled. Nobody is told by this: write another alert to correct what was sent.")


@blueprint.post("/posts/<uuid:post_id>/retry")
def retry_post(post_id: UUID) -> ResponseReturnValue:
    """Post it again."""
    alert_id = queries.find_alert_of_post(db.session, post_id) or abort(404)
    return _act(alert_id, partial(social.retry, post_id, g.officer.id, utc_now()), "It will be posted again.")


@blueprint.post("/posts/<uuid:post_id>/confirm")
def confirm_post(post_id: UUID) -> ResponseReturnValue:
    """An officer looked: it stands on the network already."""
    alert_id = queries.find_alert_of_post(db.session, post_id) or abort(404)
    return _act(alert_id, partial(social.confirm, post_id, g.officer.id, utc_now()), "Noted as published.")


def _act(alert_id: UUID, act: Callable[[], object], done: str | None) -> ResponseReturnValue:
    """Run a decision and go to the alert's page, or show that page again with what stood in the way."""
    try:
        act()
    except InvalidInputError as error:
        return alert_pages.page(_find(alert_id), error.fields), 422
    except AlreadyIssuedError as error:
        flash(error.message, "note")
    except ConflictError as error:
        return alert_pages.page(_find(alert_id), {"": error.message}), 409
    else:
        if done:
            flash(done)
    return _to_alert(alert_id)


def _find(alert_id: UUID) -> AlertView:
    return queries.find_alert(db.session, alert_id) or abort(404)


def _to_alert(alert_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("officer.alert", alert_id=alert_id), 303)


def _rule_values(stored: dict[str, Any]) -> MultiDict[str, str]:
    rule, values = rule_from_dict(stored), MultiDict[str, str]()
    audiences.fill(values, rule, audience.place_names(db.session, rule))
    return values


def _read(values: MultiDict[str, str]) -> tuple[AlertForm, AudienceRule]:
    """Both parts of the form, with the errors of both together."""
    errors: dict[str, str] = {}
    form: AlertForm | None = None
    rule: AudienceRule | None = None
    try:
        form = AlertSchema().load(alert_values(values))
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


def _draft(form: AlertForm, rule: AudienceRule) -> AlertDraft:
    return AlertDraft(
        category=form.category,
        urgency=form.urgency,
        severity=form.severity,
        certainty=form.certainty,
        response_type=form.response_type,
        event=form.event,
        message_class=form.message_class,
        asks_for_reply=form.asks_for_reply,
        validity_minutes=form.validity_minutes,
        audience=rule,
        words=form.words,
    )


def _form(
    crisis: CrisisView,
    values: MultiDict[str, str],
    errors: dict[str, str],
    found: AlertView | None = None,
    conflict: dict[str, Any] | None = None,
) -> str:
    return render_template(
        "officer/alert_form.html",
        crisis=crisis,
        values=values,
        errors=errors,
        targets=audiences.field_ids(errors),
        alert=found,
        conflict=conflict,
        **alert_pages.choices(),
    )


def _conflict(alert_id: UUID, error: EditedMeanwhileError) -> str:
    """The officer's own words stay in the form, now against the newest revision; the other's stand beside them."""
    db.session.expire_all()
    found = _find(alert_id)
    values = MultiDict(request.form)
    values["revision"] = str(found.revision)
    return _form(found.crisis, values, {}, found, {"message": error.message, "words": found.words})
