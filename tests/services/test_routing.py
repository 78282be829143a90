"""Each country by the right gateway; what waits where it is refused goes out once by another."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.gateways import ACTUAL_GATEWAYS
from consular.domain.ports import RefusalScope
from consular.domain.routing import EVERYWHERE, Needs, SenderKind
from consular.errors import ConflictError
from consular.extensions import cipher
from consular.models.capabilities import GatewayCapability
from consular.queries import capabilities, counters
from consular.queueing import wakeups
from consular.services import alerts, dispatch, routing, sweeping
from consular.services.delivery import Pace, drain
from consular.services.operations import Installation, look
from consular.services.routing import Quiet, reroute, routes_for, stranded
from consular.services.texts import TextBook
from consular.services.ways import Ways, seed_capabilities
from tests.alert_world import DRAFT, AlertWorld, people
from tests.factories import (
    EVERYBODY_IN_LIBYA,
    issue,
    make_crisis,
    make_event,
    make_people,
    message_ids,
    phone,
    rows,
    set_messages,
    states,
)
from tests.fakes import FakeGateway, accepted, refused, unreachable

BOTH = {"twilio": "+15005550006", "http": "+15005550007"}
FAST = Pace(rate=100_000, lease_seconds=60)


def know(session, gateway: str, country: str = EVERYWHERE, **facts: object) -> None:
    """Write a row of the table as an administrator's edit would leave it."""
    values = {
        "is_usable": True,
        "sender_kind": SenderKind.NUMBER,
        "is_two_way": True,
        "allows_links": True,
        "receipts_believable": True,
    }
    session.merge(
        GatewayCapability(gateway=gateway, country=country, source="test", as_of=date(2026, 11, 21), **(values | facts))
    )
    session.commit()


def refuse(session, gateway: str, country: str | None = None) -> None:
    """The gateway refuses a country, or the account, for five minutes."""
    if country:
        session.execute(
            text("insert into country_pauses values (:g, :c, '21408', 1, now() + interval '5 minutes')"),
            {"g": gateway, "c": country},
        )
    else:
        session.execute(
            text("""insert into senders (gateway, next_free_at, paused_until, pause_reason)
                values (:g, now(), now() + interval '1 minute', 'account_refused:20003')
                on conflict (gateway) do update set paused_until = excluded.paused_until,
                    pause_reason = excluded.pause_reason"""),
            {"g": gateway},
        )
    session.commit()


def bind(session, seconds_ago: int = 0) -> None:
    """The connection to the SMSC last stood so long ago."""
    session.execute(
        text("""insert into heartbeats (task, ran_at, done_at)
            values ('smpp', now() - :age * interval '1 second', now() - :age * interval '1 second')
            on conflict (task) do update set done_at = excluded.done_at"""),
        {"age": seconds_ago},
    )
    session.commit()


def send(gateway: FakeGateway, book: TextBook | None = None) -> int:
    book = book or TextBook("https://consular.test", Ways(BOTH).of)
    return drain(gateway, book, FAST, "worker-1", 20, lambda: False)


def by_gateway(session, where: str = "true") -> dict[str, int]:
    return dict(map(tuple, rows(session, f"select gateway, count(*) from messages where {where} group by 1")))


def best(session, countries, needs=Needs(), gateways=BOTH, status=AlertStatus.ACTUAL):  # noqa: B008 - frozen
    return {c: choice.best for c, choice in routes_for(session, status, gateways, needs, countries).items()}


# choosing


def test_each_country_by_capability_then_health_then_the_order(session):
    know(session, "twilio", "IR", is_usable=False)
    know(session, "http", receipts_believable=True)
    refuse(session, "twilio", "LY")
    assert best(session, ["LY", "TN", "IR", None]) == {"LY": "http", "TN": "twilio", "IR": "http", None: "twilio"}
    refuse(session, "twilio")
    assert best(session, ["TN", None]) == {"TN": "http", None: "http"}
    assert best(session, ["LY"], gateways={"twilio": ""}) == {"LY": "twilio"}, "stands still, but is the only one"
    assert best(session, ["IR"], gateways={"twilio": ""}) == {"IR": None}


