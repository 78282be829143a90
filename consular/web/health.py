"""Liveness and readiness for whoever supervises the processes, and metrics for whoever watches over them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify
from flask.typing import ResponseReturnValue

from consular.clock import utc_now
from consular.queries import health
from consular.services.operations import Installation, Report, look
from consular.web.internal import is_internal
from consular.web.metrics import CONTENT_TYPE, exposition

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    """200 while the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    """200 when the database answers and has the newest schema; 503 with the reason otherwise.

    Redis, the clock and the workers are told beside it to those who may read metrics, and change nothing: this process
    can do its work without them.
    """
    problem = health.database_problem()
    if problem:
        return jsonify(status="unavailable", reason=problem), 503
    return jsonify(status="ok", **(_details() if is_internal() else {}))


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """For our own scraper; to everybody else there is no such page."""
    if not is_internal():
        abort(404)
    return Response(exposition(_look()), content_type=CONTENT_TYPE)


def _look() -> Report:
    return look(Installation.of(current_app.config["CONSULAR"]), utc_now())


def _details() -> dict[str, Any]:
    report = _look()
    state = report.state
    redis = "not set up" if state is None or not state.has_redis else "ok" if state.workers is not None else "silent"
    return {
        "redis": redis,
        "clock": state.clock_at.isoformat() if state is not None and state.clock_at is not None else None,
        "workers": state.workers if state is not None else None,
        "alarms": [{"alarm": one.alarm.name, "subject": one.subject} for one in report.alarms],
    }
