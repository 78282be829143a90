"""Texts that webhooks missed are found in the gateway's list and kept once, whatever comes after them."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.ports import GatewayError, RemoteMessage
from consular.extensions import cipher
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings
from consular.services import gap_filling, inbound
from tests.conftest import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER
from tests.factories import alert_everybody, make_crisis, phone, rows
from tests.fakes import FakeGateway
from tests.workers.processes import practice_gateway

NOW = utc_now()


def listed(sid: str, body: str = "safe", minutes_ago: float = 5, number: int = 1) -> RemoteMessage:
    return RemoteMessage(
        sid, OUR_NUMBER, phone(number), body, "received", None, NOW - timedelta(minutes=minutes_ago), True
    )


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def stored(session) -> list[tuple[str, str]]:
    query = "select provider_message_id, path from inbound_messages order by received_at, provider_message_id"
    return [(row[0], row[1]) for row in rows(session, query)]


@pytest.fixture
def gateway(session) -> FakeGateway:
    crisis_id = make_crisis(session)
    session.execute(text("update crises set opened_at = :now where id = :id"), {"now": NOW, "id": crisis_id})
    session.commit()
    return FakeGateway()


def test_missing_texts_are_kept_and_known_ones_left_alone(session, gateway):
    inbound.store("exercise", "SM1", phone(1), "safe", [("Body", "safe")], NOW - timedelta(minutes=5))
    gateway.inbound = [listed("SM2", minutes_ago=4), listed("SM1"), listed("SM3", "a\0b ا🙏", 3)]
    assert gap_filling.watch(gateway, NOW) == 2
    assert stored(session) == [("SM1", "webhook"), ("SM2", "poller"), ("SM3", "poller")]
    row = rows(session, "select id, body_sealed, raw_sealed, received_at from inbound_messages where path = 'poller'")[
        1
    ]
    assert cipher.open(row.body_sealed, "inbound_messages.body", row.id) == "a\0b ا🙏"
    raw = dict(json.loads(cipher.open(row.raw_sealed, "inbound_messages.raw", row.id)))
    assert (raw["MessageSid"], raw["From"], raw["To"], raw["Body"]) == ("SM3", phone(1), OUR_NUMBER, "a\0b ا🙏")
    assert row.received_at == NOW - timedelta(minutes=3), "dated by the gateway"


def test_a_text_that_cannot_be_stored_keeps_no_other_back(session, gateway):
    gateway.inbound = [listed("S" * 65, minutes_ago=5), listed("SM2", "2", minutes_ago=4)]
    for minute in range(3):
        with pytest.raises(DataError):
            gap_filling.watch(gateway, later(minute * 2))
    assert stored(session) == [("SM2", "poller")]


def test_a_webhook_that_comes_after_all_makes_no_second_text(session, gateway):
    gateway.inbound = [listed("SM1")]
    gap_filling.watch(gateway, NOW)
    assert inbound.store("exercise", "SM1", phone(1), "safe", [("Body", "safe")], NOW) is False
    assert gap_filling.watch(gateway, later(2)) == 0
    assert stored(session) == [("SM1", "poller")]


def test_an_old_word_found_late_does_not_become_the_last_one(session):
    alert_everybody(session, 1)
    gateway = FakeGateway()
    inbound.store("exercise", "SM2", phone(1), "3", [("Body", "3")], NOW - timedelta(minutes=1))
    inbound.process()
    gateway.inbound = [listed("SM1", "safe", minutes_ago=9)]
    gap_filling.watch(gateway, NOW)
    inbound.process()
    assert rows(session, "select stated from person_statuses") == [("NOT_THERE",)]


def test_a_text_whose_webhook_may_still_come_is_left_to_the_next_look(session, gateway):
    gateway.inbound = [listed("SM1", minutes_ago=0.5)]
    assert gap_filling.watch(gateway, NOW) == 0
    assert gap_filling.watch(gateway, later(1)) == 1


def test_the_list_is_read_once_a_minute_from_ten_minutes_before_the_last_time(session, gateway):
    asked: list[datetime] = []
    gateway.list_inbound = lambda since: asked.append(since) or []  # type: ignore[method-assign]
    opened_at = rows(session, "select opened_at from crises")[0][0]
    assert [gap_filling.watch(gateway, later(minutes)) for minutes in (0, 0.5, 0.9, 1, 2)] == [0, None, None, 0, 0]
    assert asked == [moment - timedelta(minutes=10) for moment in (opened_at, opened_at, later(1))]


def test_nothing_is_asked_without_an_open_crisis_of_its_kind(session):
    gateway = FakeGateway()
    assert gap_filling.watch(gateway, NOW) is None
    make_crisis(session, AlertStatus.ACTUAL)
    session.commit()
    assert gap_filling.watch(gateway, NOW) is None
    assert gap_filling.watch(FakeGateway("twilio"), NOW) == 0
    session.execute(text("update crises set closed_at = now()"))
    session.commit()
    assert gap_filling.watch(FakeGateway("twilio"), later(5)) is None
    assert gateway.list_calls == 0


def test_a_list_that_does_not_answer_is_noted_and_read_from_where_it_ended(session, gateway):
    gap_filling.watch(gateway, NOW)
    gateway.list_error = True
    for minutes in (20, 40):
        assert gap_filling.watch(gateway, later(minutes)) == 0
    (beat,) = rows(session, "select * from heartbeats")
    assert (beat.task, beat.done_at, beat.failing_since) == ("gaps:exercise", NOW, later(20))
    assert beat.failure == "The gateway's list gave no answer."
    gateway.list_error = False
    gateway.inbound = [listed("SM1", minutes_ago=-1)]
    assert gap_filling.watch(gateway, later(60)) == 1
    (beat,) = rows(session, "select * from heartbeats")
    assert (beat.done_at, beat.failing_since, beat.failure) == (later(60), None, None)


def test_halves_of_characters_do_not_stop_the_others(session, gateway):
    gateway.inbound = [listed("SM1", "help \ud83d"), listed("SM2", minutes_ago=4)]
    assert gap_filling.watch(gateway, NOW) == 2
    row = rows(session, "select id, body_sealed from inbound_messages order by received_at")[0]
    assert cipher.open(row.body_sealed, "inbound_messages.body", row.id) == "help ?"


def test_webhooks_lost_at_the_practice_gateway_are_filled_once(session, tmp_path: Path):
    """The real adapter on a gateway whose webhooks reach nobody."""
    make_crisis(session)
    session.commit()
    with practice_gateway(tmp_path) as practice:
        for number, body in enumerate(["1", "2", "نجدة 🆘", "2"]):
            form = urllib.parse.urlencode({"From": phone(number), "To": OUR_NUMBER, "Body": body}).encode()
            urllib.request.urlopen(f"{practice.url}/_sim/texts", data=form).close()
        settings = TwilioSettings("exercise", practice.url, ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, is_exercise=True)
        real = TwilioGateway(settings, lambda attempt_id: "http://127.0.0.1:9/")
        try:
            soon = utc_now() + gap_filling.WEBHOOK_TIME + timedelta(seconds=2)
            assert gap_filling.watch(real, soon) == 4
            assert gap_filling.watch(real, soon + timedelta(minutes=1)) == 0
        finally:
            real.close()
    assert [path for _, path in stored(session)] == ["poller"] * 4
    while inbound.process():
        pass
    kinds = [row.kind for row in rows(session, "select kind from inbound_messages order by kind")]
    assert kinds == ["NEEDS_HELP", "NEEDS_HELP", "NEEDS_HELP", "SAFE"]


def test_a_gateway_that_is_gone_raises_and_keeps_nothing(session, gateway):
    gateway.list_error = True
    with pytest.raises(GatewayError):
        gap_filling.fill(gateway, NOW - timedelta(hours=1), NOW)
    assert stored(session) == []
