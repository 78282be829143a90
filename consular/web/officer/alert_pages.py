"""The alert pages: choices with plain explanations, the preview, the release page."""

from __future__ import annotations

from typing import Any

from flask import render_template
from werkzeug.datastructures import MultiDict

from consular.clock import utc_now
from consular.domain.alerts import AlertState, MessageClass, content_hash
from consular.domain.audience import rule_from_dict
from consular.domain.cap import Category, Certainty, ResponseType, Severity, Urgency
from consular.domain.delivery import MessageState
from consular.extensions import db
from consular.locales import LANGUAGE_NAMES, LANGUAGES, country_names, direction
from consular.queries import alerts as queries
from consular.queries import audience
from consular.queries.alerts import AlertView, EventView
from consular.services import alert_previews, alerts
from consular.services.alert_refusals import phone_country
from consular.services.restoring import closed_since
from consular.web.officer import audiences
from consular.web.officer.pages import lines, public_url

Choice = tuple[str, str, str]

CATEGORIES: dict[Category, str] = {
    Category.GEO: "earthquake, volcano, tsunami",
    Category.MET: "storm, flood, heat",
    Category.SAFETY: "general danger to the public",
    Category.SECURITY: "war, unrest, terrorism, crime",
    Category.RESCUE: "rescue and recovery",
    Category.FIRE: "fire",
    Category.HEALTH: "disease, medical emergency",
    Category.ENV: "pollution",
    Category.TRANSPORT: "roads, ports, airports, border crossings",
    Category.INFRA: "power, water, telephone, internet",
    Category.CBRNE: "chemical, biological, radiological, nuclear, explosive",
    Category.OTHER: "anything else",
}
URGENCIES: dict[Urgency, str] = {
    Urgency.IMMEDIATE: "act now",
    Urgency.EXPECTED: "act within the next hour",
    Urgency.FUTURE: "act in the near future",
    Urgency.PAST: "no longer needed",
    Urgency.UNKNOWN: "not known",
}
SEVERITIES: dict[Severity, str] = {
    Severity.EXTREME: "extraordinary threat to life or property",
    Severity.SEVERE: "significant threat",
    Severity.MODERATE: "possible threat",
    Severity.MINOR: "minimal threat",
    Severity.UNKNOWN: "not known",
}
CERTAINTIES: dict[Certainty, str] = {
    Certainty.OBSERVED: "has happened or is happening",
    Certainty.LIKELY: "more likely than not",
    Certainty.POSSIBLE: "possible, but not likely",
    Certainty.UNLIKELY: "not expected",
    Certainty.UNKNOWN: "not known",
}
RESPONSES: dict[ResponseType, str] = {
    ResponseType.SHELTER: "stay inside, take shelter",
    ResponseType.EVACUATE: "leave the place",
    ResponseType.PREPARE: "get ready",
    ResponseType.EXECUTE: "do what was arranged before",
    ResponseType.AVOID: "keep away",
    ResponseType.MONITOR: "watch for news",
    ResponseType.ASSESS: "judge for yourself; do not send this with other advice",
    ResponseType.ALL_CLEAR: "the danger is over",
    ResponseType.NONE: "nothing",
}
CLASSES: dict[MessageClass, Choice] = {
    MessageClass.LIFE_SAFETY: (
        "life_safety",
        "Life safety",
        "Goes before all others. If nobody knows whether a text left, it is sent again soon: better twice than never.",
    ),
    MessageClass.NORMAL: (
        "normal",
        "Normal",
        "If nobody knows whether a text left, it is sent again only after the first can no longer arrive.",
    ),
    MessageClass.SENSITIVE: (
        "sensitive",
        "Sensitive",
        "A text that may have left is never sent again by itself: an officer decides.",
    ),
}
_ON_THE_WAY = (MessageState.QUEUED, MessageState.CLAIMED, MessageState.SENDING)
_HANDED_OVER = (
    MessageState.ACCEPTED,
    MessageState.SENT,
    MessageState.DELIVERED,
    MessageState.READ,
    MessageState.UNDELIVERED,
)
_LINES: tuple[tuple[str, str, tuple[MessageState, ...]], ...] = (
    ("Waiting to be sent", "", (MessageState.QUEUED, MessageState.CLAIMED)),
    ("Being handed over", "", (MessageState.SENDING,)),
    ("With the network, no receipt yet", "", (MessageState.ACCEPTED, MessageState.SENT)),
    ("Delivered to the phone", "safe", (MessageState.DELIVERED, MessageState.READ)),
    ("Not delivered", "doubt", (MessageState.UNDELIVERED, MessageState.REFUSED, MessageState.FAILED)),
    ("Not known whether it left", "doubt", (MessageState.UNKNOWN,)),
    ("Held for an officer", "doubt", (MessageState.HELD,)),
    ("Too late, not sent", "", (MessageState.EXPIRED,)),
    ("Stopped, not sent", "", (MessageState.CANCELLED,)),
)
_ALWAYS_SHOWN = frozenset(label for label, _, _ in _LINES[:5])


