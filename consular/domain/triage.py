"""From statements to the status of a person: doubt is never safe, a call for help is never hidden by a later text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stated(StrEnum):
    """What a person said of themselves. UNCLEAR waits for a human reading."""

    SAFE = "SAFE"
    NEEDS_HELP = "NEEDS_HELP"
    NOT_THERE = "NOT_THERE"
    UNCLEAR = "UNCLEAR"


class Assessment(StrEnum):
    """What an officer believes; the last two are for officers alone (PFIF 1.4 believed_missing, believed_dead)."""

    SAFE = "safe"
    NEEDS_HELP = "needs_help"
    NOT_THERE = "not_there"
    MISSING = "missing"
    DECEASED = "deceased"


class StatementSource(StrEnum):
    """Where a status event came from."""

    SMS = "sms"
    LINK = "link"
    READING = "officer_reading"
    ASSESSMENT = "officer_assessment"
    CLOSING = "officer_closing"


@dataclass(frozen=True, slots=True)
class Statement:
    """One event about a person. `order` breaks ties of said_at. A CLOSING says that calls for help up to then are dealt with.

    A READING is an officer's reading of an unclear text: it takes that text's said_at and replaces its UNCLEAR (same `text_key`).
    """

    said_at: datetime
    order: int
    source: StatementSource
    stated: Stated | None
    count: int | None = None
    text_key: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person's statements amount to; all empty when they said nothing."""

    stated: Stated | None
    count: int | None
    said_at: datetime | None


def fold(statements: Iterable[Statement]) -> Standing:
    """The same result for any order of arrival: the last statement counts, but an open call for help beats all later ones.

    Only a CLOSING ends a call for help. An unread UNCLEAR later than SAFE is doubt, so it counts.
    """
    ordered = sorted(statements, key=lambda statement: (statement.said_at, statement.order))
    readings = {s.text_key: s for s in ordered if s.source is StatementSource.READING and s.text_key}
    closed_until = max((s.said_at for s in ordered if s.source is StatementSource.CLOSING), default=None)
    standing: Statement | None = None
    for statement in ordered:
        if statement.stated is None or _is_replaced(statement, readings):
            continue
        if standing is not None and _is_open_need(standing, closed_until):
            break
        standing = statement
    if standing is None:
        return Standing(None, None, None)
    return Standing(standing.stated, standing.count, standing.said_at)


def _is_replaced(statement: Statement, readings: dict[str | None, Statement]) -> bool:
    latest = readings.get(statement.text_key)
    return latest is not None and latest is not statement


def _is_open_need(statement: Statement, closed_until: datetime | None) -> bool:
    return statement.stated is Stated.NEEDS_HELP and (closed_until is None or statement.said_at > closed_until)


def attribute(stated: Stated, count: int | None, registered: tuple[int, ...]) -> Stated:
    """What one text from a phone says of each of the people behind it. registered: heads in each record on that phone.

    A call for help is believed of all of them. "Safe" (or "not there") is believed of one record unless the number said is smaller
    than the heads in it, and of several records only when the number said covers everybody; anything else is for a human.
    """
    if stated in (Stated.NEEDS_HELP, Stated.UNCLEAR):
        return stated
    if len(registered) > 1 and (count is None or count < sum(registered)):
        return Stated.UNCLEAR
    if count is not None and count < sum(registered):
        return Stated.UNCLEAR
    return stated
