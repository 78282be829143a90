"""Two people to whom the same happens: to the first as it comes, to the second late, again and in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.replies import ReplyKind, classify
from consular.domain.triage import Assessment, Outcome, Stated, attribute
from consular.extensions import db
from consular.providers.twilio.codes import failure_reason, map_status
from consular.queries import people, requests
from consular.services import answers, assessments, assistance, inbound, receipts
from consular.services.delivery import Pace, drain
from consular.services.heard import text_key
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work
from tests.factories import issue, make_crisis, make_officer, make_people
from tests.fakes import FakeGateway

START = datetime(2011, 2, 20, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
HEADS = 2
PHONES = ("+218910000001", "+218910000002")
WEIGHT = (None, Stated.SAFE, Stated.NOT_THERE, Stated.UNCLEAR, Stated.NEEDS_HELP)
"""From the lightest word to the gravest."""


@dataclass(frozen=True)
class Event:
    """Something that comes in by itself. number: names it. minute: when it reached us; receipts have none.

    words: the body of a text, or the note of an answer by link. button: of a link. status: of a receipt.
    """

    number: int
    minute: int = 0
    words: str | None = None
    button: Stated | None = None
    count: int | None = None
    status: str | None = None

    @property
    def stated(self) -> Stated | None:
        """What it says of the person, before any officer."""
        reading = classify(self.words or "", "en")
        if self.button is not None:
            needs_help = bool(self.words) and reading.kind is ReplyKind.NEEDS_HELP
            return attribute(Stated.NEEDS_HELP if needs_help else self.button, self.count, (HEADS,))
        if self.status is None and reading.kind.value in set(Stated):
            return attribute(Stated(reading.kind.value), reading.count, (HEADS,))
        return None

    @property
    def is_text(self) -> bool:
        """From the phone, not by its link."""
        return self.status is None and self.button is None

    @property
    def says_wrong_person(self) -> bool:
        """From then on the phone is a stranger's."""
        return self.is_text and classify(self.words or "", "en").kind is ReplyKind.WRONG_PERSON

    @property
    def at(self) -> datetime:
        """When it reached us."""
        return START + timedelta(minutes=self.minute)


@dataclass
class Word:
    """What one text says after officers' acts on it, told again in plain Python."""

    at: datetime
    stated: Stated | None
    is_open_call: bool


@dataclass
class Telling:
    """What all texts together amount to."""

    words: dict[int, Word] = field(default_factory=dict)
    state: str = "accepted"
    stranger_since: datetime = NEVER

    def hear(self, event: Event) -> None:
        """An event, the first time."""
        if event.status is not None:
            rank = ("accepted", "sent", "failed", "undelivered", "delivered", "read")
            state = map_status(event.status)
            self.state = max(self.state, state.value, key=rank.index) if state else self.state
        elif event.is_text and event.at >= self.stranger_since:
            return
        elif event.says_wrong_person:
            self.stranger_since = event.at
        elif event.stated is not None:
            self.words[event.number] = Word(event.at, event.stated, event.stated is Stated.NEEDS_HELP)

    def stated(self) -> Stated | None:
        """An open call beats everything; else the last word, the graver at the same moment."""
        if any(word.is_open_call for word in self.words.values()):
            return Stated.NEEDS_HELP
        said = [word for word in self.words.values() if word.stated is not None]
        last = max(said, key=lambda word: (word.at, WEIGHT.index(word.stated)), default=None)
        return last.stated if last else None

    def bucket(self) -> str:
        """The place on the board: silence is told by the network's word, never as safe."""
        stated = self.stated()
        if stated is not None:
            return stated.value.lower()
        if self.state in ("delivered", "read"):
            return "silent"
        return "handed_over" if self.state in ("accepted", "sent") else "not_delivered"


