"""Answers by the signed link: the same rules as a text, recorded once, and need is never hidden by a button."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.triage import Stated
from consular.errors import NotFoundError
from consular.services import inbound
from consular.services.answers import answer_by_link, read_link
from tests.factories import alert_everybody, phone, rows
from tests.services.test_delivery import assert_counted
from tests.services.test_inbound import hear, requests, stated, work


def number(session) -> int:
    return rows(session, "select id from messages where event_id is not null order by id")[0].id


def answer(session, said: Stated, count: int | None = None, note: str | None = None, key: str = "k1") -> None:
    answer_by_link(number(session), said, count, note, key, utc_now())


def test_the_page_says_nothing_about_the_person(session):
    alert_everybody(session, 1)
    found = read_link(number(session), utc_now())
    assert found is not None
    assert (found.is_exercise, found.crisis_title, found.language, found.has_expired, found.last_answer) == (
        True,
        "Libya 2011",
        "en",
        False,
        None,
    )


@pytest.mark.parametrize("what", [0, 10**9], ids=["zero", "no such message"])
def test_no_such_link(session, what):
    assert read_link(what, utc_now()) is None
    with pytest.raises(NotFoundError):
        answer_by_link(what, Stated.SAFE, None, None, "k", utc_now())


@pytest.mark.parametrize(
    ("said", "kinds"), [(Stated.SAFE, []), (Stated.NEEDS_HELP, ["needs_help"]), (Stated.NOT_THERE, [])], ids=str
)
def test_a_button_becomes_a_status(session, said, kinds):
    event_id = alert_everybody(session, 1)
    answer(session, said, 2 if said is Stated.SAFE else None)
    assert stated(session) == [(said.value, 2 if said is Stated.SAFE else None)]
    assert requests(session) == kinds
    assert_counted(event_id)
    link = read_link(number(session), utc_now())
    assert link is not None
    assert link.last_answer == said.value.lower()


def test_pressing_twice_is_one_answer(session):
    alert_everybody(session, 1)
    for _ in range(3):
        answer(session, Stated.NEEDS_HELP)
    assert len(rows(session, "select 1 from status_events")) == 1
    assert requests(session) == ["needs_help"]


def test_a_call_for_help_in_the_note_beats_the_button(session):
    alert_everybody(session, 1)
    answer(session, Stated.SAFE, note="help, we are trapped")
    assert stated(session) == [("NEEDS_HELP", None)]
    assert requests(session) == ["needs_help"]


def test_every_note_is_read_by_a_human_and_kept_sealed(session):
    alert_everybody(session, 1)
    answer(session, Stated.SAFE, note="Thank you, tell my brother.")
    assert stated(session) == [("SAFE", None)]
    assert requests(session) == ["unclear"]
    assert b"brother" not in bytes(rows(session, "select note_sealed from status_events")[0].note_sealed)


def test_safe_by_link_does_not_hide_a_call_for_help_by_text(session):
    alert_everybody(session, 1)
    hear("2")
    work()
    answer(session, Stated.SAFE)
    assert stated(session) == [("NEEDS_HELP", None)]


def test_a_shared_phone_needs_a_count_that_covers_everybody(session):
    alert_everybody(session, [phone(1)] * 2)
    answer(session, Stated.SAFE)
    assert stated(session) == [("UNCLEAR", None)] * 2
    assert requests(session) == ["unclear"]
    answer(session, Stated.SAFE, 2, key="k2")
    assert stated(session) == [("SAFE", 2)] * 2


def test_a_long_answer_key_is_cut_and_still_one(session):
    alert_everybody(session, 1)
    for _ in range(2):
        answer(session, Stated.NEEDS_HELP, key="k" * 300)
    assert requests(session) == ["needs_help"]


def test_a_link_ends_with_its_crisis(session):
    alert_everybody(session, 1)
    session.execute(text("update crises set closed_at = now()"))
    session.commit()
    link = read_link(number(session), utc_now())
    assert link is not None
    assert link.has_expired
    with pytest.raises(NotFoundError):
        answer(session, Stated.SAFE)
    assert inbound.process() == 0
