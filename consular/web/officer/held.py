"""Texts that are held for an officer: which alerts have some, why, for whom, and the two things that can be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError

from consular.clock import utc_now
from consular.domain.holding import Why
from consular.errors import ConflictError, InvalidInputError
from consular.extensions import db
from consular.queries import alerts, holding
from consular.queries.alerts import AlertView, EventView
from consular.schemas.holding import HeldSchema, number, problems
from consular.services import assessments
from consular.services.holding import MOST_AT_ONCE, Decision, end, send_again
from consular.web.officer import blueprint

REASONS: Mapping[Why, tuple[str, str]] = {
    Why.UNKNOWN: ("Not known whether it left", "The gateway gave no answer that tells."),
    Why.UNKNOWN_OFTEN: ("Not known whether it left, again and again", "No try was answered, and no receipt came."),
    Why.SENSITIVE: ("Not known whether it left", "The alert is sensitive: it is never sent again by itself."),
    Why.WORKER_DIED: ("Three processes ended with it in hand", "The text itself may be what ends them."),
    Why.RESTORED: ("Came out of a backup", "The gateway may have taken it after the backup was made."),
}
Act = Callable[[UUID, UUID, Decision, datetime], int]


@blueprint.get("/held")
def held_alerts() -> ResponseReturnValue:
    """Alerts with held texts, the longest waiting first."""
    return render_template("officer/held_alerts.html", alerts=holding.alerts_with_held(), now=utc_now())


@blueprint.get("/alerts/<uuid:alert_id>/held")
def held_texts(alert_id: UUID) -> ResponseReturnValue:
    """The held texts of one alert, or one of them (?message=), and what can be done."""
    return _page(alert_id, _message(), {})


@blueprint.post("/alerts/<uuid:alert_id>/held/send")
def send_held(alert_id: UUID) -> ResponseReturnValue:
    """Send them again."""
    return _decide(alert_id, send_again, "again: {} on the way to the gateway.")


@blueprint.post("/alerts/<uuid:alert_id>/held/end")
def end_held(alert_id: UUID) -> ResponseReturnValue:
    """Do not send them."""
    return _decide(alert_id, end, "closed: {} not sent again.")


def _decide(alert_id: UUID, act: Act, done: str) -> ResponseReturnValue:
    message = number(request.form.get("message", ""))
    try:
        decided = act(alert_id, g.officer.id, HeldSchema().load(request.form.to_dict()), utc_now())
    except ValidationError as error:
        return _page(alert_id, message, problems(error)), 422
    except InvalidInputError as error:
        return _page(alert_id, message, error.fields), 422
    except ConflictError as error:
        return _page(alert_id, message, {"": error.message}), 409
    if decided:
        flash("Sent " + done.format(_texts(decided)) if act is send_again else "Now " + done.format(_texts(decided)))
    else:
        flash("Nothing was held any more: another click or another officer was faster.", "note")
    return redirect(url_for("officer.held_texts", alert_id=alert_id), 303)


def _texts(decided: int) -> str:
    return "one text is" if decided == 1 else f"{decided:,} texts are"


def _page(alert_id: UUID, message: int | None, errors: dict[str, str]) -> str:
    alert = alerts.find_alert(db.session, alert_id) or abort(404)
    event = alerts.find_event(db.session, alert_id) or abort(404)
    groups = holding.groups(event.id, message)
    lines = holding.lines(event.id, message, _after())
    if lines:
        listed = [line.person_id for line in lines]
        assessments.record_list_read(g.officer.id, alert.crisis.id, "held", listed)
    now = utc_now()
    return render_template(
        "officer/held_texts.html",
        alert=alert,
        crisis=alert.crisis,
        event=event,
        message=message,
        groups=[(group, *REASONS[group.why]) for group in groups],
        reasons=REASONS,
        held=sum(group.number for group in groups),
        doubtful=sum(group.doubtful for group in groups),
        most_at_once=MOST_AT_ONCE,
        obstacle=_obstacle(alert, event, now),
        lines=lines,
        next_url=_next_url(alert_id, message, lines),
        errors=errors,
        act=request.endpoint,
        values=request.form,
        now=now,
    )


def _obstacle(alert: AlertView, event: EventView, now: datetime) -> str | None:
    """Why nothing of an alert can be sent any more."""
    if event.stopped_at is not None or alert.state.value == "cancelled":
        return "This alert was stopped, so nothing of it is sent again."
    return "The time of this alert is over, so nothing of it is sent again." if event.expires_at <= now else None


def _message() -> int | None:
    written = request.args.get("message", "")
    return (number(written) or abort(404)) if written else None


def _after() -> tuple[int, UUID]:
    """Where the page before ended; an address that nobody of us made starts at the beginning."""
    try:
        return number(request.args.get("after", "")) or 0, UUID(request.args.get("person", ""))
    except ValueError:
        return holding.START


def _next_url(alert_id: UUID, message: int | None, lines: list[holding.HeldLine]) -> str | None:
    if len(lines) < holding.PAGE:
        return None
    last: dict[str, Any] = {"after": lines[-1].number, "person": lines[-1].person_id}
    return url_for("officer.held_texts", alert_id=alert_id, message=message, **last)
