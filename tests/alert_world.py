"""Officers, people and an alert to decide on, made through the services that officers use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.orm import Session, scoped_session

from consular.domain.alerts import MessageClass, content_hash
from consular.domain.audience import AudienceRule
from consular.domain.cap import AlertStatus, Category, Certainty, ResponseType, Severity, Urgency
from consular.extensions import cipher, db
from consular.models.people import Channel, ContactPoint, Person, Stay
from consular.permissions import Role
from consular.queries import alerts as queries
from consular.queries.alerts import AlertView, Words
from consular.services import alerts, crises, officers
from consular.services.alerts import AlertDraft

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
BOTH = frozenset({"twilio", "exercise"})
LIBYA = AudienceRule(("LY",))
DRAFT = AlertDraft(
    category=Category.SECURITY,
    urgency=Urgency.IMMEDIATE,
    severity=Severity.SEVERE,
    certainty=Certainty.OBSERVED,
    response_type=ResponseType.SHELTER,
    event="Fighting in Tripoli",
    message_class=MessageClass.LIFE_SAFETY,
    asks_for_reply=True,
    validity_minutes=60,
    audience=LIBYA,
    words={"en": Words("Stay inside", "Fighting in Tripoli. Stay inside."), "ar": Words("ابقوا", "ابقوا في الداخل.")},
)


def officer(role: Role, name: str | None = None) -> UUID:
    """An officer who signs in with PASSWORD; the user name is the role unless given."""
    return officers.add_officer(name or role.value, f"{role.value.title()} {name or 'One'}", role, PASSWORD, NOW)


def people(session: Session | scoped_session[Session], languages: Sequence[str], country: str = "LY") -> list[UUID]:
    """One resident with an own phone for each language given."""
    ids = [uuid4() for _ in languages]
    persons = [
        {"id": i, "name_sealed": b"x", "home_country": "FR", "language": lang, "created_at": NOW}
        for i, lang in zip(ids, languages, strict=True)
    ]
    phones = [
        {
            "id": uuid4(),
            "person_id": i,
            "channel": Channel.SMS,
            "value_sealed": b"x",
            "value_index": cipher.index(str(i), "phone"),
            "country": country,
            "is_valid": True,
            "created_at": NOW,
        }
        for i in ids
    ]
    stay = {"country": country, "place_name": "Tripoli", "is_resident": True, "created_at": NOW}
    stays = [{"id": uuid4(), "person_id": i, **stay} for i in ids]
    for model, rows in ((Person, persons), (ContactPoint, phones), (Stay, stays)):
        session.execute(insert(model), rows)
    session.commit()
    return ids


class AlertWorld:
    """A crisis with four people, an author, two approvers, and ways to bring an alert into a state."""

    def __init__(self, session: Session | scoped_session[Session], status: AlertStatus = AlertStatus.EXERCISE) -> None:
        self.author = officer(Role.AUTHOR)
        self.approver = officer(Role.APPROVER)
        self.second_approver = officer(Role.APPROVER, "approver-two")
        people(session, ["en", "en", "fr", "ar"])
        confirmation = crises.ACTUAL_WORDS if status is AlertStatus.ACTUAL else ""
        self.crisis = crises.open_crisis("Libya", status, LIBYA, self.author, NOW, confirmation=confirmation)

    def drafted(self, **changes: object) -> UUID:
        """An alert in drafting."""
        return alerts.write(self.crisis, replace(DRAFT, **changes), self.author, NOW)  # type: ignore[arg-type]

    def submitted(self, **changes: object) -> UUID:
        """An alert that waits for approval."""
        alert_id = self.drafted(**changes)
        alerts.submit(alert_id, self.author, NOW, gateways=BOTH)
        return alert_id

    def issued(self, **changes: object) -> UUID:
        """A released alert."""
        alert_id = self.submitted(**changes)
        self.approve(alert_id)
        return alert_id

    def approve(self, alert_id: UUID, by: UUID | None = None, **changes: object) -> UUID:
        """Approve what the page shows now; keyword arguments replace parts of it."""
        count = changes.pop("count", 4)
        seen = {"seen_hash": seen_hash(alert_id, int(str(count))), "seen_count": count, "gateways": BOTH, "now": NOW}
        return alerts.approve(alert_id, by or self.approver, **(seen | changes))  # type: ignore[arg-type]


def view(alert_id: UUID) -> AlertView:
    """The alert as pages see it."""
    found = queries.find_alert(db.session, alert_id)
    assert found is not None
    return found


def seen_hash(alert_id: UUID, count: int = 4) -> bytes:
    """The hash that a release page shows for that number of people."""
    found = view(alert_id)
    return content_hash(alerts.content_of(found), found.audience, count)


class Browser(FlaskClient):
    """A client whose requests share nothing but cookies: the test's own application context would keep flask.g."""

    def open(self, *args: Any, **options: Any) -> Any:
        """As FlaskClient.open()."""
        vars(g._get_current_object()).clear()
        return super().open(*args, **options)


def stranger(app: Flask) -> Browser:
    """A browser without cookies."""
    return Browser(app, app.response_class, use_cookies=True)


def browser(app: Flask, username: str) -> Browser:
    """A browser signed in as that officer."""
    client = stranger(app)
    form = {"username": username, "password": PASSWORD, "csrf_token": csrf(client, "/officer/sign-in")}
    answer = client.post("/officer/sign-in", data=form)
    assert answer.status_code == 303, answer.text
    return client


def csrf(client: FlaskClient, path: str) -> str:
    """The CSRF token on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found, f"no form on {path}"
    return found[1]


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]