def test_a_refusal_that_is_just_over_makes_the_other_come_first(session):
    know(session, "http", receipts_believable=True)
    refuse(session, "twilio", "LY")
    session.execute(text("update country_pauses set paused_until = now() - interval '1 minute'"))
    assert best(session, ["LY", "TN"]) == {"LY": "http", "TN": "twilio"}
    session.execute(text("update country_pauses set paused_until = now() - interval '11 minutes'"))
    assert best(session, ["LY"]) == {"LY": "twilio"}


@pytest.mark.parametrize(
    "gateways", [BOTH, {**BOTH, "exercise": ""}, {"exercise": ""}], ids=["real", "all", "practice"]
)
def test_an_exercise_has_the_practice_gateway_or_none(session, gateways):
    found = best(session, ["LY", None], gateways=gateways, status=AlertStatus.EXERCISE)
    assert set(found.values()) == {"exercise" if "exercise" in gateways else None}
    real = best(session, ["LY", None], gateways=gateways)
    assert "exercise" not in real.values()


def test_fan_out_gives_each_row_the_gateway_of_its_country(session):
    make_people(session, [phone(1), phone(2)], phone_country="LY")
    make_people(session, ["+21620000001"], phone_country="TN")
    make_people(session, ["+989120000001", "+989120000002"], phone_country="IR")
    index = cipher.index(phone(2), "phone")
    session.execute(text("update contact_points set country = null where value_index = :i"), {"i": index})
    crisis = make_crisis(session, AlertStatus.ACTUAL)
    event = make_event(session, crisis, status=AlertStatus.ACTUAL)
    asked: list[dict[str | None, int]] = []

    def route(phones):
        asked.append(dict(phones))
        return {"LY": "http", "TN": "smpp", "IR": None, None: "twilio"}

    dispatch.choose_people(session, EVERYBODY_IN_LIBYA, utc_now())
    count = dispatch.fan_out(session, event, route)
    assert asked == [{"LY": 1, None: 1, "TN": 1, "IR": 2}]
    assert (count.people, count.messages, count.excluded) == (5, 3, 2)
    assert count.gateways == {"twilio", "http", "smpp"}
    found = rows(session, "select country, gateway from messages")
    assert {tuple(row) for row in found} == {("LY", "http"), (None, "twilio"), ("TN", "smpp")}
    reasons = Counter(row.exclusion for row in rows(session, "select exclusion from recipients"))
    assert reasons == {None: 3, "no_gateway": 2}
    assert {k: v for k, v in counters.read(crisis).items() if v} == counters.recount_crisis(crisis)


def test_an_approved_alert_goes_country_by_country_and_names_who_gets_nothing(session):
    bind(session)
    world = AlertWorld(session, AlertStatus.ACTUAL)
    people(session, ["en"], country="IR")
    session.execute(text("update stays set country = 'LY'"))
    know(session, "twilio", "IR", is_usable=False)
    refuse(session, "twilio", "LY")
    alert_id = world.drafted()
    alerts.submit(alert_id, world.author, utc_now(), gateways={"twilio": "+15005550006", "smpp": "12345"})
    know(session, "smpp", "IR", is_usable=False)
    world.approve(alert_id, count=5, typed_count=5, gateways={"twilio": "+15005550006", "smpp": "12345"})
    assert by_gateway(session) == {"smpp": 4}
    assert rows(session, "select exclusion from recipients where exclusion is not null") == [("no_gateway",)]


# what a text says


@pytest.mark.parametrize(
    ("facts", "has_reply", "has_link"),
    [
        ({}, True, True),
        ({"is_two_way": False}, False, True),
        ({"allows_links": False}, True, False),
        ({"is_two_way": False, "allows_links": False}, False, False),
    ],
    ids=["both", "one-way", "links are filtered", "neither"],
)
def test_a_text_says_only_what_is_true_of_its_way(session, facts, has_reply, has_link):
    know(session, "twilio", "LY", **facts)
    make_people(session, [phone(1)], phone_country="LY")
    make_people(session, ["+21620000001"], phone_country="TN")
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    gateway = FakeGateway("twilio")
    assert send(gateway) == 2
    bodies = {request.to: request.body for request in gateway.taken}
    assert "Reply 1" in bodies["+21620000001"]
    assert "https://consular.test/s/" in bodies["+21620000001"]
    assert ("Reply" in bodies[phone(1)], "https://" in bodies[phone(1)]) == (has_reply, has_link)
    assert all("\nRef " in body and "QQQQQQ" not in body for body in bodies.values())