class Twins:
    """Two people with a phone each and a text that their phones were sent."""

    def __init__(self, session: Session | scoped_session[Session]) -> None:
        self.people = make_people(session, list(PHONES), heads=HEADS)
        self.crisis = make_crisis(session, AlertStatus.ACTUAL)
        self.officer = make_officer(session)
        self.event = issue(session, self.crisis, status=AlertStatus.ACTUAL)
        session.commit()
        gateway = FakeGateway("twilio")
        pace = Pace(rate=100_000, lease_seconds=60)
        drain(gateway, TextBook("https://consular.test"), pace, "worker-1", 10, lambda: False)
        by_phone = {m.to: m.provider_message_id for m in gateway.list}
        self.sids = [by_phone[phone] for phone in PHONES]
        numbers = {row.provider_message_id: row.id for row in session.execute(text("select * from messages"))}
        self.numbers = [numbers[sid] for sid in self.sids]

    def store(self, side: int, event: Event) -> None:
        """One event of one twin arrives."""
        sid = f"SM{side}{event.number:031x}"
        if event.button is not None:
            key = f"{side}-{event.number}"
            answers.answer_by_link(self.numbers[side], event.button, event.count, event.words, key, event.at)
        elif event.status is not None:
            receipts.store("twilio", self.sids[side], None, event.status, None, [], utc_now())
        else:
            assert event.words is not None
            inbound.store("twilio", sid, PHONES[side], event.words, [], event.at)

    def arrive(self, side: int, events: Sequence[Event]) -> None:
        """Events arrive in this order, and are worked on together."""
        for event in events:
            self.store(side, event)
        while inbound.process() or receipts.process(map_status, failure_reason):
            pass

    def request(self, side: int, event: Event) -> requests.QueueRow | None:
        """The officers' request that a text opened."""
        key = f"link:{side}-{event.number}"
        with unit_of_work() as session:
            if event.button is None:
                find = text("select id from inbound_messages where provider_message_id = :sid")
                key = text_key(session.execute(find, {"sid": f"SM{side}{event.number:031x}"}).scalar_one())
            find = text("select id from assistance_requests where source_key = :key")
            request_id = session.execute(find, {"key": key}).scalar()
            return requests.find(request_id) if request_id else None

    def close(self, side: int, event: Event) -> None:
        """An officer ends the request with what was done."""
        request = self.request(side, event)
        assert request is not None
        is_call = request.kind is requests.RequestKind.NEEDS_HELP
        outcome = Outcome.HELPED if is_call else Outcome.NO_ACTION
        assistance.close_request(request.id, self.officer, request.state_token, outcome, "Driven to the port.")

    def read(self, side: int, event: Event, stated: Stated | None) -> None:
        """An officer reads the text."""
        request = self.request(side, event)
        assert request is not None
        reading = {self.people[side]: stated}
        assistance.read_text(request.id, self.officer, request.state_token, reading, None, "It says so.")

    def assess(self, side: int, assessment: Assessment | None) -> None:
        """An officer's own belief."""
        assessed_at = self.row(side).assessed_at
        seen = people.assessment_token(assessed_at)
        assessments.assess(self.crisis, self.people[side], self.officer, seen, assessment, "")

    def row(self, side: int) -> Any:
        """Where the person stands."""
        with unit_of_work() as session:
            find = text("select * from person_statuses where crisis_id = :crisis and person_id = :person")
            return session.execute(find, {"crisis": self.crisis, "person": self.people[side]}).one()

    def looks(self, side: int) -> dict[str, Any]:
        """All that must be the same of both in the end."""
        row = self.row(side)
        with unit_of_work() as session:
            found = {
                "message": session.execute(_MESSAGE, {"id": self.numbers[side]}).scalar_one(),
                "stop": session.execute(_STOP, {"id": self.numbers[side]}).scalar(),
                "phone": session.execute(_PHONE, {"person": self.people[side]}).scalar_one(),
                "said": session.execute(_SAID, {"person": self.people[side]}).all(),
            }
        standing = {name: getattr(row, name) for name in ("reach", "bucket", "stated", "stated_count", "stated_at")}
        return standing | found | {"assessed": row.assessed}

    def open_kinds(self, side: int, events: Sequence[Event]) -> list[tuple[str, bool] | None]:
        """Each text's request: its kind, and whether it is open."""
        found = [self.request(side, event) for event in events if event.status is None]
        return [(one.kind.value, one.closed_at is None) if one else None for one in found]


_MESSAGE = text("select state from messages where id = :id")
_STOP = text("""
select o.ended_at is null from opt_outs o join messages m on m.endpoint_index = o.value_index where m.id = :id
""")
_SAID = text("select source, count(*) from status_events where person_id = :person group by source order by source")
_PHONE = text("select unusable_since from contact_points where person_id = :person")


def hold_still() -> Any:
    """A mark in the test's transaction: give it to go_back(), and what came after it never was."""
    db.session.remove()
    return db.session.get_bind().begin_nested()


def go_back(mark: Any) -> None:
    """See hold_still()."""
    db.session.remove()
    mark.rollback()
