"""The first page after signing in."""

from __future__ import annotations

from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from consular.domain.alerts import AlertState
from consular.extensions import db
from consular.permissions import Role
from consular.queries import alerts as queries
from consular.web.officer import blueprint


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Crises, and the alerts that wait for an approver; administrators go to the accounts."""
    if g.officer.role is Role.ADMINISTRATOR:
        return redirect(url_for("officer.officers"))
    return render_template(
        "officer/home.html",
        crises=queries.list_crises(db.session),
        waiting=queries.list_alerts(db.session, state=AlertState.AWAITING_APPROVAL),
    )