def test_a_name_as_sender_takes_no_replies_whatever_the_table_says(session):
    know(session, "twilio", "LY")
    make_people(session, [phone(1)], phone_country="LY")
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    gateway = FakeGateway("twilio")
    send(gateway, TextBook("https://consular.test", Ways({"twilio": "Embassy"}).of))
    assert "Reply" not in gateway.taken[0].body
    assert "Tell us how you are: https://consular.test/s/" in gateway.taken[0].body


# refusals


def test_an_alert_that_nobody_could_answer_is_neither_submitted_nor_released(session):
    world = AlertWorld(session, AlertStatus.ACTUAL)
    alert_id = world.drafted()
    alerts.submit(alert_id, world.author, utc_now(), gateways=BOTH)
    for gateway in ACTUAL_GATEWAYS:
        know(session, gateway, "LY", is_two_way=False, allows_links=False)
    with pytest.raises(ConflictError, match=r"phone of Libya could answer.*without asking for a reply"):
        world.approve(alert_id, typed_count=4, gateways=BOTH)
    assert states(session) == {}
    alerts.withdraw(alert_id, world.author, utc_now())
    with pytest.raises(ConflictError, match="phone of Libya could answer"):
        alerts.submit(alert_id, world.author, utc_now(), gateways=BOTH)
    silent = world.drafted(asks_for_reply=False)
    alerts.submit(silent, world.author, utc_now(), gateways=BOTH)
    world.approve(silent, typed_count=4, gateways=BOTH)
    assert states(session) == {"queued": 4}


def test_an_address_in_the_text_is_refused_where_it_would_be_lost(session):
    know(session, "twilio", "LY", allows_links=False)
    world = AlertWorld(session, AlertStatus.ACTUAL)
    words = {"en": type(DRAFT.words["en"])("Go", "Read https://embassy.example/exit now.")}
    alert_id = world.drafted(words=words)
    with pytest.raises(ConflictError, match="Take the address out"):
        alerts.submit(alert_id, world.author, utc_now(), gateways={"twilio": ""})
    alerts.submit(alert_id, world.author, utc_now(), gateways=BOTH)
    world.approve(alert_id, typed_count=4, gateways=BOTH)
    assert by_gateway(session) == {"http": 4}


@pytest.mark.parametrize(
    ("status", "gateways", "cure"),
    [
        (AlertStatus.ACTUAL, {"exercise"}, "TWILIO_.*SMPP_.*HTTP_GATEWAY_"),
        (AlertStatus.EXERCISE, {"twilio", "smpp", "http"}, "EXERCISE_GATEWAY_"),
    ],
)
def test_without_a_gateway_the_refusal_names_what_to_set(session, status, gateways, cure):
    world = AlertWorld(session, status)
    alert_id = world.drafted()
    with pytest.raises(ConflictError, match=cure):
        alerts.submit(alert_id, world.author, utc_now(), gateways=gateways)


@pytest.mark.parametrize("gateway", ACTUAL_GATEWAYS)
def test_any_real_gateway_is_enough_for_a_real_alert(session, gateway):
    world = AlertWorld(session, AlertStatus.ACTUAL)
    alert_id = world.drafted()
    alerts.submit(alert_id, world.author, utc_now(), gateways={gateway})
    world.approve(alert_id, typed_count=4, gateways={gateway})
    assert by_gateway(session) == {gateway: 4}


# moving on


@pytest.mark.parametrize(
    ("code", "scope"), [("21408", RefusalScope.COUNTRY), ("20003", RefusalScope.ACCOUNT)], ids=["country", "account"]
)
def test_what_one_gateway_refuses_goes_out_once_by_the_other(session, code, scope):
    make_people(session, [phone(n) for n in range(1, 1501)])
    event_id = issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    first = FakeGateway("twilio", concurrency=200, answer=refused(code, scope))
    second = FakeGateway("http", concurrency=200)
    send(first)
    assert 1 <= len(first.submitted) <= 20
    assert states(session) == {"queued": 1500}
    assert reroute(BOTH, wakeups) == {"http": 1500}
    assert send(first) == 0
    assert send(second) == 1500
    assert states(session) == {"accepted": 1500}
    assert Counter(one.to for one in second.taken) == Counter(phone(n) for n in range(1, 1501))
    assert first.taken == []
    assert counters.read(event_id)["message:accepted"] == 1500
    assert {k: v for k, v in counters.read(event_id).items() if v} == counters.recount_event(event_id)


