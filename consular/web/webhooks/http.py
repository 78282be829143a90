"""What an operator behind the HTTP gateway calls: receipts and texts, by GET or POST. 403 without our key, 400 for what
the profile cannot read, 5xx when it could not be stored: then it comes again.

With GET the number and the text are in the address: nothing here logs it or says it back.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from flask import Response, current_app, request

from consular.clock import utc_now
from consular.providers.http_gateway.calls import ForgedCallError, MalformedCallError, WebhookCall
from consular.providers.http_gateway.doorway import HttpDoorway
from consular.services import inbound, receipts
from consular.services.refused_calls import refused_calls
from consular.web.webhooks import blueprint

_METHODS = ("GET", "POST")

log = structlog.get_logger(__name__)


def _nothing(status: int = 200) -> Response:
    """An empty answer: Kannel would send whatever stands here to the citizen."""
    return Response("", status=status, content_type="text/plain; charset=utf-8")


@blueprint.errorhandler(ForgedCallError)
def _forged_call(_error: ForgedCallError) -> Response:
    refused_calls.note("http")
    return _nothing(403)


@blueprint.errorhandler(MalformedCallError)
def _malformed_call(error: MalformedCallError) -> Response:
    log.warning("http_gateway_call_malformed", endpoint=request.endpoint, what=error.code)
    return _nothing(400)


def _call() -> WebhookCall:
    """Must be made before anything reads request.form, which eats the body."""
    return WebhookCall(request.query_string, request.mimetype, request.get_data())


def _doorway() -> HttpDoorway:
    doorway: HttpDoorway = current_app.extensions["consular"].http_doorway
    return doorway


@blueprint.route("/http/<name>/receipt", methods=_METHODS, defaults={"attempt_id": None})
@blueprint.route("/http/<name>/receipt/<uuid:attempt_id>", methods=_METHODS)
def http_receipt(name: str, attempt_id: UUID | None) -> Response:
    """Store one receipt: of the attempt in the address, or of the text that the operator's own id names."""
    report = _doorway().receipt(name, _call(), attempt_id)
    message_id, status = report.provider_message_id, report.shared_status
    receipts.store(name, message_id, report.attempt_id, status, report.shared_code, report.pairs, utc_now())
    return _nothing()


@blueprint.route("/http/<name>/inbound", methods=_METHODS)
def http_inbound(name: str) -> Response:
    """Store one text from a person."""
    text = _doorway().inbound(name, _call())
    inbound.store(name, text.message_id, text.sender, text.body, text.pairs, utc_now())
    return _nothing()
