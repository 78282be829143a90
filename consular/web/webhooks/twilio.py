"""Twilio's two webhooks. 403 for a forged one, 400 for a malformed one, 5xx when it could not be stored: then it
comes again."""

from __future__ import annotations

from uuid import UUID

from flask import Response, current_app, request

from consular.clock import utc_now
from consular.providers.twilio.doorway import Doorway, ForgedWebhookError
from consular.providers.twilio.webhooks import WebhookRefused
from consular.services import inbound, receipts
from consular.services.refused_calls import refused_calls
from consular.web.webhooks import blueprint

_FORM = "application/x-www-form-urlencoded"
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def _twiml(status: int = 200) -> Response:
    return Response(_EMPTY_TWIML, status=status, content_type="text/xml; charset=utf-8")


@blueprint.errorhandler(ForgedWebhookError)
def _forged(_error: ForgedWebhookError) -> Response:
    refused_calls.note("twilio")
    return _twiml(403)


@blueprint.errorhandler(WebhookRefused)
def _malformed(_error: WebhookRefused) -> Response:
    return _twiml(400)


def _pairs() -> list[tuple[str, str]]:
    if request.mimetype != _FORM:
        raise WebhookRefused("content_type")
    return list(request.form.items(multi=True))


def _path() -> str:
    query = request.query_string.decode("latin-1")
    return f"{request.path}?{query}" if query else request.path


def _doorway() -> Doorway:
    doorway: Doorway = current_app.extensions["consular"].doorway
    return doorway


@blueprint.post("/twilio/inbound")
def twilio_inbound() -> Response:
    """Store one text from a person."""
    pairs = _pairs()
    gateway, text = _doorway().inbound(_path(), pairs, request.headers.get("X-Twilio-Signature"))
    inbound.store(gateway, text.message_sid, text.sender, text.body, pairs, utc_now())
    return _twiml()


@blueprint.post("/twilio/status/<uuid:attempt_id>")
def twilio_status(attempt_id: UUID) -> Response:
    """Store one receipt for an attempt of ours."""
    pairs = _pairs()
    signature = request.headers.get("X-Twilio-Signature")
    gateway, report = _doorway().status(_path(), pairs, signature, attempt_id, request.args.get("k"))
    receipts.store(gateway, report.message_sid, attempt_id, report.status, report.error_code, pairs, utc_now())
    return _twiml()
