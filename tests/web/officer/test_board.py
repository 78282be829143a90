"""The board shows true figures in true words, and a poll that finds nothing new costs nothing."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, scoped_session

from consular.domain.cap import AlertStatus
from consular.domain.delivery import Reach
from consular.domain.triage import Stated
from tests.crisis_world import World, signed_in


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


@pytest.fixture
def officer(world: World, client: FlaskClient) -> FlaskClient:
    return signed_in(world, client)


def figures(page: str) -> dict[str, str]:
    """Part of the board -> its number as shown."""
    parts = re.findall(r'id="part-(\w+)".*?<b>([\d,]+)</b>', page, re.DOTALL)
    return dict(parts)


def fill(world: World) -> None:
    for reach in Reach:
        world.standing(world.person(), reach)
    for minutes, stated in enumerate([*Stated, Stated.SAFE], 1):
        world.says(world.person(), stated, minutes, count=3)
    world.session.commit()


def test_every_part_is_shown_and_they_sum_to_everybody(world: World, officer: FlaskClient) -> None:
    fill(world)
    page = officer.get(f"/officer/crises/{world.crisis_id}/board").text
    assert figures(page) == {
        "people": "10",
        "reached": "6",
        "needs_help": "1",
        "unclear": "1",
        "not_there": "1",
        "safe": "2",
        "silent": "1",
        "handed_over": "1",
        "waiting": "1",
        "not_delivered": "1",
        "no_phone": "1",
    }
    assert "= 10 of 10 people" in page
    assert "at least 6 people" in page


def test_a_gap_between_parts_and_whole_is_shown(world: World, officer: FlaskClient) -> None:
    from consular.queries import counters

    fill(world)
    counters.add(world.session, {(world.crisis_id, "reach:waiting"): 17})
    world.session.commit()
    page = officer.get(f"/officer/crises/{world.crisis_id}/board").text
    assert "= 10 of 27 people" in page
    assert "Not accounted for: 17" in page


def test_silence_and_hand_over_are_named_for_what_they_are(world: World, officer: FlaskClient) -> None:
    page = officer.get(f"/officer/crises/{world.crisis_id}/board").text
    assert "Delivered, no answer yet" in page
    assert "Handed over, no report" in page
    assert "unsafe" not in page.lower()


def test_a_poll_without_news_is_304_and_with_news_200(world: World, officer: FlaskClient) -> None:
    url = f"/officer/crises/{world.crisis_id}/board/fragment"
    first = officer.get(url)
    assert first.status_code == 200
    again = officer.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    fill(world)
    news = officer.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert news.status_code == 200
    assert figures(news.text)["people"] == "10"


def test_a_compressed_poll_is_recognised_too(world: World, officer: FlaskClient) -> None:
    url = f"/officer/crises/{world.crisis_id}/board/fragment"
    first = officer.get(url, headers={"Accept-Encoding": "br, gzip"})
    again = officer.get(url, headers={"Accept-Encoding": "br, gzip", "If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_the_page_works_without_javascript(world: World, officer: FlaskClient) -> None:
    page = officer.get(f"/officer/crises/{world.crisis_id}/board").text
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page
    assert re.search(r"Figures of .* UTC", page)


@pytest.mark.parametrize(("status", "word"), [(AlertStatus.EXERCISE, "exercise"), (AlertStatus.ACTUAL, "actual")])
def test_an_exercise_looks_different(world: World, officer: FlaskClient, status: AlertStatus, word: str) -> None:
    world.crisis_id = world.crisis(status)
    world.session.commit()
    page = officer.get(f"/officer/crises/{world.crisis_id}/board").text
    assert f'<body class="{word}' in page


@pytest.mark.parametrize("path", ["board", "board/fragment", "requests", "people/in/safe"])
def test_a_crisis_that_does_not_exist(officer: FlaskClient, path: str) -> None:
    assert officer.get(f"/officer/crises/{uuid4()}/{path}").status_code == 404


def test_a_signed_out_poll_is_told_so(world: World, client: FlaskClient) -> None:
    url = f"/officer/crises/{world.crisis_id}/board/fragment"
    assert client.get(url, headers={"X-Requested-With": "fetch"}).status_code == 401
