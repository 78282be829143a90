"""What every officer's page shares: who is signed in, what they may open, how times and states are written."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import current_app, g, url_for

from config import Config
from consular import permissions
from consular.services.alert_previews import ENGLISH_NAMES
from consular.services.alert_ways import Line
from consular.services.social import Outlets
from consular.web.officer import blueprint


@blueprint.app_template_filter("utc")
def utc(moment: datetime | None) -> str:
    """A moment with its zone: 20 Feb 2011, 14:05 UTC."""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC" if moment else ""


@blueprint.app_template_filter("thousands")
def thousands(number: float) -> str:
    """18,000."""
    return f"{number:,.0f}"


@blueprint.app_template_filter("words")
def words(value: str) -> str:
    """A stored value as words: awaiting_approval -> awaiting approval."""
    return value.replace("_", " ")


@blueprint.app_template_filter("duration")
def duration(seconds: float) -> str:
    """A length of time in the two largest units that matter."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


@blueprint.context_processor
def page_variables() -> dict[str, Any]:
    """Variables of every officer's page: officer, may(endpoint), board_url(crisis_id), language_names."""
    return {"officer": g.get("officer"), "may": may, "board_url": board_url, "language_names": ENGLISH_NAMES}


def may(endpoint: str) -> bool:
    """Whether the signed-in officer may call an endpoint that exists."""
    access = permissions.access_to(endpoint)
    officer = g.get("officer")
    is_there = endpoint in current_app.view_functions
    return is_there and officer is not None and isinstance(access, frozenset) and officer.role in access


def board_url(crisis_id: UUID) -> str:
    """Address of a crisis's board."""
    return url_for("officer.board", crisis_id=crisis_id)


def public_url() -> str:
    """The address under which people reach us."""
    config: Config = current_app.config["CONSULAR"]
    return config.public_url


def configured_gateways() -> dict[str, str]:
    """The gateways that are set up, and the sender of each."""
    return {name: line.sender for name, line in lines().items()}


def outlets() -> Outlets:
    """The public accounts that approved alerts are posted to."""
    config: Config = current_app.config["CONSULAR"]
    return Outlets(current_app.extensions["consular"].publishers, config.public_url)


def lines() -> dict[str, Line]:
    """The gateways that are set up: their rate and sender."""
    config: Config = current_app.config["CONSULAR"]
    return {name: Line(gateway.rate, gateway.sender) for name, gateway in config.gateways.items()}
