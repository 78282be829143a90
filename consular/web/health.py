"""Liveness and readiness for whoever supervises the processes."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from consular.queries import health

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    """200 while the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    """200 when the database answers and has the newest schema; 503 with the reason otherwise."""
    problem = health.database_problem()
    return (jsonify(status="unavailable", reason=problem), 503) if problem else jsonify(status="ok")
