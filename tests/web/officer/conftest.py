"""Two officers' browsers on the alert pages."""

from __future__ import annotations

import html
import re

import pytest

from tests.alert_world import AlertWorld, browser, csrf, hidden

FORM = {
    "event": "Fighting in Tripoli",
    "category": "Security",
    "urgency": "Immediate",
    "severity": "Severe",
    "certainty": "Observed",
    "response_type": "Shelter",
    "message_class": "life_safety",
    "asks_for_reply": "yes",
    "validity_minutes": "60",
    "headline_en": "Stay inside",
    "text_en": "Fighting in Tripoli. Stay inside.",
    "countries": ["LY"],
    "revision": "0",
}


class Pages:
    """One officer's browser on the pages of one world."""

    def __init__(self, app, world: AlertWorld, username: str) -> None:
        self.client, self.world = browser(app, username), world

    def post(self, path: str, **form):
        return self.client.post(path, data={**form, "csrf_token": csrf(self.client, "/officer/")})

    def write(self, **changes):
        return self.post(f"/officer/crises/{self.world.crisis}/alerts/new", **{**FORM, **changes})

    def act(self, alert_id, act: str, **form):
        return self.post(f"/officer/alerts/{alert_id}/{act}", **form)

    def page(self, alert_id):
        return self.client.get(f"/officer/alerts/{alert_id}").text

    def release(self, alert_id, **form):
        page = self.page(alert_id)
        seen = {name: hidden(page, name) for name in ("seen_hash", "seen_count")}
        return self.act(alert_id, "approve", **{**seen, **form})


@pytest.fixture
def world(session) -> AlertWorld:
    return AlertWorld(session)


@pytest.fixture
def author(app, world) -> Pages:
    return Pages(app, world, "author")


@pytest.fixture
def approver(app, world) -> Pages:
    return Pages(app, world, "approver")


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def id_in(answer):
    assert answer.status_code == 303, text_of(answer.text)
    return answer.headers["Location"].rsplit("/", 1)[-1]
