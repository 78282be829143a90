"""The words of officers' pages for parts of the board, requests, answers and ages, with what exactly they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consular.domain import triage
from consular.domain.triage import Age, Assessment, Outcome, Stated
from consular.locales import LANGUAGES
from consular.queries.board import Bucket
from consular.queries.records import Moment
from consular.queries.requests import QueueRow, RequestKind
from consular.web.officer import blueprint


class Words(NamedTuple):
    """mark: a sign that tells it apart without colour. meaning: the definition of the figure."""

    label: str
    mark: str
    meaning: str


BUCKETS: Mapping[Bucket, Words] = {
    Bucket.NEEDS_HELP: Words("Needs help", "▲", "They said so. Only an officer can close a call for help."),
    Bucket.UNCLEAR: Words("Unclear to read", "?", "They answered; an officer must read it."),
    Bucket.NOT_THERE: Words("Not there", "→", "They said they are not in the area."),
    Bucket.SAFE: Words("Safe", "✓", "They said they are safe."),
    Bucket.SILENT: Words("Delivered, no answer yet", "○", "The phone has the text. Silence says nothing more."),
    Bucket.HANDED_OVER: Words(
        "Handed over, no report", "◐", "The network took the text and has not reported delivery."
    ),
    Bucket.WAITING: Words("Waiting to be sent", "…", "The text is in our queue, or we do not know yet if it left."),
    Bucket.NOT_DELIVERED: Words(
        "Not delivered", "✕", "Every text to this person failed, was refused, or was stopped before it left."
    ),
    Bucket.NO_PHONE: Words("No usable phone", "–", "No number, a dead number, or no texts wanted."),
}

REQUESTS: Mapping[RequestKind, Words] = {
    RequestKind.NEEDS_HELP: Words("Needs help", "▲", "A person calls for help."),
    RequestKind.UNCLEAR: Words("Unclear text", "?", "Nobody could read it by rule."),
    RequestKind.WRONG_PERSON: Words("Wrong person", "≠", "The phone belongs to somebody else."),
    RequestKind.UNKNOWN_SENDER: Words("Unknown sender", "#", "The phone is not on record."),
    RequestKind.OPTED_OUT: Words("Wants no more texts", "■", "The person sent STOP: reach them another way."),
}

STATED: Mapping[Stated, str] = {
    Stated.SAFE: "Safe",
    Stated.NEEDS_HELP: "Needs help",
    Stated.NOT_THERE: "Not there",
    Stated.UNCLEAR: "Unclear to read",
}

ASSESSMENTS: Mapping[Assessment, str] = {
    Assessment.NEEDS_HELP: "Needs help",
    Assessment.MISSING: "Missing",
    Assessment.DECEASED: "Deceased",
    Assessment.NOT_THERE: "Not there",
    Assessment.SAFE: "Safe",
}

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.HELPED: "Help was given",
    Outcome.PASSED_ON: "Passed on to another service",
    Outcome.NO_LONGER_NEEDED: "The person says help is no longer needed",
    Outcome.DUPLICATE: "Handled under another request",
    Outcome.MISREAD: "It was not a call for help",
    Outcome.READ: "Read by an officer",
    Outcome.NO_ACTION: "Nothing to be done",
}

LANGUAGE_NAMES: Mapping[str, str] = {"en": "English", "fr": "French", "ar": "Arabic", "hi": "Hindi"}

_ALERT_FIELDS = (
    "event",
    *(f"{part}_{language}" for language in LANGUAGES for part in ("headline", "text")),
    *("category", "response_type", "urgency", "severity", "certainty", "validity_minutes", "message_class"),
    *("countries", "places", "centres", "radii"),
)
_SAID_TWICE = {"Text delivered to the phone": "The network reported: delivered"}
"""What a line of a record says already, and the report of the same moment that it comes from."""


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)


AGE_RULE = (
    f"Calls for help come first, then the oldest. A call for help is due after {_minutes(triage.CALL_DUE)} minutes"
    f" and late after {_minutes(triage.CALL_LATE)}; other texts are due after {_minutes(triage.OTHER_DUE)}"
    f" and late after {_minutes(triage.OTHER_LATE)}."
)


def age(kind: RequestKind, opened_at: datetime, now: datetime) -> Age:
    """The age class of an open request."""
    return triage.age(kind is RequestKind.NEEDS_HELP, now - opened_at)


def age_of(row: QueueRow, now: datetime) -> Age:
    """The age class of a row of the queue."""
    return age(row.kind, row.opened_at, now)


@blueprint.app_template_filter("waited")
def waited(since: datetime, now: datetime) -> str:
    """How long ago, to the minute: under a minute, 14 min, 3 h 05 min, 2 days 4 h."""
    minutes = int((now - since).total_seconds() // 60)
    if minutes < 1:
        return "under a minute"
    hours, rest = divmod(minutes, 60)
    days, left = divmod(hours, 24)
    if days:
        return f"{days} day{'s' if days > 1 else ''} {left} h"
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


@blueprint.app_template_filter("instant")
def instant(moment: datetime | None) -> str:
    """A moment to the second: 20 Feb 2011, 14:05:09 UTC."""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC" if moment else ""


@blueprint.app_template_filter("clocks")
def clocks(moment: datetime | None, zone: str | None) -> str:
    """A moment in UTC and at the place of stay, when its zone is known: 20 Feb 2011, 14:05:09 UTC, 16:05 there."""
    return ", ".join(filter(None, (instant(moment), there(moment, zone))))


@blueprint.app_template_filter("newest_first")
def newest_first(timeline: Iterable[Moment]) -> list[Moment]:
    """A timeline for reading, without reports that only repeat what another line of the same moment says."""
    moments = list(timeline)
    repeated = {(_SAID_TWICE[moment.title], moment.at) for moment in moments if moment.title in _SAID_TWICE}
    return [moment for moment in reversed(moments) if (moment.title, moment.at) not in repeated]


@blueprint.app_template_filter("in_page_order")
def in_page_order(errors: Mapping[str, str]) -> dict[str, str]:
    """Errors of the alert form in the order of its fields; what belongs to no field comes first."""
    places = {name: place for place, name in enumerate(_ALERT_FIELDS)}
    return dict(sorted(errors.items(), key=lambda error: places.get(error[0], -1)))


@blueprint.app_template_filter("there")
def there(moment: datetime | None, zone: str | None) -> str:
    """The clock at the place of stay, when its zone is known: 16:05 there."""
    if moment is None or not zone:
        return ""
    try:
        return f"{moment.astimezone(ZoneInfo(zone)):%H:%M} there"
    except (ZoneInfoNotFoundError, ValueError):
        return ""