def test_a_refused_country_costs_few_requests_also_on_a_line_that_works(session):
    make_people(session, [phone(n) for n in range(1, 301)], phone_country="LY")
    make_people(session, [f"+3361234{n:04d}" for n in range(300)], phone_country="FR")
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()

    def answer(request):
        return refused("21408", RefusalScope.COUNTRY)(request) if request.to.startswith("+218") else accepted(request)

    gateway = FakeGateway("twilio", concurrency=200, answer=answer)
    send(gateway)
    assert sum(request.to.startswith("+218") for request in gateway.submitted) <= 20
    assert states(session) == {"queued": 300, "accepted": 300}


def test_what_waits_for_a_gateway_that_cannot_be_reached_goes_out_once_by_the_other(session):
    make_people(session, [phone(1), phone(2)])
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    first, second = FakeGateway("twilio", answer=unreachable), FakeGateway("http")
    send(first)
    assert reroute(BOTH, wakeups) == {}, "it may be chance"
    open_again(session)
    send(first)
    assert reroute(BOTH, wakeups) == {"http": 2}
    assert best(session, ["LY"]) == {"LY": "http"}
    assert send(second) == 2
    assert states(session) == {"accepted": 2}
    assert first.taken == []


def test_a_gateway_that_is_reached_again_is_trusted_again(session):
    make_people(session, [phone(n) for n in range(1, 5)])
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    gateway = FakeGateway("twilio", answer=unreachable)
    send(gateway)
    open_again(session)
    gateway.answer = accepted
    send(gateway)
    assert rows(session, "select pause_reason from senders") == [(None,)]
    assert states(session) == {"accepted": 4}


def open_again(session) -> None:
    """The pause, and the waits of the rows that it stopped, are over."""
    session.execute(text("update senders set paused_until = now() - interval '1 second'"))
    set_messages(session, "not_before = now()", "state = 'queued'")


def waiting_at_twilio(session, count: int = 4, **event: object) -> None:
    """Texts of a real alert that wait at twilio, which refuses the country."""
    make_people(session, [phone(n + 1) for n in range(count)])
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL, **event)
    refuse(session, "twilio", "LY")


def test_only_the_refused_country_moves(session):
    make_people(session, ["+21620000001"], phone_country="TN")
    waiting_at_twilio(session)
    assert reroute(BOTH, wakeups) == {"http": 4}
    assert by_gateway(session, "country = 'LY'") == {"http": 4}
    assert by_gateway(session, "country = 'TN'") == {"twilio": 1}
    assert reroute(BOTH, wakeups) == {}


@pytest.mark.parametrize("country", ["LY", None])
def test_a_gateway_that_is_not_configured_any_more_loses_all_its_texts(session, country):
    make_people(session, 3, phone_country="LY")
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    set_messages(session, "country = :country", country=country)
    assert reroute({"http": ""}, wakeups) == {"http": 3}
    assert by_gateway(session) == {"http": 3}


@pytest.mark.parametrize(
    "state", ["claimed", "sending", "unknown", "held", "accepted", "delivered", "refused", "expired", "cancelled"]
)
def test_only_what_certainly_was_not_sent_moves(session, state):
    waiting_at_twilio(session)
    set_messages(session, f"state = '{state}'", "id % 2 = 0")
    assert reroute(BOTH, wakeups) == {"http": 2}
    assert by_gateway(session, f"state = '{state}'") == {"twilio": 2}


def test_a_repetition_of_what_may_have_left_stays(session):
    waiting_at_twilio(session)
    set_messages(session, "possible_duplicate = true")
    assert reroute(BOTH, wakeups) == {}


def test_what_waits_at_a_gateway_that_is_gone_and_fits_no_other_is_an_alarm(session):
    know(session, "http", "LY", is_two_way=False, allows_links=False)
    waiting_at_twilio(session)
    assert stranded(session, BOTH) == []
    assert reroute({"http": ""}, wakeups) == {}
    assert stranded(session, {"http"}) == [("twilio", "LY")]


def test_a_repetition_waits_for_no_gateway_that_is_gone(session):
    waiting_at_twilio(session)
    set_messages(session, "possible_duplicate = true")
    assert reroute({"http": ""}, wakeups) == {"http": 4}
    assert by_gateway(session, "possible_duplicate") == {"http": 4}


