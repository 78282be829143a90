"""What officers see of an alert's ways before release: gateway, answer, parts and cost of each country."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.routing import SenderKind, Way
from consular.services.alert_previews import preview
from consular.services.alert_ways import Line
from tests.alert_world import AlertWorld, people, view
from tests.services.test_routing import know, refuse

LINES = {"twilio": Line(10.0, "+15005550006"), "http": Line(100.0, "12345")}
URL = "https://consular.test"


@pytest.fixture
def world(session):
    """Four people with Libyan phones, two with Tunisian and one with an Iranian one, all staying in Libya."""
    made = AlertWorld(session, AlertStatus.ACTUAL)
    people(session, ["en", "hi"], country="TN")
    people(session, ["en"], country="IR")
    session.execute(text("update stays set country = 'LY'"))
    session.commit()
    return made


def seen(world, **changes):
    found = preview(view(world.drafted(**changes)), utc_now(), LINES, URL)
    return found, {one.country: one for one in found.ways.countries}


def test_each_country_shows_its_gateway_what_people_can_answer_parts_and_cost(session, world):
    know(session, "twilio", "LY", is_two_way=False, cost_cents=Decimal("7.5"), currency="EUR", rate=2.0)
    know(session, "http", "LY", is_usable=False)
    know(session, "twilio", "TN", allows_links=False)
    for gateway in LINES:
        know(session, gateway, "IR", is_usable=False)
    found, by_name = seen(world)
    libya, tunisia, iran = by_name["Libya"], by_name["Tunisia"], by_name["Iran"]
    assert [one.phones for one in found.ways.countries] == [4, 2, 1]
    assert (libya.gateway, libya.way) == ("twilio", Way(takes_replies=False))
    assert (tunisia.gateway, tunisia.way) == ("twilio", Way(carries_links=False))
    assert (iran.gateway, iran.way, iran.parts) == (None, None, 0)
    assert libya.why == {"http": "texts to this country do not go by it", "smpp": "it is not set up"}
    parts = {(text.language, text.way): text.parts for text in [*found.texts, *found.variants]}
    assert libya.parts == 3 * parts["en", libya.way] + parts["ar", libya.way]
    assert tunisia.parts == 2 * parts["en", tunisia.way]
    assert libya.cost == Decimal("7.5") * libya.parts / 100
    assert found.ways.costs == {"EUR": libya.cost}
    assert found.ways.parts_of_unknown_cost == tunisia.parts
    assert (found.messages, found.total_parts) == (6, libya.parts + tunisia.parts)
    assert found.seconds == libya.parts / 2.0 + tunisia.parts / 10.0
    assert found.blockers == []


def test_texts_are_shown_as_they_leave_that_of_most_phones_first(session, world):
    know(session, "twilio", "LY", is_two_way=False)
    know(session, "http", "LY", is_usable=False)
    found, _ = seen(world)
    assert {text.way for text in found.texts} == {Way(takes_replies=False)}
    assert all("Reply" not in text.text and "https://consular.test/s/" in text.text for text in found.texts)
    assert {text.way for text in found.variants} == {Way()}
    assert all("Reply" not in sample.text for sample in found.samples)
    warnings = " ".join(found.warnings)
    assert "Nobody with a phone of Libya can reply" in warnings
    assert "Tunisia" not in warnings


def test_where_nothing_goes_or_stands_still_is_said(session, world):
    for gateway in LINES:
        know(session, gateway, "IR", is_usable=False)
        refuse(session, gateway, "TN")
    found, by_name = seen(world, asks_for_reply=False)
    assert by_name["Tunisia"].is_stopped
    warnings = " ".join(found.warnings)
    assert "No gateway takes texts to phones of Iran (1 in all): nobody there gets one." in warnings
    assert "The gateway for phones of Tunisia takes no texts now: theirs (2 in all) wait" in warnings


def test_what_would_be_refused_stands_above_the_texts(session, world):
    for gateway in LINES:
        know(session, gateway, "TN", is_two_way=False, allows_links=False)
    found, _ = seen(world)
    assert [blocker for blocker in found.blockers if "phone of Tunisia could answer" in blocker]
    assert seen(world, asks_for_reply=False)[0].blockers == []


def test_a_name_as_sender_is_known_for_taking_no_replies(session, world):
    found = preview(view(world.drafted()), utc_now(), {"twilio": Line(10.0, "Embassy")}, URL)
    assert {one.sender for one in found.ways.countries} == {SenderKind.ALPHANUMERIC}
    assert all("Reply" not in text.text for text in found.texts)
    assert found.variants == []


def test_without_a_gateway_nothing_is_promised(session, world):
    found = preview(view(world.drafted()), utc_now(), {"exercise": Line(1.0, "")}, URL)
    assert (found.messages, found.seconds, found.finish_at) == (0, None, None)
    assert len(found.blockers) == 1
    assert "No gateway for Actual alerts" in found.blockers[0]
    assert found.texts[0].text
