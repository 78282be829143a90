"""One guard in front of every endpoint: who is asking, and does permissions.py let them."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from consular import permissions
from consular.clock import utc_now
from consular.errors import NotAllowedError
from consular.services import officers

_FALLBACK = "officer.home"


def register(app: Flask) -> None:
    """Check every request before its view runs."""
    app.before_request(guard)


def guard() -> ResponseReturnValue | None:
    """Let a request pass, send it to the sign-in page, or refuse it. Sets g.officer on officers' endpoints."""
    g.officer = None
    endpoint = request.endpoint
    if endpoint is None:
        return None
    access = permissions.access_to(endpoint)
    if access is None:
        current_app.logger.error("endpoint %s has no row in consular/permissions.py", endpoint)
        abort(500, f"The endpoint {endpoint} has no row in consular/permissions.py: add one.")
    if isinstance(access, permissions.Public):
        return None
    g.officer = _signed_in_officer()
    if g.officer is None:
        return _ask_to_sign_in()
    if g.officer.role not in access:
        raise NotAllowedError(f"Your role ({g.officer.role}) does not include this. Ask a colleague who may do it.")
    return None


def cookie_name() -> str:
    """Name of the officers' session cookie: the __Host- prefix wherever the browser accepts it."""
    return "__Host-consular-officer" if current_app.config["CONSULAR"].is_https else "consular-officer"


def safe_next(target: str | None) -> str:
    """`target` when it is a path on this site under /officer, else the officers' home page."""
    home = url_for(_FALLBACK)
    if not target or "\\" in target or any(ord(character) < 0x21 for character in target):
        return home
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/officer") or target.startswith("//"):
        return home
    return target


def wants_fragment() -> bool:
    """Whether a script asked for part of a page: a redirect to the sign-in page would land inside the page."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" or request.headers.get("X-Requested-With") == "fetch"


def _signed_in_officer() -> officers.SignedInOfficer | None:
    token = request.cookies.get(cookie_name())
    if not token:
        return None
    config = current_app.config["CONSULAR"]
    idle = config.session_idle_minutes
    return officers.identify(token, utc_now(), idle_minutes=idle, is_activity=not wants_fragment())


def _ask_to_sign_in() -> ResponseReturnValue:
    if wants_fragment():
        abort(401)
    back_to = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("officer.sign_in", next=back_to), 303)