@pytest.mark.parametrize(
    ("facts", "event"),
    [
        ({"is_usable": False}, {}),
        ({"is_two_way": False, "allows_links": False}, {}),
        ({"allows_links": False}, {"texts": {"en": "See https://embassy.example/exit"}}),
    ],
    ids=["not usable", "nobody could answer", "the address would be lost"],
)
def test_nothing_moves_to_a_gateway_that_is_not_right(session, facts, event):
    know(session, "http", "LY", **facts)
    waiting_at_twilio(session, **event)
    assert reroute(BOTH, wakeups) == {}
    bind(session)
    assert reroute({**BOTH, "smpp": "12345"}, wakeups) == {"smpp": 4}


@pytest.mark.parametrize("stop", ["LY", None], ids=["country", "account"])
def test_nothing_moves_to_a_gateway_that_stands_still_too(session, stop):
    waiting_at_twilio(session)
    refuse(session, "http", stop)
    assert reroute(BOTH, wakeups) == {}
    assert by_gateway(session) == {"twilio": 4}


def test_what_waits_for_an_smsc_without_a_connection_goes_by_another(session):
    make_people(session, 3)
    bind(session)
    know(session, "smpp")
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'smpp'")
    both = {"smpp": "12345", "http": "+15005550007"}
    bind(session, 40)
    assert reroute(both, wakeups) == {}, "it may come back"
    assert best(session, ["LY", None], gateways=both) == {"LY": "smpp", None: "smpp"}
    bind(session, 50)
    assert best(session, ["LY", None], gateways=both) == {"LY": "http", None: "http"}
    assert reroute({"smpp": "12345"}, wakeups) == {}
    assert stranded(session, {"smpp"}) == [("smpp", "LY")]
    assert reroute(both, wakeups) == {"http": 3}
    assert by_gateway(session) == {"http": 3}


def test_an_smsc_that_was_never_reached_takes_nothing_from_others(session):
    both = {"smpp": "12345", "http": "+15005550007"}
    know(session, "smpp")
    assert best(session, ["LY"], gateways=both) == {"LY": "http"}
    assert best(session, ["LY"], gateways={"smpp": "12345"}) == {"LY": "smpp"}, "the only one"
    waiting_at_twilio(session)
    assert reroute({"twilio": "", "smpp": "12345"}, wakeups) == {}
    bind(session)
    assert reroute({"twilio": "", "smpp": "12345"}, wakeups) == {"smpp": 4}


def test_practice_never_moves_and_nothing_moves_to_practice(session):
    make_people(session, 3)
    issue(session, make_crisis(session))
    refuse(session, "exercise")
    assert reroute({**BOTH, "exercise": ""}, wakeups) == {}
    assert reroute(BOTH, wakeups) == {}
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    assert reroute({"exercise": ""}, wakeups) == {}
    assert by_gateway(session) == {"exercise": 3, "twilio": 3}


def test_a_stopped_alert_does_not_move(session):
    waiting_at_twilio(session)
    session.execute(text("update alert_events set stopped_at = now()"))
    session.commit()
    assert reroute(BOTH, wakeups) == {}


def test_a_table_edited_while_texts_wait_counts(session):
    make_people(session, 2)
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    assert reroute(BOTH, wakeups) == {}
    know(session, "twilio", "LY", is_usable=False)
    assert reroute(BOTH, wakeups) == {"http": 2}


def test_receipts_for_replies_stay_while_their_gateway_is_there_and_move_only_where_people_can_reply(session):
    from tests.services.test_inbound import hear, work

    make_people(session, [phone(1)])
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    session.commit()
    hear("1", gateway="twilio")
    work()
    refuse(session, "twilio")
    assert reroute(BOTH, wakeups) == {"http": 1}
    assert by_gateway(session, "kind = 'acknowledgement'") == {"twilio": 1}
    assert reroute({"http": "Embassy"}, wakeups) == {}
    assert reroute({"http": "+15005550007"}, wakeups) == {"http": 1}
    assert by_gateway(session) == {"http": 2}


def replies_to_twilio(session, *senders: str) -> None:
    """Nobody was alerted; each of these phones wrote to twilio, and its receipt waits."""
    from tests.services.test_inbound import hear, work

    for sender in senders:
        hear("1", sender=sender, gateway="twilio")
    work()


def answering(code: str) -> FakeGateway:
    """A gateway that refuses Libya as a whole and takes everything else."""

    def answer(request):
        return refused(code, RefusalScope.COUNTRY)(request) if request.to.startswith("+218") else accepted(request)

    return FakeGateway("twilio", concurrency=200, answer=answer)


