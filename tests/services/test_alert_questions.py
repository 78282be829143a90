"""Where nobody can answer, officers may send an alert without its question, by name of the country and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.alerts import AlertState, content_hash
from consular.domain.cap import AlertStatus
from consular.errors import ConflictError, NotAllowedError
from consular.models.alerts import AlertEvent
from consular.queries import board
from consular.queueing import wakeups
from consular.services import alerts
from consular.services.alert_previews import preview
from consular.services.alert_refusals import EditedMeanwhileError
from consular.services.alert_ways import Line
from consular.services.routing import reroute
from consular.services.texts import TextBook, freeze
from consular.services.ways import Ways
from tests.alert_world import DRAFT, AlertWorld, people, view
from tests.factories import rows, states
from tests.services.test_routing import BOTH, by_gateway, know, refuse

LINES = {"twilio": Line(10.0, "+15005550006"), "http": Line(100.0, "+15005550007")}
MUTE = {"is_two_way": False, "allows_links": False}
URL = "https://consular.test"


@pytest.fixture
def world(session):
    """Four people in Libya with phones of it, two with phones of the Emirates, one with one of Taiwan."""
    made = AlertWorld(session, AlertStatus.ACTUAL)
    people(session, ["en", "hi"], country="AE")
    people(session, ["en"], country="TW")
    session.execute(text("update stays set country = 'LY'"))
    session.commit()
    for country in ("AE", "TW"):
        for gateway in BOTH:
            know(session, gateway, country, **MUTE)
    return made


def without_asking(world, alert_id, countries=("TW", "AE"), by=None, revision=None, gateways=BOTH):
    revision = view(alert_id).revision if revision is None else revision
    alerts.send_without_asking(alert_id, countries, revision, by or world.author, utc_now(), gateways=gateways)


def chosen(world):
    alert_id = world.drafted()
    without_asking(world, alert_id)
    return alert_id


def submit(world, alert_id):
    alerts.submit(alert_id, world.author, utc_now(), gateways=BOTH)


def release(world, alert_id, **changes):
    return world.approve(alert_id, **{"count": 7, "typed_count": 7, "gateways": BOTH, "now": utc_now(), **changes})


def seen(alert_id):
    return preview(view(alert_id), utc_now(), LINES, URL)


def test_it_stays_refused_until_somebody_chooses_and_then_everybody_gets_a_text(session, world):
    alert_id = world.drafted()
    with pytest.raises(ConflictError, match=r"phone of Taiwan and United Arab Emirates could answer"):
        submit(world, alert_id)
    without_asking(world, alert_id)
    submit(world, alert_id)
    event_id = release(world, alert_id)
    assert states(session) == {"queued": 7}
    book = TextBook(URL, Ways(BOTH).of)
    for row in rows(session, "select id, country, gateway from messages"):
        body = book.alert(event_id, "en", row.id, book.way(row.gateway, row.country))
        is_asked = row.country == "LY"
        assert ("Reply 1" in body, URL in body) == (is_asked, is_asked)
        assert "Stay inside." in body


def test_the_preview_counts_whom_it_concerns_before_and_after_the_choice(world):
    alert_id = world.drafted()
    found = seen(alert_id)
    assert {(one.code, one.people, one.phones) for one in found.ways.lacking} == {("AE", 2, 2), ("TW", 1, 1)}
    assert [blocker for blocker in found.blockers if "Taiwan and United Arab Emirates" in blocker]
    assert (found.messages, found.ways.unreached) == (4, 0)
    assert "No gateway takes texts" not in " ".join(found.warnings)
    without_asking(world, alert_id)
    found = seen(alert_id)
    assert (found.ways.lacking, found.blockers, found.messages) == ([], [], 7)
    warnings = " ".join(found.warnings)
    assert "United Arab Emirates, Taiwan can answer (3 people on 3 phones)" in warnings
    assert "officers must reach them by other means" in warnings
    assert "by the link only" not in warnings
    assert "by a reply only" not in warnings


def test_the_choice_is_for_the_countries_that_were_seen_and_no_others(session, world):
    alert_id = chosen(world)
    submit(world, alert_id)
    for gateway in BOTH:
        know(session, gateway, "LY", **MUTE)
    with pytest.raises(ConflictError, match="phone of Libya could answer"):
        release(world, alert_id)
    assert states(session) == {}
    alerts.withdraw(alert_id, world.author, utc_now())
    without_asking(world, alert_id, ["LY"])
    assert view(alert_id).accepts_no_answer_from == ("AE", "LY", "TW")


@pytest.mark.parametrize("countries", [[], ["AE"], ["AE", "TW", "LY"]], ids=["none", "fewer", "more"])
def test_a_choice_for_other_countries_than_now_is_refused(world, countries):
    alert_id = world.drafted()
    with pytest.raises(ConflictError, match="Look at them again"):
        without_asking(world, alert_id, countries)
    assert view(alert_id).accepts_no_answer_from == ()


def test_where_everybody_can_answer_there_is_nothing_to_choose(session, world):
    silent = world.drafted(asks_for_reply=False)
    with pytest.raises(ConflictError, match="Look at them again"):
        without_asking(world, silent, [])


def test_the_choice_is_an_edit_like_any_other(world):
    alert_id = world.drafted()
    with pytest.raises(EditedMeanwhileError):
        without_asking(world, alert_id, revision=0)
    without_asking(world, alert_id, by=world.approver)
    submit(world, alert_id)
    with pytest.raises(ConflictError, match="awaiting approval"):
        without_asking(world, alert_id)
    with pytest.raises(NotAllowedError):
        release(world, alert_id)
    release(world, alert_id, by=world.second_approver)


def test_an_approval_covers_the_choice(world):
    alert_id = world.drafted()
    before = view(alert_id)
    stale = content_hash(alerts.content_of(before), before.audience, 7)
    assert "accepts_no_answer_from" not in alerts.content_of(before)
    without_asking(world, alert_id)
    submit(world, alert_id)
    with pytest.raises(ConflictError, match="Read it again"):
        release(world, alert_id, seen_hash=stale)
    release(world, alert_id)


def test_an_edit_takes_the_choice_back(world):
    alert_id = chosen(world)
    alerts.edit(alert_id, replace(DRAFT, event="Shelling"), view(alert_id).revision, world.author, utc_now())
    assert view(alert_id).accepts_no_answer_from == ()
    with pytest.raises(ConflictError, match="could answer"):
        submit(world, alert_id)
    assert view(alert_id).state is AlertState.DRAFTING


def test_an_address_in_the_text_stays_refused(world):
    words = {"en": type(DRAFT.words["en"])("Go", "Read https://embassy.example/exit now.")}
    alert_id = world.drafted(words=words)
    without_asking(world, alert_id)
    with pytest.raises(ConflictError, match="Take the address out"):
        submit(world, alert_id)


def test_the_event_keeps_the_choice_so_that_texts_find_another_mute_way(session, world):
    alert_id = chosen(world)
    submit(world, alert_id)
    event_id = release(world, alert_id)
    assert freeze(session.get_one(AlertEvent, event_id)).needs.accepts_no_answer_from == {"AE", "TW"}
    refuse(session, "twilio")
    reroute(BOTH, wakeups)
    assert by_gateway(session) == {"http": 7}


@pytest.mark.parametrize("unknown", [0, 1], ids=["known", "one unknown"])
def test_without_a_country_of_its_own_in_the_table_a_mute_way_is_left_too(session, unknown):
    world = AlertWorld(session, AlertStatus.ACTUAL)
    for gateway in BOTH:
        know(session, gateway, **MUTE)
    one = "select id from contact_points limit :unknown"
    session.execute(text(f"update contact_points set country = null where id in ({one})"), {"unknown": unknown})
    session.commit()
    alert_id = world.drafted()
    without_asking(world, alert_id, ["LY", ""][: 1 + unknown])
    submit(world, alert_id)
    release(world, alert_id, count=4, typed_count=4)
    assert by_gateway(session) == {"twilio": 4}
    refuse(session, "twilio")
    reroute(BOTH, wakeups)
    assert by_gateway(session) == {"http": 4}


def test_the_board_says_whose_silence_is_no_choice_and_invents_nothing(session, world):
    alert_id = chosen(world)
    submit(world, alert_id)
    release(world, alert_id)
    crisis = board.find_crisis(world.crisis)
    assert crisis is not None
    look = board.look(crisis)
    assert look.unasked == ["AE", "TW"]
    assert (look.people, look.bucket(board.Bucket.WAITING), look.bucket(board.Bucket.SILENT)) == (7, 7, 0)
