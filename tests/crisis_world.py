"""A small crisis to test with: officers, people with phones, an alert with its messages, texts that came in."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from flask import g
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, scoped_session

from consular.domain.alerts import AlertState, MessageClass
from consular.domain.cap import AlertStatus, Category, Certainty, MsgType, ResponseType, Severity, Urgency
from consular.domain.delivery import MessageState, Reach
from consular.domain.triage import Stated, StatementSource
from consular.extensions import cipher
from consular.models.alerts import Alert, AlertEvent
from consular.models.crises import Crisis
from consular.models.inbound import InboundMessage, InboundPath
from consular.models.messages import Message, MessageKind, Recipient
from consular.models.officers import Officer, Role
from consular.models.people import Channel, ContactPoint, Person, Registration, RegistrationSource, Stay
from consular.models.statuses import PersonStatus
from consular.queries import counters
from consular.security import passwords
from consular.services.statuses import NewStatement, record_statements

START = datetime(2011, 2, 20, 14, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """A moment that many minutes into the crisis."""
    return START + timedelta(minutes=minutes)


class World:
    """Builds rows in the session of one test; ids and phones are new each time."""

    def __init__(self, session: Session | scoped_session[Session]) -> None:
        self.session = session
        self.officer_id = self.officer()
        self.crisis_id = self.crisis()

    def officer(self, role: Role = Role.AUTHOR) -> UUID:
        row = Officer(
            id=uuid4(),
            username=f"officer-{secrets.token_hex(4)}",
            full_name="Amina Duty",
            password_hash="x",
            role=role,
            created_at=START,
        )
        return self._add(row)

    def crisis(self, status: AlertStatus = AlertStatus.EXERCISE, title: str = "Libya 2011") -> UUID:
        row = Crisis(id=uuid4(), title=title, status=status, audience={}, opened_at=START, opened_by=self.officer_id)
        return self._add(row)

    def person(
        self, *, name: str = "Ravi Kumar", phone: str | None = "new", heads: int = 1, place: str = "Tripoli"
    ) -> UUID:
        """A registered person. phone: E.164, "new" for a fresh one, None for no phone."""
        person_id = uuid4()
        self._add(
            Person(
                id=person_id,
                name_sealed=cipher.seal(name, "people.name", person_id),
                home_country="IN",
                language="en",
                created_at=START,
            )
        )
        if phone:
            self.contact(person_id, f"+21891{secrets.randbelow(10**7):07d}" if phone == "new" else phone)
        self._add(
            Registration(
                id=uuid4(),
                person_id=person_id,
                submission_key=secrets.token_hex(8),
                source=RegistrationSource.WEB_FORM,
                people_count=heads,
                consent_version="1",
                consented_at=START,
                created_at=START,
            )
        )
        self._add(
            Stay(id=uuid4(), person_id=person_id, country="LY", place_name=place, is_resident=True, created_at=START)
        )
        return person_id

    def contact(self, person_id: UUID, phone: str) -> UUID:
        row_id = uuid4()
        row = ContactPoint(
            id=row_id,
            person_id=person_id,
            channel=Channel.SMS,
            value_sealed=cipher.seal(phone, "contact_points.value", row_id),
            value_index=cipher.index(phone, "phone"),
            country="LY",
            is_valid=True,
            created_at=START,
        )
        return self._add(row)

    def standing(self, person_id: UUID, reach: Reach = Reach.WAITING) -> None:
        """The row an approved alert makes for a person, with its counters."""
        self.session.add(PersonStatus(crisis_id=self.crisis_id, person_id=person_id, reach=reach))
        self.session.flush()
        row = self.status(person_id)
        counters.add(self.session, {(self.crisis_id, f"reach:{reach}"): 1, (self.crisis_id, f"bucket:{row.bucket}"): 1})

    def event(self) -> UUID:
        """An issued alert of the crisis."""
        alert_id, other = uuid4(), self.officer(Role.APPROVER)
        self._add(
            Alert(
                id=alert_id,
                crisis_id=self.crisis_id,
                state=AlertState.ISSUED,
                category=Category.SECURITY,
                urgency=Urgency.IMMEDIATE,
                severity=Severity.EXTREME,
                certainty=Certainty.OBSERVED,
                response_type=ResponseType.SHELTER,
                event="Fighting",
                message_class=MessageClass.LIFE_SAFETY,
                audience={},
                author_id=self.officer_id,
                last_editor_id=self.officer_id,
                created_at=START,
                edited_at=START,
            )
        )
        row = AlertEvent(
            id=uuid4(),
            alert_id=alert_id,
            crisis_id=self.crisis_id,
            msg_type=MsgType.ALERT,
            status=AlertStatus.EXERCISE,
            message_class=MessageClass.LIFE_SAFETY,
            asks_for_reply=True,
            validity_seconds=3600,
            default_language="en",
            content_sealed=b"x",
            content_hash=b"x" * 32,
            audience={},
            people=1,
            author_id=self.officer_id,
            last_editor_id=self.officer_id,
            approved_by=other,
            approved_at=START,
            expires_at=at(360),
        )
        return self._add(row)

    def message(self, event_id: UUID, *people: UUID, state: MessageState = MessageState.QUEUED) -> int:
        """One text of the event to a phone that these people share."""
        row = Message(
            kind=MessageKind.ALERT,
            event_id=event_id,
            crisis_id=self.crisis_id,
            channel=Channel.SMS,
            endpoint_index=secrets.token_bytes(32),
            language="en",
            gateway="exercise",
            priority=5,
            state=state,
            expires_at=at(360),
        )
        self.session.add(row)
        self.session.flush()
        for person_id in people:
            self._add(Recipient(event_id=event_id, person_id=person_id, message_id=row.id))
        return row.id

    def text(self, body: str, minutes: float = 1, sender: str = "+218911111111") -> UUID:
        """A text that came in and was processed."""
        row_id = uuid4()
        row = InboundMessage(
            id=row_id,
            gateway="exercise",
            provider_message_id=f"SM{secrets.token_hex(16)}",
            path=InboundPath.WEBHOOK,
            sender_sealed=cipher.seal(sender, "inbound_messages.sender", row_id),
            sender_index=cipher.index(sender, "phone"),
            body_sealed=cipher.seal(body, "inbound_messages.body", row_id),
            raw_sealed=b"x",
            received_at=at(minutes),
            processed_at=at(minutes),
            kind="UNCLEAR",
            crisis_id=self.crisis_id,
            people_matched=1,
        )
        return self._add(row)

    def statement(
        self,
        person_id: UUID,
        stated: Stated | None,
        minutes: float = 1,
        *,
        inbound_id: UUID | None = None,
        count: int | None = None,
        source: StatementSource = StatementSource.SMS,
        text_key: str | None = None,
    ) -> NewStatement:
        """What a text said of a person."""
        return NewStatement(
            crisis_id=self.crisis_id,
            person_id=person_id,
            source=source,
            stated=stated,
            assessed=None,
            count=count,
            note=None,
            inbound_id=inbound_id,
            officer_id=None,
            said_at=at(minutes),
            text_key=text_key or (str(inbound_id) if inbound_id else secrets.token_hex(8)),
        )

    def says(self, person_id: UUID, stated: Stated, minutes: float = 1, **more: object) -> NewStatement:
        """Record what a text said of a person."""
        new = self.statement(person_id, stated, minutes, **more)  # type: ignore[arg-type]
        record_statements(self.session, [new])
        return new

    def status(self, person_id: UUID) -> PersonStatus:
        """The row as the database has it now."""
        self.session.expire_all()
        row = self.session.get(PersonStatus, (person_id, self.crisis_id))
        assert row is not None
        return row

    def assert_counters_agree(self) -> None:
        """The kept totals equal a recount of the rows."""
        kept = {key: value for key, value in counters.read(self.crisis_id).items() if value}
        assert kept == counters.recount_crisis(self.crisis_id)

    def _add(self, row: object) -> UUID:
        self.session.add(row)
        self.session.flush()
        return getattr(row, "id", None)  # type: ignore[return-value]


PASSWORD = "correct horse battery staple 9"


def signed_in(world: World, client: FlaskClient, role: Role = Role.AUTHOR) -> FlaskClient:
    """The client after a real sign-in as a new officer of that role; world.officer_id becomes that officer."""
    world.officer_id = world.officer(role)
    officer = world.session.get(Officer, world.officer_id)
    assert officer is not None
    officer.password_hash = passwords.hash_password(PASSWORD)
    username = officer.username
    world.session.commit()
    token = csrf_of(client.get("/officer/sign-in").text)
    answer = client.post("/officer/sign-in", data={"username": username, "password": PASSWORD, "csrf_token": token})
    assert answer.status_code == 303, answer.text
    g.pop("csrf_token", None)  # the test's context outlives the request, and with it the token of the old session
    return client


def csrf_of(page: str) -> str:
    """The CSRF token of the first form on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found.group(1)
