"""From statements to the status of a person: doubt is never safe, a call for help is never hidden by a later text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
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


class Outcome(StrEnum):
    """How a request to the officers ended. MISREAD: the rules took a text for a call for help that is none."""

    HELPED = "helped"
    PASSED_ON = "passed_on"
    NO_LONGER_NEEDED = "no_longer_needed"
    MISREAD = "misread"
    DUPLICATE = "duplicate"
    READ = "read"
    NO_ACTION = "no_action"


class StatementSource(StrEnum):
    """Where a status event came from."""

    SMS = "sms"
    LINK = "link"
    READING = "officer_reading"
    ASSESSMENT = "officer_assessment"
    CLOSING = "officer_closing"


_FROM_PERSON = (StatementSource.SMS, StatementSource.LINK)

_WEIGHT = {None: 0, Stated.SAFE: 1, Stated.NOT_THERE: 2, Stated.UNCLEAR: 3, Stated.NEEDS_HELP: 4}


@dataclass(frozen=True, slots=True)
class Statement:
    """One event about a person.

    text_key names the text (or link answer) that a person gave; officers' readings and closings carry the key of that
    text. Without a key, the moment is the key. said_at: when the text reached us, or when the officer acted.
    order: rises with every officer's act, and an act comes after the text it is about. Between texts it means
    nothing, so that the order in which they were processed does not matter. A READING with stated None says that the
    text tells nothing of the person.
    """

    said_at: datetime
    order: int
    source: StatementSource
    stated: Stated | None
    count: int | None = None
    text_key: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person's statements amount to; all empty when they said nothing.

    While a call for help is open, said_at is that of the oldest open one, and count the last number that an open one
    gave.
    """

    stated: Stated | None
    count: int | None
    said_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Word:
    """What one text says after the officers' acts on it."""

    said_at: datetime
    stated: Stated
    count: int | None
    text_key: str
    is_open_call: bool

    @property
    def rank(self) -> tuple[datetime, int, int, str]:
        return (self.said_at, _WEIGHT[self.stated], self.count or 0, self.text_key)


def fold(statements: Iterable[Statement]) -> Standing:
    """The same result for any order and repetition of the same events; at the same instant the graver word counts.

    The last text counts, but an open call for help beats every other text, earlier or later. It ends only by a
    CLOSING of that very text, so a call that no officer has seen cannot be closed by accident. An officer's last
    READING replaces the rules' reading of its text, except that the rules' NEEDS_HELP also needs the CLOSING. UNCLEAR
    is never counted as anything else.
    """
    words = sorted(_words(statements), key=lambda word: word.rank)
    if not words:
        return Standing(None, None, None)
    calls = [word for word in words if word.is_open_call]
    if calls:
        counts = [call.count for call in calls if call.count is not None]
        return Standing(Stated.NEEDS_HELP, counts[-1] if counts else None, calls[0].said_at)
    last = words[-1]
    return Standing(last.stated, last.count, last.said_at)


def _words(statements: Iterable[Statement]) -> Iterable[_Word]:
    by_text: dict[str, list[Statement]] = {}
    for statement in statements:
        if statement.source is not StatementSource.ASSESSMENT:
            by_text.setdefault(statement.text_key or statement.said_at.isoformat(), []).append(statement)
    for text_key, events in by_text.items():
        word = _word(text_key, events)
        if word is not None:
            yield word


def _word(text_key: str, events: list[Statement]) -> _Word | None:
    closed_at = max((e.order for e in events if e.source is StatementSource.CLOSING), default=None)
    said = max(
        (e for e in events if e.source in _FROM_PERSON),
        key=lambda e: (_WEIGHT[e.stated], e.said_at, e.count or 0),
        default=None,
    )
    reading = max((e for e in events if e.source is StatementSource.READING), key=lambda e: e.order, default=None)
    effective = reading or said
    if said is not None and reading is not None and said.stated is Stated.NEEDS_HELP and closed_at is None:
        effective = said
    if effective is None or effective.stated is None:
        return None
    is_call = effective.stated is Stated.NEEDS_HELP
    reopened = effective is reading and closed_at is not None and effective.order > closed_at
    is_open_call = is_call and (closed_at is None or reopened)
    said_at = (said or effective).said_at
    return _Word(said_at, effective.stated, effective.count, text_key, is_open_call)


class Age(StrEnum):
    """How long a request has waited against the rule that the board prints."""

    NEW = "new"
    DUE = "due"
    LATE = "late"


CALL_DUE, CALL_LATE = timedelta(minutes=5), timedelta(minutes=15)
OTHER_DUE, OTHER_LATE = timedelta(minutes=30), timedelta(hours=2)


def age(is_call: bool, waited: timedelta) -> Age:
    """The age class of an open request; calls for help grow old sooner than texts to be read."""
    due, late = (CALL_DUE, CALL_LATE) if is_call else (OTHER_DUE, OTHER_LATE)
    return Age.LATE if waited >= late else Age.DUE if waited >= due else Age.NEW


def attribute(stated: Stated, count: int | None, registered: tuple[int, ...]) -> Stated:
    """What one text from a phone says of each of the people behind it. registered: heads in each record on that phone.

    A call for help is believed of all of them. "Safe" (or "not there") is believed of one record unless the number
    said is smaller than the heads in it, and of several records only when the number said covers everybody; anything
    else is for a human.
    """
    if stated in (Stated.NEEDS_HELP, Stated.UNCLEAR):
        return stated
    if len(registered) != 1 and (count is None or not registered):
        return Stated.UNCLEAR
    if count is not None and count < sum(registered):
        return Stated.UNCLEAR
    return stated
