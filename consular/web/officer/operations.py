"""State of the service: what is wrong, since when and what to do first; then the figures. The runbooks behind it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Response, abort, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from consular.clock import utc_now
from consular.domain.alarms import ALARMS, Raised
from consular.services.operations import Installation, Report, look
from consular.web.officer import blueprint
from consular.web.officer.pages import may
from consular.web.officer.plain_text import blocks, spans

_RUNBOOKS = Path(__file__).resolve().parents[3] / "docs" / "runbooks"
_STATES = {
    "queued": "waiting or on the way",
    "unknown": "of unknown fate",
    "held": "held for an officer",
    "accepted": "taken by the network",
    "sent": "sent on by the network",
    "delivered": "delivered",
    "read": "read",
    "undelivered": "not delivered",
    "refused": "refused",
    "failed": "failed",
    "cancelled": "stopped before sending",
    "expired": "too late to be sent",
}


@blueprint.get("/operations")
def operations() -> ResponseReturnValue:
    """The whole page, complete without JavaScript."""
    now = utc_now()
    return render_template("officer/operations.html", loaded_at=now, rules=ALARMS.values(), **_figures(now))


@blueprint.get("/operations/fragment")
def operations_fragment() -> ResponseReturnValue:
    """The figures alone; 304 when they are those that the page shows already."""
    body = render_template("officer/operations_fragment.html", **_figures(utc_now())).encode()
    version = hashlib.sha256(body).hexdigest()[:20]
    seen = [tag.partition(":")[0] for tag in request.if_none_match.as_set()]
    response = Response(status=304) if version in seen else Response(body, mimetype="text/html")
    response.set_etag(version)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@blueprint.get("/operations/runbooks/<name>")
def runbook(name: str) -> ResponseReturnValue:
    """The page for 3 a.m. behind an alarm."""
    path = _RUNBOOKS / f"{name}.md"
    if name not in ALARMS or not path.is_file():
        abort(404)
    return render_template("officer/runbook.html", alarm=ALARMS[name], blocks=blocks(path.read_text("utf-8")))


def _figures(now: datetime) -> dict[str, Any]:
    report = look(Installation.of(current_app.config["CONSULAR"]), now)
    return {
        "alarms": [_shown(one) for one in report.alarms],
        "state": report.state,
        "messages": _messages(report),
        "now": now.replace(second=0, microsecond=0),
    }


def _shown(one: Raised) -> dict[str, Any]:
    return {
        "alarm": one.alarm,
        "subject": one.subject,
        "since": one.since,
        "act": spans(one.alarm.act),
        "measured": _measured(one),
        "runbook": url_for("officer.runbook", name=one.alarm.name),
        "page": _page_of(one),
    }


def _page_of(one: Raised) -> dict[str, str] | None:
    """Where this officer can do something about it."""
    if one.alarm.name == "messages_held" and may("officer.held_alerts"):
        return {"address": url_for("officer.held_alerts"), "words": "Decide about them"}
    if one.alarm.name == "alert_unreadable" and may("officer.alert"):
        return {"address": url_for("officer.alert", alert_id=one.subject), "words": "Open the alert"}
    return None


def _measured(one: Raised) -> str:
    """The value with its unit, where it says more than that the alarm stands."""
    if one.alarm.threshold == 0 and one.value <= 1:
        return ""
    return "" if one.alarm.unit == "s" else f"{one.value:,.0f} {one.alarm.unit}"


def _messages(report: Report) -> list[tuple[str, int]]:
    if report.state is None:
        return []
    counted = report.state.messages
    return [(words, counted[state]) for state, words in _STATES.items() if counted.get(state)]
