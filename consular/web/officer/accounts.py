"""Officers' accounts, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from consular.clock import utc_now
from consular.errors import ConflictError, InvalidInputError
from consular.extensions import db
from consular.permissions import Role
from consular.queries import officers as queries
from consular.schemas.audience import first_messages
from consular.schemas.sign_in import OfficerSchema
from consular.services import officers
from consular.web.officer import blueprint


@blueprint.get("/officers", endpoint="officers")
def officers_page() -> ResponseReturnValue:
    """Every account, and the form for a new one."""
    return _page(MultiDict(), {})


@blueprint.post("/officers")
def add_officer() -> ResponseReturnValue:
    """Make an account."""
    try:
        form = OfficerSchema().load(request.form.to_dict())
        officers.add_officer(form.username, form.full_name, form.role, form.password, utc_now(), by=g.officer.id)
    except ValidationError as error:
        return _page(request.form, first_messages(error)), 422
    except InvalidInputError as error:
        return _page(request.form, error.fields), 422
    except ConflictError as error:
        return _page(request.form, {"username": error.message}), 409
    flash(f"{form.full_name} can sign in now. Give them the password in person or by telephone.")
    return redirect(url_for("officer.officers"), 303)


@blueprint.post("/officers/<uuid:officer_id>/disable")
def disable_officer(officer_id: UUID) -> ResponseReturnValue:
    """Close an account and end its sessions."""
    return _act(officers.disable_officer, officer_id, "The account is disabled and signed out everywhere.")


@blueprint.post("/officers/<uuid:officer_id>/enable")
def enable_officer(officer_id: UUID) -> ResponseReturnValue:
    """Open a disabled account again."""
    return _act(officers.enable_officer, officer_id, "The account is open again.")


@blueprint.post("/officers/<uuid:officer_id>/unlock")
def unlock_officer(officer_id: UUID) -> ResponseReturnValue:
    """Forget wrong guesses."""
    return _act(officers.unlock_officer, officer_id, "Wrong passwords are forgotten; the officer can try again now.")


@blueprint.post("/officers/<uuid:officer_id>/sign-out")
def revoke_officer_sessions(officer_id: UUID) -> ResponseReturnValue:
    """End every session of an officer."""
    return _act(officers.revoke_sessions, officer_id, "The officer is signed out everywhere.")


def _act(service: Callable[..., object], officer_id: UUID, message: str) -> ResponseReturnValue:
    now: datetime = utc_now()
    service(officer_id, now, by=g.officer.id)
    flash(message)
    return redirect(url_for("officer.officers"), 303)


def _page(values: MultiDict[str, str], errors: dict[str, str]) -> str:
    now = utc_now()
    return render_template(
        "officer/officers.html",
        officers=queries.list_officers(db.session),
        sessions=queries.count_open_sessions(db.session, now),
        roles=[(role.value, role.value) for role in Role],
        values=values,
        errors=errors,
        now=now,
    )
