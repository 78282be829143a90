"""Test texts on the page: what became of each, and sending one after asking once more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from consular.permissions import Role
from tests.alert_world import browser, csrf, officer
from tests.cli.test_readiness import TWILIO
from tests.factories import make_people, message_ids, rows, set_messages
from tests.services.canary_world import LIBYAN
from tests.web.officer.conftest import text_of

PAGE, SEND = "/officer/test-texts", "/officer/test-texts/send"


@pytest.fixture
def settings(app, monkeypatch):
    changed = replace(app.config["CONSULAR"], twilio_gateway=TWILIO, canary_phones=(LIBYAN,))
    monkeypatch.setitem(app.config, "CONSULAR", changed)
    return changed


@pytest.fixture
def pages(app, session, settings):
    officer(Role.ADMINISTRATOR)
    return browser(app, "administrator")


def send(pages):
    return pages.post(SEND, data={"csrf_token": csrf(pages, SEND)})


def test_sending_asks_once_more_and_then_sends_to_each_handset_once(pages, session):
    question = text_of(pages.get(SEND).text)
    assert "1 real text leaves at once" in question
    assert "Libya …001, by twilio" in question
    assert message_ids(session) == [], "asking sends nothing"
    assert send(pages).status_code == 303
    assert "Test texts on their way: 1." in pages.get(PAGE).text
    send(pages)
    assert "Left out, because tested within the last ten minutes: 1." in pages.get(PAGE).text
    assert len(message_ids(session)) == 1
    assert len(rows(session, "select 1 from audit_entries where action = 'canaries_sent'")) == 1


def test_results_are_shown_without_the_number(pages, session):
    send(pages)
    set_messages(session, "state = 'refused', error_code = '21408'")
    page = pages.get(PAGE).text
    assert "21408" in page
    assert ">failed</strong>" in page
    assert LIBYAN not in page
    set_messages(session, "state = 'delivered', error_code = null")
    assert ">delivered</strong>" in pages.get(PAGE).text
    assert "no answer" in pages.get(PAGE).text
    session.execute(text("update canaries set answered_at = now()"))
    session.commit()
    assert ">answered</strong>" in pages.get(PAGE).text


def test_a_handset_of_somebody_on_record_is_pointed_out(pages, session):
    assert "on record" not in pages.get(PAGE).text
    make_people(session, [LIBYAN])
    session.commit()
    assert "The phone of 1 person on record is also one of these handsets." in text_of(pages.get(PAGE).text)


def test_without_handsets_the_page_says_where_they_are_named(app, session, settings, monkeypatch):
    monkeypatch.setitem(app.config, "CONSULAR", replace(settings, canary_phones=()))
    officer(Role.AUTHOR)
    author = browser(app, "author")
    assert "CANARY_PHONES" in author.get(PAGE).text
    assert author.get(SEND).status_code == 303


def test_a_viewer_may_not_send(app, session, settings):
    officer(Role.VIEWER)
    viewer = browser(app, "viewer")
    assert (viewer.get(PAGE).status_code, viewer.get(SEND).status_code) == (403, 403)
