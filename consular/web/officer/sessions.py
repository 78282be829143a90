"""Signing in and out."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import Response, current_app, g, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from consular.clock import utc_now
from consular.schemas.sign_in import SignInSchema
from consular.services import officers
from consular.services.officers import KnownDevice
from consular.web.guards import cookie_name, safe_next
from consular.web.officer import blueprint

REFUSED = (
    "User name or password is wrong, or there were too many attempts. "
    "Check both, wait a few minutes, or ask your administrator."
)
_DEVICE_LIFE = timedelta(days=365)


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The sign-in page; a good sign-in goes on to `next` when that is a page of ours."""
    target = safe_next(request.args.get("next"))
    if request.method == "GET":
        return render_template("officer/sign_in.html", error=None, username="")
    form = SignInSchema().load(request.form.to_dict())
    config = current_app.config["CONSULAR"]
    signed_in = officers.sign_in(
        form.username, form.password, utc_now(), session_hours=config.session_hours, device=_known_device()
    )
    if signed_in is None:
        return render_template("officer/sign_in.html", error=REFUSED, username=form.username[:80]), 401
    session.clear()
    response = make_response(redirect(target, 303))
    _set_cookies(response, signed_in)
    return response


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this session on the server and forget its cookies."""
    officers.sign_out(g.officer, utc_now())
    session.clear()
    response = make_response(redirect(url_for("officer.sign_in"), 303))
    secure = current_app.config["CONSULAR"].is_https
    response.delete_cookie(cookie_name(), path="/", secure=secure, httponly=True, samesite="Lax")
    return response


def _set_cookies(response: Response, signed_in: officers.SignIn) -> None:
    secure = current_app.config["CONSULAR"].is_https
    response.set_cookie(cookie_name(), signed_in.token, path="/", secure=secure, httponly=True, samesite="Lax")
    device = {"officer": str(signed_in.device.officer_id), "device": signed_in.device.device_id}
    response.set_cookie(
        _device_cookie(),
        _signer().dumps(device),
        max_age=_DEVICE_LIFE,
        path="/",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )


def _known_device() -> KnownDevice | None:
    try:
        value = _signer().loads(request.cookies.get(_device_cookie(), ""))
        return KnownDevice(UUID(value["officer"]), str(value["device"]))
    except (BadSignature, KeyError, TypeError, ValueError):
        return None


def _device_cookie() -> str:
    return "__Host-consular-device" if current_app.config["CONSULAR"].is_https else "consular-device"


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="officer-device")