def choices() -> dict[str, Any]:
    """What the alert form's selects and radios offer."""
    tables: dict[str, dict[Any, str]] = {
        "categories": CATEGORIES,
        "urgencies": URGENCIES,
        "severities": SEVERITIES,
        "certainties": CERTAINTIES,
        "responses": RESPONSES,
    }
    offered: dict[str, Any] = {
        name: [(value.value, f"{value.value}: {meaning}") for value, meaning in table.items()]
        for name, table in tables.items()
    }
    offered["classes"] = list(CLASSES.values())
    offered["languages"] = [(code, LANGUAGE_NAMES[code], direction(code)) for code in LANGUAGES]
    return offered | {"countries": country_choices()}


def country_choices() -> list[tuple[str, str]]:
    """Every country by its English name."""
    return list(country_names("en").items())


def new_values(rule_values: MultiDict[str, str]) -> MultiDict[str, str]:
    """The empty form: nothing is chosen for the officer but the length of validity and asking for an answer."""
    rule_values.update({"validity_minutes": "360", "asks_for_reply": "yes", "revision": "0"})
    return rule_values


def values_of(alert: AlertView, rule_values: MultiDict[str, str]) -> MultiDict[str, str]:
    """An alert as the form's values."""
    for name in ("category", "urgency", "severity", "certainty", "response_type", "message_class"):
        rule_values[name] = getattr(alert, name).value
    rule_values["event"] = alert.event
    rule_values["asks_for_reply"] = "yes" if alert.asks_for_reply else ""
    rule_values["validity_minutes"] = str(alert.validity_minutes)
    rule_values["revision"] = str(alert.revision)
    for language, words in alert.words.items():
        rule_values[f"headline_{language}"] = words.headline
        rule_values[f"text_{language}"] = words.text
    return rule_values


def page(alert: AlertView, errors: dict[str, str] | None = None) -> str:
    """The page of an alert in whatever state it is."""
    rule = rule_from_dict(alert.audience)
    context = {
        "alert": alert,
        "crisis": alert.crisis,
        "audience": audiences.sentence(rule, audience.place_names(db.session, rule)),
        "decisions": queries.list_decisions(db.session, alert.id),
        "errors": errors or {},
        "message_class": CLASSES[alert.message_class],
        "unasked": [phone_country(code or None) for code in alert.accepts_no_answer_from],
    }
    event = queries.find_event(db.session, alert.id)
    if event is not None:
        texts = {language: alert_previews.render(alert, language, public_url(), 1) for language in event.words}
        context |= progress(alert, event) | {"posts": queries.list_posts(db.session, event.id), "texts": texts}
        return render_template("officer/alert_release.html", **context)
    context["preview"] = seen = alert_previews.preview(alert, utc_now(), lines(), public_url())
    if alert.state is AlertState.AWAITING_APPROVAL:
        digest = content_hash(alerts.content_of(alert), alert.audience, seen.count.people)
        context |= {"seen_hash": digest.hex(), "seen_count": seen.count.people}
    return render_template("officer/alert_preview.html", **context)


def progress(alert: AlertView, event: EventView) -> dict[str, Any]:
    """Variables of the part that shows how far sending is."""
    counts = queries.count_messages(db.session, event.id)
    by_state = {state: counts.get(state.value, 0) for state in MessageState}
    total = sum(by_state.values())
    waiting = sum(by_state[state] for state in _ON_THE_WAY)
    lines = [(label, kind, sum(by_state[state] for state in states)) for label, kind, states in _LINES]
    return {
        "alert": alert,
        "event": event,
        "total": total,
        "waiting": waiting,
        "handed_over": sum(by_state[state] for state in _HANDED_OVER),
        "not_sent": by_state[MessageState.CANCELLED],
        "lines": [line for line in lines if line[2] or line[0] in _ALWAYS_SHOWN],
        "is_sending": waiting > 0 and event.stopped_at is None and event.expires_at > utc_now(),
        "closed_at": closed_since(),
    }
