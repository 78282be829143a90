"""The two officers of a drill, working with the real pages: open a crisis, write an alert, submit it, release it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from consular.clock import utc_now
from consular.drill.pages import PageError, Visitor
from consular.drill.scenario import Scenario
from consular.extensions import db
from consular.models.officers import Role
from consular.queries.officers import find_by_username
from consular.services.officers import add_officer, set_password


@dataclass(frozen=True, slots=True)
class SignIn:
    """What an officer of the practice world signs in with."""

    username: str
    password: str
    role: Role


@dataclass(frozen=True, slots=True)
class Released:
    """Where the released alert stands, and how long the approval took in seconds, seen from the browser."""

    crisis_path: str
    alert_path: str
    approval_seconds: float


def hire() -> tuple[SignIn, SignIn]:
    """An author and an approver with fresh passwords; the same two accounts in a database that knows them."""
    officers = SignIn("author", _password(), Role.AUTHOR), SignIn("approver", _password(), Role.APPROVER)
    for officer in officers:
        if find_by_username(db.session, officer.username) is None:
            add_officer(officer.username, f"Practice {officer.username}", officer.role, officer.password, utc_now())
        else:
            set_password(officer.username, officer.password, utc_now())
    return officers


def issue(web_url: str, officers: tuple[SignIn, SignIn], scenario: Scenario) -> Released:
    """One writes and submits, the other reads and releases. Raises PageError when a page does not do as expected."""
    author = _signed_in(web_url, officers[0])
    author.open("/officer/crises/new")
    author.send(author.form("/crises/new"), title=scenario.title, status="Exercise", countries=scenario.country)
    crisis_path = _path(author, "/officer/crises/")
    author.open(f"{crisis_path}/alerts/new")
    author.send(author.form("/alerts/new"), **_alert(scenario))
    alert_path = _path(author, "/officer/alerts/")
    author.open(alert_path)
    author.send(author.form("/submit"))
    approver = _signed_in(web_url, officers[1])
    approver.open(alert_path)
    release = approver.form("/approve")
    started = time.monotonic()
    approver.send(release, typed_count=release.values.get("seen_count", ""))
    return Released(crisis_path, alert_path, time.monotonic() - started)


def _alert(scenario: Scenario) -> dict[str, str]:
    words = {f"text_{language}": text for language, text in scenario.alert_texts.items()}
    words |= {f"headline_{language}": text.split(":")[0] for language, text in scenario.alert_texts.items()}
    return {
        "event": scenario.title,
        "category": "Security",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Observed",
        "response_type": "Shelter",
        "message_class": "life_safety",
        "asks_for_reply": "yes",
        "validity_minutes": "360",
        "countries": scenario.country,
        **words,
    }


def _signed_in(web_url: str, officer: SignIn) -> Visitor:
    visitor = Visitor(web_url)
    visitor.open("/officer/sign-in")
    visitor.send(visitor.form("sign-in"), username=officer.username, password=officer.password)
    if "/sign-in" in visitor.url:
        raise PageError(f"{officer.username} could not sign in.")
    return visitor


def _path(visitor: Visitor, start: str) -> str:
    path = "/" + visitor.url.split("/", 3)[-1].split("?")[0]
    if not path.startswith(start) or path.endswith("/new"):
        raise PageError(f"{path} was shown instead of a page under {start}.")
    return path


def _password() -> str:
    return secrets.token_urlsafe(12)
