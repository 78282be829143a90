"""The page behind the link in a text."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.triage import Stated
from consular.models.statuses import StatusEvent
from consular.security.links import link_token
from tests.crisis_world import World

from .conftest import Browser


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


@pytest.fixture
def person(world: World) -> object:
    person_id = world.person(name="Ravi Canary", phone="+218915550123")
    world.standing(person_id)
    return person_id


@pytest.fixture
def address(world: World, person: object) -> str:
    return f"/s/{link_token(world.message(world.event(), person))}"  # type: ignore[arg-type]


def events(session: scoped_session[Session]) -> int:
    return session.scalar(select(func.count()).select_from(StatusEvent)) or 0


def test_the_page_asks_and_shows_nothing_about_the_person(client: FlaskClient, address: str) -> None:
    page = client.get(address)
    assert page.status_code == 200
    assert re.findall(r'name="answer" value="(\w+)"', page.text) == ["safe", "needs_help", "not_there"]
    assert "Libya 2011" in page.text
    assert "Embassy of Testland" in page.text
    assert "Ravi" not in page.text
    assert "5550123" not in page.text
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_an_exercise_says_so_in_words(client: FlaskClient, address: str, session: scoped_session[Session]) -> None:
    exercise = client.get(address).text
    assert exercise.count("EXERCISE") >= 3
    assert '<body class="exercise">' in exercise
    session.execute(text("update alert_events set status = 'Actual'"))
    session.commit()
    actual = client.get(address).text
    assert "EXERCISE" not in actual
    assert '<body class="actual">' in actual


@pytest.mark.parametrize(
    ("button", "stated", "words"),
    [
        ("safe", Stated.SAFE, "I am safe"),
        ("needs_help", Stated.NEEDS_HELP, "I need help"),
        ("not_there", Stated.NOT_THERE, "I am not there"),
    ],
)
def test_a_button_is_an_answer(
    client: FlaskClient, world: World, person: object, address: str, button: str, stated: Stated, words: str
) -> None:
    browser = Browser(client)
    browser.open(address)
    page = browser.send({}, address, answer=button, count="1", note="")
    assert page.status_code == 200
    assert "We have received your answer" in page.text
    assert f"<b>{words}</b>" in page.text
    assert world.status(person).stated is stated  # type: ignore[arg-type]


def test_a_call_for_help_in_the_note_is_what_was_received(
    client: FlaskClient, world: World, person: object, address: str
) -> None:
    """Whoever presses "safe" and writes of need reads how that was taken, and that nothing is promised."""
    browser = Browser(client)
    browser.open(address)
    page = browser.send({}, address, answer="safe", note="my son is hurt, we need a doctor")
    assert "<b>I need help</b>" in page.text
    assert "we cannot promise that somebody comes" in page.text
    assert "<b>I am safe</b>" not in page.text
    assert world.status(person).stated is Stated.NEEDS_HELP  # type: ignore[arg-type]


def test_sending_it_twice_is_one_answer_and_it_can_be_changed(
    client: FlaskClient, world: World, person: object, address: str, session: scoped_session[Session]
) -> None:
    browser = Browser(client)
    browser.open(address)
    form = dict(browser.hidden)
    browser.send({}, address, answer="safe")
    recorded = events(session)
    browser.hidden, changed = form, dict(browser.hidden)
    browser.send({}, address, answer="safe")
    assert events(session) == recorded
    browser.hidden = changed
    browser.send({}, address, answer="needs_help")
    assert world.status(person).stated is Stated.NEEDS_HELP  # type: ignore[arg-type]


def test_enter_in_the_number_field_answers_nothing(
    client: FlaskClient, address: str, session: scoped_session[Session]
) -> None:
    """The first button of the form has no name: "go" on a phone's keyboard must never say "safe"."""
    browser = Browser(client)
    opened = browser.open(address)
    assert "name=" not in re.findall(r"<button[^>]*>", opened.text)[0]
    page = browser.send({}, address, count="4", note="on the roof")
    assert page.status_code == 422
    assert 'href="#answer"' in page.text
    assert 'value="4"' in page.text
    assert "on the roof" in page.text
    assert events(session) == 0


def test_the_language_can_be_changed_without_losing_the_note(client: FlaskClient, address: str) -> None:
    browser = Browser(client)
    browser.open(address)
    page = browser.send({}, f"{address}?lang=hi", switch="hi", note="छत पर")
    assert '<html lang="hi" dir="ltr">' in page.text
    assert "छत पर" in page.text


def test_the_page_speaks_the_language_of_the_text(
    client: FlaskClient, address: str, session: scoped_session[Session]
) -> None:
    session.execute(text("update messages set language = 'ar'"))
    session.commit()
    assert '<html lang="ar" dir="rtl">' in client.get(address, headers={"Accept-Language": "fr"}).text
    assert '<html lang="fr" dir="ltr">' in client.get(f"{address}?lang=fr").text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_closed_crisis_takes_no_answers(
    client: FlaskClient, address: str, session: scoped_session[Session], method: str
) -> None:
    session.execute(text("update crises set closed_at = now()"))
    session.commit()
    page = getattr(client, method)(address, **({"data": {"answer": "safe"}} if method == "post" else {}))
    assert page.status_code == 410
    assert "This question is closed" in page.text
    assert "+15005550001" in page.text
    assert events(session) == 0


@pytest.mark.parametrize("token", ["x", "0" * 18, "z" * 18, "%00", "..%2f..", "a" * 3000])
def test_links_that_are_not_ours(client: FlaskClient, token: str) -> None:
    page = client.get(f"/s/{token}")
    assert page.status_code == 404
    assert "Traceback" not in page.text


def test_a_number_that_has_no_message(client: FlaskClient) -> None:
    assert client.get(f"/s/{link_token(2**39)}").status_code == 404


def test_a_forged_form_key_records_nothing(client: FlaskClient, address: str, session: scoped_session[Session]) -> None:
    page = client.post(address, data={"answer": "safe", "form_key": "forged"})
    assert page.status_code == 422
    assert events(session) == 0