@pytest.mark.parametrize("code", ["21408", "http-401"])
def test_receipts_for_replies_cost_a_refused_country_few_requests_and_wait(session, code):
    replies_to_twilio(session, *(phone(n) for n in range(1, 101)), *(f"+3361234{n:04d}" for n in range(20)))
    gateway = answering(code)
    send(gateway)
    tried = sum(request.to.startswith("+218") for request in gateway.submitted)
    assert 1 <= tried <= 20
    assert states(session) == {"queued": 100, "accepted": 20}
    (pause,) = rows(session, "select country, error_code from country_pauses")
    assert pause == ("LY", code)
    for _ in range(3):
        set_messages(session, "not_before = now()", "state = 'queued'")
        send(gateway)
    assert sum(request.to.startswith("+218") for request in gateway.submitted) == tried, "none while it is paused"


def test_a_refused_receipt_for_a_reply_keeps_alerts_back_and_the_reverse(session):
    replies_to_twilio(session, phone(1))
    gateway = answering("21408")
    send(gateway)
    assert len(gateway.submitted) == 1
    make_people(session, [phone(n) for n in range(1, 51)])
    issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'twilio', not_before = now()")
    send(gateway)
    assert len(gateway.submitted) == 1, "the pause is the country's, whatever was refused"
    assert reroute(BOTH, wakeups) == {"http": 51}


def test_the_receipt_for_a_stranger_whose_number_cannot_be_reached_keeps_no_alert_back(session):
    """Anybody can write to us under any number: what is refused to it says nothing of a country."""
    replies_to_twilio(session, phone(1))
    route = FakeGateway("twilio", answer=refused("21612", RefusalScope.ROUTE))
    for _ in range(8):
        send(route)
        set_messages(session, "not_before = now()", "state = 'queued'")
    assert len(route.submitted) == 8
    assert rows(session, "select 1 from country_pauses") == []
    assert states(session) == {"queued": 1}


def test_receipts_for_replies_of_a_refused_country_go_out_once_by_another_gateway(session):
    replies_to_twilio(session, phone(1), phone(2), "+33612340001", "+9991234567")
    refuse(session, "twilio", "LY")
    assert reroute(BOTH, wakeups) == {"http": 2}
    assert by_gateway(session, "country = 'LY'") == {"http": 2}
    assert reroute(BOTH, wakeups) == {}
    first, second = FakeGateway("twilio"), FakeGateway("http")
    assert (send(first), send(second)) == (2, 2)
    assert {one.to for one in second.taken} == {phone(1), phone(2)}
    assert states(session) == {"accepted": 4}


@pytest.mark.parametrize("way", [{"is_two_way": False}, {"is_usable": False}], ids=["no replies", "not usable"])
def test_a_receipt_for_a_reply_waits_where_no_other_gateway_takes_replies(session, way):
    know(session, "http", "LY", **way)
    replies_to_twilio(session, phone(1))
    refuse(session, "twilio", "LY")
    assert reroute(BOTH, wakeups) == {}
    assert send(FakeGateway("twilio")) == 0
    set_messages(session, "expires_at = now() - interval '1 second'")
    sweeping.sweep()
    assert states(session) == {"expired": 1}


def test_a_receipt_for_a_reply_stays_when_the_refusal_is_over_or_another_gateways(session):
    replies_to_twilio(session, phone(1))
    refuse(session, "http", "LY")
    assert reroute({**BOTH, "smpp": ""}, wakeups) == {}
    refuse(session, "twilio", "LY")
    session.execute(text("update country_pauses set paused_until = now() - interval '1 second'"))
    assert reroute(BOTH, wakeups) == {}
    assert by_gateway(session) == {"twilio": 1}


@pytest.mark.parametrize("state", ["claimed", "sending", "unknown", "held", "accepted"])
def test_only_receipts_for_replies_that_certainly_were_not_sent_move(session, state):
    replies_to_twilio(session, phone(1), phone(2))
    set_messages(session, f"state = '{state}'", "id = (select min(id) from messages)")
    refuse(session, "twilio", "LY")
    assert reroute(BOTH, wakeups) == {"http": 1}
    assert by_gateway(session, f"state = '{state}'") == {"twilio": 1}


