"""The exact text of a message, rendered from the frozen event when it is sent; nothing of it is stored per person."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from consular.domain.alerts import MessageClass
from consular.domain.cap import AlertStatus
from consular.domain.references import reference_of
from consular.domain.rendering import acknowledgement, addresses_in, render_sms
from consular.domain.routing import EVERY_WAY, Needs, Way
from consular.extensions import cipher, db
from consular.models.alerts import AlertEvent
from consular.security.fields import KeyUnavailableError
from consular.security.links import links

log = structlog.get_logger(__name__)

WayOf = Callable[[str, str | None], Way]
"""By gateway and country: how people can answer a text."""

_SAMPLE_LINK = "https://link.invalid/s/0"
_SAMPLE_REFERENCE = "QQQQQQ"
_READ_AGAIN_SECONDS = 30.0
"""An event that could not be read may be mended, or the key come: so often a worker looks."""


class EventUnreadableError(Exception):
    """What one event says cannot be known: not sealed with a key of ours, damaged, or gone. Its texts wait."""


@dataclass(frozen=True, slots=True)
class FrozenText:
    """What every message of one event shares."""

    texts: dict[str, str]
    default_language: str
    is_exercise: bool
    asks_for_reply: bool
    message_class: MessageClass
    validity_seconds: int
    accepts_no_answer_from: tuple[str, ...] = ()

    @property
    def needs(self) -> Needs:
        """What the texts ask of the way they go."""
        accepted = self.accepts_no_answer_from
        return needs_of(self.texts.values(), asks_for_reply=self.asks_for_reply, accepts_no_answer_from=accepted)

    def language_for(self, wanted: str) -> str:
        """The language a person gets: theirs when there is a text in it, else the event's default."""
        return wanted if wanted in self.texts else self.default_language


def freeze(event: AlertEvent) -> FrozenText:
    """Open an event's sealed content. Raises EventUnreadableError, with a sentence that quotes nothing."""
    try:
        return _frozen(event)
    except KeyUnavailableError as error:
        raise EventUnreadableError(str(error)) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EventUnreadableError("The content opens, but is not what the content of an event must be.") from None


def _frozen(event: AlertEvent) -> FrozenText:
    content = json.loads(cipher.open(event.content_sealed, "alert_events.content", event.id))
    texts = {language: info["text"] for language, info in content["texts"].items()}
    if event.default_language not in texts or not all(isinstance(words, str) for words in texts.values()):
        raise ValueError("no text in the default language, or one that is no text")
    if not is_list_of_countries(event.accepts_no_answer_from):
        raise ValueError("countries that are no list of countries")
    return FrozenText(
        texts=texts,
        default_language=event.default_language,
        is_exercise=event.status is AlertStatus.EXERCISE,
        asks_for_reply=event.asks_for_reply,
        message_class=event.message_class,
        validity_seconds=event.validity_seconds,
        accepts_no_answer_from=tuple(event.accepts_no_answer_from),
    )


def is_list_of_countries(value: object) -> bool:
    """Whether this is what a column of countries must hold: the database checks only that it is JSON."""
    return isinstance(value, list) and all(isinstance(country, str) for country in value)


def is_readable(event_id: UUID) -> bool:
    """Whether the texts of an event can be read here and now."""
    try:
        freeze(_row(event_id))
    except EventUnreadableError:
        return False
    return True


def needs_of(texts: Iterable[str], *, asks_for_reply: bool, accepts_no_answer_from: Iterable[str]) -> Needs:
    """What officers' texts ask of the way they go. accepts_no_answer_from: as stored, "" for an unknown country."""
    accepted = frozenset(country or None for country in accepts_no_answer_from)
    return Needs(asks_for_reply, any(map(addresses_in, texts)), accepts_no_answer_from=accepted)


class TextBook:
    """Renders messages; remembers each event and each language's rendered frame, because events never change."""

    def __init__(self, public_url: str, way_of: WayOf = lambda gateway, country: EVERY_WAY) -> None:
        self._public_url = public_url
        self._way_of = way_of
        self._events: dict[UUID, FrozenText] = {}
        self._frames: dict[tuple[UUID, str, Way], str] = {}
        self._rules: dict[UUID, tuple[MessageClass, timedelta]] = {}
        self._unreadable: dict[UUID, float] = {}

    def event(self, event_id: UUID) -> FrozenText:
        """The frozen text of an event, read once. Raises EventUnreadableError."""
        if event_id not in self._events:
            self._events[event_id] = freeze(_row(event_id))
        return self._events[event_id]

    def opens(self, event_id: UUID) -> bool:
        """Read the frozen text of an event, once; whether it can be read. If not, it is among unreadable()."""
        try:
            self.event(event_id)
        except EventUnreadableError as error:
            log.error("event_unreadable", event_id=str(event_id), reason=str(error))  # noqa: TRY400 - no trace
            self._unreadable[event_id] = time.monotonic() + _READ_AGAIN_SECONDS
            return False
        return True

    def unreadable(self) -> set[UUID]:
        """Events that could not be read in the last _READ_AGAIN_SECONDS: nothing of theirs is worth claiming here."""
        now = time.monotonic()
        self._unreadable = {event_id: until for event_id, until in self._unreadable.items() if until > now}
        return set(self._unreadable)

    def rule(self, event_id: UUID) -> tuple[MessageClass, timedelta]:
        """Class and validity of an event, also of one whose text cannot be read. Raises EventUnreadableError if it is
        gone."""
        if event_id not in self._rules:
            event = _row(event_id)
            self._rules[event_id] = event.message_class, timedelta(seconds=event.validity_seconds)
        return self._rules[event_id]

    def way(self, gateway: str, country: str | None) -> Way:
        """How people whose texts go by this gateway into this country can answer."""
        return self._way_of(gateway, country)

    def alert(self, event_id: UUID, language: str, number: int, way: Way = EVERY_WAY) -> str:
        """The whole text of message `number` of an event, with its own reference and the ways to answer that it has."""
        frozen = self.event(event_id)
        language = frozen.language_for(language)
        frame = self._frames.get((event_id, language, way))
        if frame is None:
            frame = render_sms(
                frozen.texts[language],
                language=language,
                is_exercise=frozen.is_exercise,
                link=_SAMPLE_LINK,
                reference=_SAMPLE_REFERENCE,
                asks_for_reply=frozen.asks_for_reply,
                way=way,
            )
            self._frames[event_id, language, way] = frame
        head, _, tail = frame.rpartition(_SAMPLE_REFERENCE)
        if way.carries_links:
            before, _, after = head.rpartition(_SAMPLE_LINK)
            head = f"{before}{self.link(number)}{after}"
        return f"{head}{reference_of(number)}{tail}"

    def acknowledgement(self, template: str, language: str, number: int, *, is_exercise: bool) -> str | None:
        """The automatic receipt for a reply read as `template`; None when that kind gets none."""
        return acknowledgement(template, language, is_exercise, None, reference_of(number))

    def link(self, number: int) -> str:
        """The signed personal link of a message."""
        return f"{self._public_url}/s/{links.token(number)}"


def _row(event_id: UUID) -> AlertEvent:
    event = db.session.get(AlertEvent, event_id)
    if event is None:
        raise EventUnreadableError("There is no such event.")
    return event
