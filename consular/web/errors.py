"""Errors at the edge: a page in the reader's language, or problem+json (RFC 9457) for programs; never details."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from consular.domain.audience import AudienceError
from consular.errors import ConsularError, InvalidInputError

_log = structlog.get_logger()
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


@dataclass(frozen=True, slots=True)
class _Words:
    title: Any
    cure: Any


_CHECK_ANSWERS = _Words(
    _l("We could not read what was sent"), _l("Go back, check your answers and send the form again.")
)
_WORDS = {
    400: _CHECK_ANSWERS,
    403: _Words(_l("You may not do this"), _l("Your sign-in does not include this, or it has ended.")),
    404: _Words(
        _l("Page not found"), _l("Check the address. If you followed a link from a text message, copy the whole link.")
    ),
    405: _Words(_l("This address does not work that way"), _l("Start again from the first page.")),
    409: _Words(_l("This has changed meanwhile"), _l("Open the page again to see how it stands now.")),
    413: _Words(
        _l("Too much was sent"), _l("Go back, shorten your answers and send the form again. Files cannot be sent.")
    ),
    422: _CHECK_ANSWERS,
    500: _Words(
        _l("Something went wrong on our side"),
        _l("Nothing you did was wrong. Wait a minute and send it again: it will not be recorded twice."),
    ),
    503: _Words(_l("The service is not available at the moment"), _l("Wait a minute and try again.")),
}

_OFFICERS_CURES = {404: "Check the address, or look for it from your first page."}


def register(app: Flask) -> None:
    """Answer every error from here; log failures without the values that were being handled."""
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(CSRFError, _on_csrf_error)
    app.register_error_handler(ConsularError, _on_consular_error)
    app.register_error_handler(AudienceError, _on_unreadable_audience)
    app.log_exception = _log_failure  # type: ignore[method-assign]


def _on_http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.get_response(request.environ)
    headers = {name: value for name, value in error.get_headers(request.environ) if name in _KEPT_HEADERS}
    return _answer(error.code or 500, "http_error", None, headers)


def _on_csrf_error(error: CSRFError) -> Response:
    return _answer(
        403, "form_expired", "This form was open for too long or came from another page. Open it again and repeat."
    )


def _on_consular_error(error: ConsularError) -> Response:
    fields = error.fields if isinstance(error, InvalidInputError) else {}
    return _answer(error.status, error.code, error.message, fields=fields)


def _on_unreadable_audience(error: AudienceError) -> Response:
    """A stored rule that is no rule: forms refuse such rules, so somebody changed the row by hand."""
    _log_failure((type(error), error, error.__traceback__))
    return _answer(
        500,
        "unreadable_audience",
        "The countries and places stored here cannot be read, so nobody can be selected and nothing can be sent from"
        " here. Open a new crisis with the countries that are meant, and tell the person who runs this service.",
    )


def _answer(
    status: int,
    code: str,
    detail: str | None,
    headers: dict[str, str] | None = None,
    fields: dict[str, str] | None = None,
) -> Response:
    response = _problem(status, code, detail, fields) if wants_json() else _page(status, detail, fields)
    response.headers.update(headers or {})
    return response


def wants_json() -> bool:
    """Gateways and programs that ask for JSON and not for HTML."""
    if request.path.startswith("/webhooks"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json", "application/problem+json"])
    return best is not None and best.endswith("json") and request.accept_mimetypes["text/html"] == 0


def _problem(status: int, code: str, detail: str | None, fields: dict[str, str] | None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    if fields:
        body["fields"] = {name: str(message) for name, message in fields.items()}
    response = jsonify(body)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def _page(status: int, detail: str | None, fields: dict[str, str] | None) -> Response:
    """Officers read the English sentence of the error; citizens the words for its status in their language."""
    is_officer = request.path == "/officer" or request.path.startswith("/officer/")
    fallback = 400 if status < 500 else 500
    words = _WORDS.get(status, _WORDS[fallback])
    page = render_template(
        "error.html",
        title=words.title,
        cure=((detail or _OFFICERS_CURES.get(status)) if is_officer else None) or words.cure,
        fields=fields or {},
        is_officer=is_officer,
        officer=g.get("officer"),
    )
    return Response(page, status, mimetype="text/html")


def _log_failure(exc_info: Any) -> None:
    """Kind and place of a failure only: the texts of database errors carry the values of the row."""
    kind, _, trace = exc_info
    _log.error(
        "request_failed",
        error=f"{kind.__module__}.{kind.__qualname__}",
        endpoint=request.endpoint,
        method=request.method,
        frames=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)][-12:],
    )