def test_a_detour_on_which_nothing_moved_is_left_alone_for_a_while(session):
    quiet: Quiet = {}
    waiting_at_twilio(session, 2)
    set_messages(session, "country = 'TN'", "id = (select min(id) from messages)")
    assert reroute(BOTH, wakeups, quiet) == {"http": 1}
    assert reroute(BOTH, wakeups, quiet) == {}
    set_messages(session, "gateway = 'twilio'")
    assert reroute(BOTH, wakeups, quiet) == {}
    assert reroute(BOTH, wakeups, {}) == {"http": 1}


def test_many_texts_move_in_batches_the_most_urgent_first(session, monkeypatch):
    waiting_at_twilio(session, 30)
    urgent = message_ids(session)[-5:]
    set_messages(session, "priority = 3", "not id = any(:ids)", ids=urgent)
    monkeypatch.setattr(routing, "_BATCH", 4)
    monkeypatch.setattr(routing, "_MOST_BATCHES", 2)
    assert reroute(BOTH, wakeups) == {"http": 8}
    assert set(urgent) <= set(message_ids(session, "gateway = 'http'"))
    while reroute(BOTH, wakeups):
        pass
    assert by_gateway(session) == {"http": 30}


def test_what_has_no_other_way_is_an_alarm_until_it_has_one(session):
    waiting_at_twilio(session)
    assert stranded(session, BOTH) == []
    assert stranded(session, {"twilio"}) == [("twilio", "LY")]
    refuse(session, "http")
    refuse(session, "twilio")
    assert stranded(session, BOTH) == [("twilio", "LY")]
    report = look(Installation(frozenset(BOTH), None), utc_now())
    assert ("texts_stranded", "LY by twilio") in {(one.alarm.name, one.subject) for one in report.alarms}
    set_messages(session, "state = 'accepted'")
    assert stranded(session, BOTH) == []


# the table


def facts(**changes: object) -> dict[str, object]:
    return {
        "is_usable": True,
        "sender_kind": SenderKind.ALPHANUMERIC,
        "sender_note": None,
        "is_two_way": False,
        "allows_links": True,
        "receipts_believable": True,
        "rate": None,
        "cost_cents": None,
        "currency": None,
        "source": "operator's letter",
        "as_of": date(2026, 11, 1),
    } | changes


def test_an_edit_is_saved_once_against_what_was_seen(session):
    world = AlertWorld(session)
    save = {"officer_id": world.author, "now": datetime(2026, 11, 21, tzinfo=UTC)}
    assert capabilities.save(session, "http", "LY", facts(), seen_revision=0, **save)
    assert not capabilities.save(session, "http", "LY", facts(is_usable=False), seen_revision=0, **save)
    assert capabilities.save(session, "http", "LY", facts(rate=3.0), seen_revision=1, **save)
    assert not capabilities.save(session, "http", "LY", facts(is_usable=False), seen_revision=1, **save)
    row = capabilities.for_country(session, "LY")["http"]
    assert (row.is_usable, row.rate, row.revision, row.edited_by) == (True, 3.0, 2, world.author)


def test_a_release_renews_what_nobody_edited_and_nothing_else(session):
    world = AlertWorld(session)
    given = [{"gateway": "http", "country": code, **facts()} for code in ("LY", "TN")]
    assert capabilities.seed(session, given) == 2
    assert capabilities.seed(session, given) == 0
    edit = facts(is_two_way=True)
    assert capabilities.save(
        session, "http", "LY", edit, seen_revision=1, officer_id=world.author, now=datetime.now(UTC)
    )
    capabilities.note_test(session, "http", "TN", "delivered", datetime(2026, 11, 20, tzinfo=UTC))
    assert capabilities.seed(session, [{**row, "allows_links": False} for row in given]) == 1
    found = {row.country: row for row in capabilities.all_rows(session)}
    assert (found["LY"].is_two_way, found["LY"].allows_links) == (True, True)
    assert (found["TN"].allows_links, found["TN"].last_test_result) == (False, "delivered")


def test_what_is_delivered_is_well_formed_and_says_where_from(session):
    assert seed_capabilities() > 0
    found = capabilities.all_rows(session)
    assert {row.gateway for row in found if row.country == EVERYWHERE} == {*ACTUAL_GATEWAYS, "exercise"}
    assert all(row.source and row.as_of <= date.today() for row in found)  # noqa: DTZ011
    assert seed_capabilities() == 0
