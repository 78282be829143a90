"""The officers of a fault run, working with the real pages: write an alert, submit it, release it, stop it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from consular.clock import utc_now
from consular.drill.pages import Visitor
from consular.models.officers import Role
from consular.services.officers import add_officer

PASSWORD = "correct horse battery staple"
OFFICERS = {"amina": Role.AUTHOR, "boris": Role.APPROVER, "dana": Role.APPROVER}
TEXT = "Stay indoors and away from windows until tomorrow 08:00."
_REAL = {"status": "Actual", "confirmation": "THIS IS REAL"}


@dataclass(slots=True)
class Alert:
    """One alert of a case.

    people: phones it was written for. leaves: whether all its texts must leave in the end, but for the rows `exempt`.
    """

    title: str
    path: str
    country: str
    people: int
    leaves: bool = True
    event_id: UUID | None = None
    exempt: set[int] = field(default_factory=set)


def hire() -> None:
    """Add the officers; in an application context."""
    for name, role in OFFICERS.items():
        add_officer(name, name.title(), role, PASSWORD, utc_now())


def sign_in(url: str, name: str) -> Visitor:
    """A browser in which this officer is signed in."""
    visitor = Visitor(url)
    visitor.open("/officer/sign-in")
    visitor.send(visitor.form("sign-in"), username=name, password=PASSWORD)
    if "/sign-in" in visitor.url:
        raise RuntimeError(f"{name} could not sign in")
    return visitor


class Desk:
    """One author and two approvers, signed in; a crisis for each country. is_real: no exercise."""

    def __init__(self, url: str, *, is_real: bool = False) -> None:
        self._words = _REAL if is_real else {"status": "Exercise"}
        self.author, self.approver, self.other = (sign_in(url, name) for name in OFFICERS)
        self._crises: dict[str, str] = {}

    def crisis(self, country: str) -> str:
        """The path of the crisis for a country, opened when first asked for."""
        if country not in self._crises:
            self.author.open("/officer/crises/new")
            form = self.author.form("/crises/new")
            self.author.send(form, title=f"Faults {country}", countries=country, **self._words)
            self._crises[country] = _path(self.author)
        return self._crises[country]

    def write(self, title: str, country: str, people: int, message_class: str, minutes: int) -> Alert:
        """Write an alert and submit it."""
        author = self.author
        author.open(f"{self.crisis(country)}/alerts/new")
        author.send(author.form("/alerts/new"), **_words(title, country, message_class, minutes))
        alert = Alert(title, _path(author), country, people)
        author.open(alert.path)
        author.send(author.form("/submit"))
        return alert

    def release(self, alert: Alert, visitor: Visitor | None = None) -> None:
        """Approve what the page shows."""
        approver = visitor or self.approver
        approver.open(alert.path)
        form = approver.form("/approve")
        approver.send(form, typed_count=form.values.get("seen_count", ""))

    def stop(self, alert: Alert) -> None:
        """Press Stop."""
        self.approver.open(alert.path)
        self.approver.send(self.approver.form("/stop"))


def _words(title: str, country: str, message_class: str, minutes: int) -> dict[str, str]:
    return {
        "event": title,
        "headline_en": title,
        "text_en": TEXT,
        "category": "Security",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Observed",
        "response_type": "Shelter",
        "message_class": message_class,
        "asks_for_reply": "yes",
        "validity_minutes": str(minutes),
        "countries": country,
    }


def _path(visitor: Visitor) -> str:
    return "/" + visitor.url.split("/", 3)[-1].split("?")[0]
