"""The readiness pages: the worst country first, gaps with what to do, proofs with zone and age; nothing for those who
may not know how many people are where."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from consular.clock import utc_now
from consular.permissions import Role
from consular.providers.registry import Adapters
from consular.services import canaries, readiness
from consular.services.canaries import Plan
from tests.alert_world import browser, officer
from tests.cli.test_readiness import TWILIO
from tests.factories import make_people, phone, set_messages
from tests.social_world import accounts, approved
from tests.web.officer.conftest import text_of

PAGE = "/officer/readiness"


@pytest.fixture
def pages(app: Flask, session, monkeypatch: pytest.MonkeyPatch):
    """A viewer's browser on an installation with one real gateway and one handset."""
    settings = replace(app.config["CONSULAR"], twilio_gateway=TWILIO, canary_phones=("+218910000001",))
    monkeypatch.setitem(app.config, "CONSULAR", settings)
    officer(Role.VIEWER)
    return browser(app, "viewer")


@pytest.fixture
def crowd(session):
    make_people(session, 5)
    make_people(session, ["+919800000001"], phone_country="IN")
    make_people(session, [None, None])
    make_people(session, [None], country="TD")
    session.execute(
        text("insert into path_proofs values ('twilio', 'LY', :at, :at, null)"),
        {"at": utc_now() - timedelta(hours=3, minutes=5)},
    )
    session.commit()


def test_countries_come_worst_first(pages, crowd):
    page = pages.get(PAGE).text
    names = re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', page)
    assert names == ["Chad", "Libya"]
    assert "Nobody can be reached" in page
    assert "6 of 8 reachable" in page


def test_a_country_tells_its_gaps_and_what_to_do(pages, crowd):
    page = text_of(pages.get(f"{PAGE}?country=LY").text)
    assert "8 people on record there now" in page
    assert "5 of them by a path proven in the last 36 hours" in page
    assert "2 people : No phone on record. Ask them for a number" in page
    assert "1 person : Texts to numbers of India leave by twilio, never proven. Have a handset" in page


def test_proofs_are_told_with_zone_and_age(pages, crowd):
    page = text_of(pages.get(f"{PAGE}?country=ly").text)
    assert re.search(r"Last proved a delivery \d+ \w+ \d{4}, \d\d:\d\d UTC \( ?3 h 05 min ago\)", page)
    assert "Last brought a reply never" in page
    assert "Numbers of India: 1 person twilio – Texts go by it Never took a text" in page


def test_the_last_test_text_of_a_path_is_told(pages, crowd, session):
    canaries.send_now(Plan(("twilio",), ("+218910000001",), "Mission", 6), utc_now())
    set_messages(session, "state = 'refused', error_code = '21408'")
    page = text_of(pages.get(f"{PAGE}?country=LY").text)
    assert (
        "5 people : Texts to numbers of Libya leave by twilio, last proven 3 h ago, and its last test text failed"
        in page
    )
    assert re.search(r"to a handset of the mission the last: failed: 21408 \d+ \w+ \d{4}, \d\d:\d\d UTC", page)


def test_an_empty_register_and_an_empty_country_say_so(pages):
    assert "Nobody on record stays anywhere now" in pages.get(PAGE).text
    page = text_of(pages.get(f"{PAGE}?country=AQ").text)
    assert "Nobody on record is in Antarctica now" in page
    assert "Numbers of Antarctica: no people that could be texted twilio – Texts go by it" in page


def test_a_country_that_is_none_is_not_found_and_an_empty_choice_shows_all(pages):
    assert pages.get(f"{PAGE}?country=XX").status_code == 404
    assert pages.get(f"{PAGE}?country=").location.endswith(PAGE)


def test_counts_come_from_the_last_count_until_they_are_stale(pages, crowd, session):
    assert "6 of 8 reachable" in pages.get(PAGE).text
    make_people(session, [phone(99)])
    session.commit()
    assert "6 of 8 reachable" in pages.get(PAGE).text
    assert "People counted under a minute ago" in pages.get(PAGE).text
    session.execute(text("update heartbeats set ran_at = ran_at - :age"), {"age": readiness.STALE})
    session.commit()
    assert "7 of 9 reachable" in pages.get(PAGE).text


def test_administrators_do_not_learn_how_many_people_are_where(app, session):
    officer(Role.ADMINISTRATOR)
    page = browser(app, "administrator").get(PAGE)
    assert page.status_code == 403
    assert "Readiness" not in page.text


def test_every_reader_finds_it_in_the_navigation(pages, crowd):
    assert f'<a href="{PAGE}">Readiness</a>' in pages.get("/officer/").text
    assert f'<a href="{PAGE}" aria-current="page">' in pages.get(PAGE).text


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}?country=LY"])
def test_public_posts_are_told_and_nobody_counts_as_reached_by_them(app, pages, session, monkeypatch, path):
    make_people(session, [None])
    session.commit()
    assert "No public account is set up" in text_of(pages.get(path).text)
    ready = accounts(app.config["CONSULAR"], "https://social.example")
    monkeypatch.setitem(app.extensions, "consular", Adapters(ready))
    approved(ready)
    at = utc_now() - timedelta(hours=3, minutes=5)
    session.execute(text("update social_posts set state = 'failed', error = 'HTTP 401', created_at = :at"), {"at": at})
    session.commit()
    told = text_of(pages.get(path).text)
    assert "no person is counted as reached by it" in told
    assert re.search(r"Mastodon @ada Last post never Last failure alert of \d+ .* \( ?3 h 05 min ago\) HTTP 401", told)
    assert "Nobody can be reached" in told
