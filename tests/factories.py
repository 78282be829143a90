"""Rows for tests by plain functions: officers, a crisis, people with phones, an issued alert with its fan-out."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.orm import Session, scoped_session

from consular.clock import utc_now
from consular.domain.alerts import AlertState, MessageClass
from consular.domain.audience import AudienceRule
from consular.domain.cap import AlertStatus, Category, Certainty, MsgType, ResponseType, Severity, Urgency
from consular.extensions import cipher
from consular.models.alerts import Alert, AlertEvent
from consular.models.crises import Crisis
from consular.models.officers import Officer, Role
from consular.models.people import Channel, ContactPoint, Person, Registration, RegistrationSource, Stay
from consular.services import dispatch

AnySession = Session | scoped_session[Session]

TEXTS = {"en": "Stay indoors and away from windows.", "fr": "Restez chez vous."}
EVERYBODY_IN_LIBYA = AudienceRule(countries=("LY",))


def make_officer(session: AnySession, role: Role = Role.AUTHOR) -> UUID:
    """An officer who cannot sign in."""
    officer_id = uuid4()
    name = f"officer-{secrets.token_hex(4)}"
    session.add(
        Officer(id=officer_id, username=name, full_name=name, password_hash="x", role=role, created_at=utc_now())
    )
    session.flush()
    return officer_id


def make_crisis(session: AnySession, status: AlertStatus = AlertStatus.EXERCISE) -> UUID:
    """An open crisis."""
    crisis_id, officer_id = uuid4(), make_officer(session)
    values = {"title": "Libya 2011", "status": status, "audience": {}, "opened_at": utc_now(), "opened_by": officer_id}
    session.add(Crisis(id=crisis_id, **values))
    session.flush()
    return crisis_id


def phone(number: int) -> str:
    """A Libyan mobile number; the same number gives the same phone."""
    return f"+21891{number:07d}"


def make_people(
    session: AnySession,
    phones: int | Sequence[str | None],
    *,
    language: str = "en",
    country: str = "LY",
    heads: int = 1,
    phone_country: str = "LY",
) -> list[UUID]:
    """People staying in `country`: as many as told, or one for each phone given (None: without a phone)."""
    numbers = [phone(index + 1) for index in range(phones)] if isinstance(phones, int) else list(phones)
    now = utc_now()
    ids = [uuid4() for _ in numbers]
    people = [
        {
            "id": person_id,
            "name_sealed": cipher.seal("Ravi Kumar", "people.name", person_id),
            "home_country": "IN",
            "language": language,
            "created_at": now,
        }
        for person_id in ids
    ]
    contacts = [
        contact(person_id, number, phone_country) for person_id, number in zip(ids, numbers, strict=True) if number
    ]
    registrations = [
        {
            "id": uuid4(),
            "person_id": person_id,
            "submission_key": secrets.token_hex(8),
            "source": RegistrationSource.WEB_FORM,
            "people_count": heads,
            "consent_version": "1",
            "consented_at": now,
            "created_at": now,
        }
        for person_id in ids
    ]
    stays = [
        {"id": uuid4(), "person_id": person_id, "country": country, "is_resident": True, "created_at": now}
        for person_id in ids
    ]
    for model, rows in ((Person, people), (ContactPoint, contacts), (Registration, registrations), (Stay, stays)):
        if rows:
            session.execute(insert(model), rows)
    return ids


def contact(person_id: UUID, number: str, country: str = "LY") -> dict[str, Any]:
    """The values of one phone of one person."""
    contact_id = uuid4()
    return {
        "id": contact_id,
        "person_id": person_id,
        "channel": Channel.SMS,
        "value_sealed": cipher.seal(number, "contact_points.value", contact_id),
        "value_index": cipher.index(number, "phone"),
        "country": country,
        "is_valid": True,
        "created_at": utc_now(),
    }


def make_event(
    session: AnySession,
    crisis_id: UUID,
    *,
    status: AlertStatus = AlertStatus.EXERCISE,
    message_class: MessageClass = MessageClass.LIFE_SAFETY,
    texts: dict[str, str] | None = None,
    asks_for_reply: bool = True,
    validity: timedelta = timedelta(hours=6),
    approved_at: datetime | None = None,
) -> AlertEvent:
    """An approved alert and its frozen event, not yet fanned out."""
    now = approved_at or utc_now()
    author, approver = make_officer(session), make_officer(session, Role.APPROVER)
    alert_id, event_id = uuid4(), uuid4()
    shared: dict[str, Any] = {
        "crisis_id": crisis_id,
        "message_class": message_class,
        "asks_for_reply": asks_for_reply,
        "audience": {"countries": ["LY"]},
        "author_id": author,
        "last_editor_id": author,
    }
    alert = Alert(
        id=alert_id,
        state=AlertState.ISSUED,
        category=Category.SECURITY,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.EXTREME,
        certainty=Certainty.OBSERVED,
        response_type=ResponseType.SHELTER,
        event="Fighting",
        created_at=now,
        edited_at=now,
        **shared,
    )
    session.add(alert)
    session.flush()
    content = {"texts": {tag: {"headline": "Alert", "text": words} for tag, words in (texts or TEXTS).items()}}
    event = AlertEvent(
        id=event_id,
        alert_id=alert_id,
        msg_type=MsgType.ALERT,
        status=status,
        validity_seconds=int(validity.total_seconds()),
        default_language="en",
        content_sealed=cipher.seal(json.dumps(content), "alert_events.content", event_id),
        content_hash=b"x" * 32,
        people=0,
        approved_by=approver,
        approved_at=now,
        expires_at=now + validity,
        **shared,
    )
    session.add(event)
    session.flush()
    return event


def issue(session: AnySession, crisis_id: UUID, **event: Any) -> UUID:
    """An event with a message for everybody who stays in Libya; its id. Takes what make_event() takes."""
    row = make_event(session, crisis_id, **event)
    gateway = "exercise" if row.status is AlertStatus.EXERCISE else "twilio"
    row.people = dispatch.choose_people(session, EVERYBODY_IN_LIBYA, utc_now())
    dispatch.fan_out(session, row, gateway)
    session.flush()
    return row.id


def alert_everybody(session: AnySession, phones: int | Sequence[str | None] = 3, **event: Any) -> UUID:
    """People, a crisis and an issued alert in one go, committed; the event's id."""
    make_people(session, phones)
    event_id = issue(session, make_crisis(session, event.get("status", AlertStatus.EXERCISE)), **event)
    session.commit()
    return event_id


def states(session: AnySession, event_id: UUID | None = None) -> dict[str, int]:
    """How many messages (of an event) are in each state."""
    condition = "where event_id = :event_id" if event_id else ""
    rows = session.execute(
        text(f"select state, count(*) from messages {condition} group by 1"), {"event_id": event_id} if event_id else {}
    )
    return {str(state): int(number) for state, number in rows}


def set_messages(session: AnySession, assignments: str, where: str = "true", **values: Any) -> None:
    """Put messages into a situation that only time or a crash brings about. Constant SQL from tests only. Commits."""
    session.execute(text(f"update messages set {assignments} where {where}"), values)
    session.commit()


def message_ids(session: AnySession, where: str = "true") -> list[int]:
    """Numbers of the messages, in order."""
    return list(session.execute(text(f"select id from messages where {where} order by id")).scalars())


def rows(session: AnySession, statement: str, **values: Any) -> Iterable[Any]:
    """Rows of a constant query."""
    return session.execute(text(statement), values).all()
