"""What every answer says to browsers: nothing from elsewhere, no framing, no traces; static files may be kept."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, url_for

from config import Config

_STATIC = Path(__file__).resolve().parent.parent / "static"
_POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    "script-src 'self'; style-src 'self'; img-src 'self'"
)
_ALWAYS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}
_A_YEAR = 31_536_000
_LARGEST_COMPRESSED = 65_536
_SMALLEST_COMPRESSED = 1_000


def register(app: Flask) -> None:
    """Add the headers to every response. Pages are not stored; a static file with its hash is, for a year."""
    config: Config = app.config["CONSULAR"]
    always = dict(_ALWAYS)
    if config.is_https:
        always["Strict-Transport-Security"] = f"max-age={_A_YEAR}; includeSubDomains"

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in always.items():
            response.headers.setdefault(name, value)
        if request.endpoint == "static":
            _prepare_static(response)
            return response
        if not response.cache_control:
            response.cache_control.no_store = True
        _compress_refusal(response)
        return response

    @app.context_processor
    def page_variables() -> dict[str, Any]:
        return {"asset": asset, "mission_name": config.mission_name, "mission_phone": config.mission_phone}


def asset(name: str) -> str:
    """Address of a static file, with a hash of its content, so that browsers may keep it."""
    return url_for("static", filename=name, v=_content_hash(name, (_STATIC / name).stat().st_mtime_ns))


@cache
def _content_hash(name: str, changed: int) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:8]


def _prepare_static(response: Response) -> None:
    if "v" in request.args and response.status_code in (200, 304):
        response.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable"
    length = response.headers.get("Content-Length", _LARGEST_COMPRESSED, type=int)
    if response.status_code == 200 and request.method == "GET" and length < _LARGEST_COMPRESSED:
        file = response.response
        response.direct_passthrough = False
        response.set_data(response.get_data())
        if hasattr(file, "close"):
            file.close()


def _compress_refusal(response: Response) -> None:
    """Flask-Compress leaves errors as they are, but a form shown again with its errors is as large as the form."""
    is_page = response.mimetype == "text/html"
    if response.status_code < 400 or not is_page or request.accept_encodings["gzip"] <= 0:
        return
    body = response.get_data()
    if len(body) >= _SMALLEST_COMPRESSED:
        response.set_data(gzip.compress(body, 6))
        response.headers["Content-Encoding"] = "gzip"
