"""One alert whose frozen text cannot be read keeps back its own texts and nobody else's."""

from __future__ import annotations

import base64
import json
import time
from uuid import UUID

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from consular.clock import utc_now
from consular.domain.alerts import MessageClass
from consular.domain.cap import AlertStatus
from consular.extensions import cipher, db
from consular.models.alerts import AlertEvent
from consular.queries import board
from consular.queueing import Wakeups
from consular.services import operations, routing, sweeping, texts
from consular.services.delivery import Pace, drain
from consular.services.operations import Installation
from consular.services.texts import TextBook
from tests.factories import (
    TEXTS,
    alert_everybody,
    issue,
    make_crisis,
    make_people,
    phone,
    rows,
    set_messages,
    states,
)
from tests.fakes import FakeGateway, lost
from tests.services.test_routing import know

FAST = Pace(rate=100_000, lease_seconds=60)
UNTOUCHED = [("queued", 0, 0, None, None)]
"""State, tries, deaths, error and worker of every text that was never in hand."""


def sealed(content: object, event_id: UUID) -> bytes:
    return cipher.seal(json.dumps(content), "alert_events.content", event_id)


DAMAGES = {
    "not sealed": lambda event_id: b"\x00",
    "empty": lambda event_id: b"",
    "cut off within the nonce": lambda event_id: sealed({}, event_id)[:14],
    "cut off": lambda event_id: sealed({"texts": {"en": {"text": "Stay indoors."}}}, event_id)[:-3],
    "another row's": lambda event_id: sealed({"texts": {"en": {"text": "Stay indoors."}}}, UUID(int=7)),
    "another key's": lambda event_id: b"\x01\x02k9" + bytes(60),
    "no JSON": lambda event_id: cipher.seal("{", "alert_events.content", event_id),
    "no object": lambda event_id: sealed([], event_id),
    "no texts": lambda event_id: sealed({"texts": {}}, event_id),
    "texts are no object": lambda event_id: sealed({"texts": "Stay"}, event_id),
    "words are no object": lambda event_id: sealed({"texts": {"en": "Stay"}}, event_id),
    "no words": lambda event_id: sealed({"texts": {"en": {"headline": "Alert"}}}, event_id),
    "words are a number": lambda event_id: sealed({"texts": {"en": {"text": 1}}}, event_id),
    "not in the default language": lambda event_id: sealed({"texts": {"fr": {"text": "Restez."}}}, event_id),
}


def write(event_id: UUID, content: bytes) -> None:
    db.session.execute(
        text("update alert_events set content_sealed = :c where id = :id"), {"c": content, "id": event_id}
    )
    db.session.commit()


def damage(event_id: UUID, kind: str = "not sealed") -> None:
    write(event_id, DAMAGES[kind](event_id))


def mend(event_id: UUID) -> None:
    write(event_id, sealed({"texts": {tag: {"text": words} for tag, words in TEXTS.items()}}, event_id))


def send(gateway: FakeGateway, book: TextBook | None = None, pace: Pace = FAST, seconds: float = 10) -> int:
    return drain(gateway, book or TextBook("https://consular.test"), pace, "worker-1", seconds, lambda: False)


def two_alerts(session, people: int = 20) -> tuple[UUID, UUID]:
    """A life-safety alert, first in the queue, and a normal one, to the same people."""
    make_people(session, people)
    crisis = make_crisis(session)
    first = issue(session, crisis, message_class=MessageClass.LIFE_SAFETY)
    second = issue(session, crisis, message_class=MessageClass.NORMAL)
    session.commit()
    return first, second


def hand(session, event_id: UUID) -> object:
    """What the workers' hands left on an event's texts."""
    columns = "state, tries, deaths, error_code, worker"
    return rows(session, f"select distinct {columns} from messages where event_id = :event", event=event_id)


@pytest.mark.parametrize("kind", DAMAGES)
def test_the_texts_of_healthy_alerts_go_and_those_of_the_damaged_one_wait(session, kind):
    damaged, healthy = two_alerts(session)
    damage(damaged, kind)
    gateway = FakeGateway()
    assert send(gateway) == 20
    assert states(session, healthy) == {"accepted": 20}
    assert {request.to for request in gateway.taken} == {phone(n + 1) for n in range(20)}
    assert hand(session, damaged) == UNTOUCHED


def test_nothing_is_claimed_from_it_again_and_again(session, monkeypatch):
    damaged, _ = two_alerts(session)
    damage(damaged)
    set_messages(session, "updated_at = now() - interval '1 hour'")
    book, opened = TextBook("https://consular.test"), []
    open_ = cipher.open
    monkeypatch.setattr(cipher, "open", lambda *args: opened.append(args[1]) or open_(*args))
    with capture_logs() as logs:
        for _ in range(5):
            send(FakeGateway(), book)
    assert opened.count("alert_events.content") == 2
    [line] = [one for one in logs if one["event"] == "event_unreadable"]
    assert line.keys() == {"event", "event_id", "reason", "log_level"}
    assert line["event_id"] == str(damaged)
    touched = "select count(*) from messages where event_id = :event and updated_at > now() - interval '1 minute'"
    assert rows(session, touched, event=damaged) == [(0,)]


def test_a_mended_event_goes_on_by_itself(session, monkeypatch):
    monkeypatch.setattr(texts, "_READ_AGAIN_SECONDS", 0.0)
    damaged, _ = two_alerts(session)
    damage(damaged)
    book, gateway = TextBook("https://consular.test"), FakeGateway()
    assert (send(gateway, book), send(gateway, book)) == (20, 0)
    mend(damaged)
    assert send(gateway, book) == 20
    assert states(session, damaged) == {"accepted": 20}
    assert len({request.attempt_id for request in gateway.taken}) == 40


def test_it_is_left_to_a_process_that_has_its_key(session, config):
    sealed_with_new_key, _ = two_alerts(session)
    both = f"k9={base64.b64encode(bytes(32)).decode()},{config.keys}"
    try:
        cipher.configure(both)
        mend(sealed_with_new_key)
        cipher.configure(config.keys)
        assert send(FakeGateway()) == 20
        assert hand(session, sealed_with_new_key) == UNTOUCHED
        cipher.configure(both)
        assert send(FakeGateway()) == 20
    finally:
        cipher.configure(config.keys)
    assert states(session) == {"accepted": 40}


NO_COUNTRIES = ["null", "5", "true", '"LY"', "[1]", "[null]", "[{}]", '{"LY": 1}']


def damage_countries(event_id: UUID, value: str) -> None:
    statement = "update alert_events set accepts_no_answer_from = cast(:value as jsonb) where id = :id"
    db.session.execute(text(statement), {"value": value, "id": event_id})
    db.session.commit()


@pytest.mark.parametrize("value", NO_COUNTRIES)
def test_countries_that_are_no_list_keep_nobody_back(session, value):
    damaged, healthy = two_alerts(session)
    damage_countries(damaged, value)
    assert send(FakeGateway()) == 20
    assert states(session, healthy) == {"accepted": 20}
    assert hand(session, damaged) == UNTOUCHED
    assert [waiting for _, waiting in unreadable()] == [20]


@pytest.mark.parametrize("value", NO_COUNTRIES)
def test_the_clock_outlives_countries_that_are_no_list(session, value):
    damage_countries(alert_everybody(session, 3, status=AlertStatus.ACTUAL), value)
    know(session, "http", "LY")
    assert routing.reroute({"http"}, Wakeups()) == {"http": 3}


@pytest.mark.parametrize("value", ["null", "5", "true", '"LY"', '{"LY": 1}'])
def test_the_board_of_its_crisis_still_stands(session, value):
    event_id = alert_everybody(session, 3)
    damage_countries(event_id, value)
    crisis = board.find_crisis(session.get_one(AlertEvent, event_id).crisis_id)
    seen = board.look(crisis)
    assert (seen.bucket(board.Bucket.WAITING), list(seen.unasked)) == (3, [])


def test_two_damaged_alerts_and_one_that_is_gone_keep_nobody_back(session):
    damaged, healthy = two_alerts(session)
    crisis = make_crisis(session)
    second, gone = issue(session, crisis), issue(session, crisis)
    session.commit()
    damage(damaged)
    damage(second, "no JSON")
    session.execute(text("delete from alert_events where id = :id"), {"id": gone})
    session.commit()
    assert send(FakeGateway()) == 20
    assert states(session, healthy) == {"accepted": 20}
    assert [hand(session, event_id) for event_id in (damaged, second, gone)] == [UNTOUCHED] * 3


def test_a_phone_that_cannot_be_read_still_stops_only_itself(session):
    damaged, healthy = two_alerts(session, 5)
    damage(damaged)
    session.execute(
        text("update contact_points set value_sealed = decode('0102', 'hex') where value_index = :index"),
        {"index": cipher.index(phone(3), "phone")},
    )
    session.commit()
    assert send(FakeGateway()) == 4
    assert states(session, healthy) == {"accepted": 4, "queued": 1}
    assert hand(session, damaged) == UNTOUCHED
    waits = "select error_code, deaths from messages where event_id = :event and not_before > now()"
    assert rows(session, waits, event=healthy) == [("unreadable", 0)]


def test_its_texts_end_with_its_time(session):
    damaged, _ = two_alerts(session)
    damage(damaged)
    send(FakeGateway())
    session.execute(text("update alert_events set expires_at = now() where id = :id"), {"id": damaged})
    set_messages(session, "expires_at = now()", "event_id = :id", id=damaged)
    sweeping.sweep()
    assert states(session, damaged) == {"expired": 20}


def test_texts_of_unknown_fate_are_settled_by_their_class(session):
    event_id, _ = two_alerts(session, 2)
    send(FakeGateway(answer=lost))
    damage(event_id)
    set_messages(session, "not_before = now(), sending_at = sending_at - interval '10 minutes'", "state = 'unknown'")
    gateway = FakeGateway()
    gateway.has_list = False
    sweeping.reconcile(gateway, TextBook("https://consular.test"))
    assert states(session, event_id) == {"queued": 2}
    set_messages(session, "not_before = now(), state = 'unknown', sending_at = sending_at - interval '1 day'")
    gateway.has_list, gateway.list_error = True, True
    assert sweeping.reconcile(gateway, TextBook("https://consular.test")) != {}


@pytest.mark.parametrize("kind", DAMAGES)
def test_the_clock_still_moves_texts_to_other_gateways(session, kind):
    event_id = alert_everybody(session, 3, status=AlertStatus.ACTUAL)
    damage(event_id, kind)
    assert routing.reroute({"http"}, Wakeups()) == {"http": 3}


def test_its_alarm_names_the_alert_and_how_many_wait(session):
    damaged, _ = two_alerts(session)
    assert unreadable() == []
    damage(damaged)
    [alert_id] = session.execute(text("select alert_id from alert_events where id = :id"), {"id": damaged}).scalars()
    assert unreadable() == [(str(alert_id), 20)]
    session.get_one(AlertEvent, damaged).stopped_at = utc_now()
    session.commit()
    assert unreadable() == []


def unreadable() -> list[tuple[str, float]]:
    found = operations.look(Installation(frozenset({"exercise"}), None), utc_now()).alarms
    return [(one.subject, one.value) for one in found if one.alarm.name == "alert_unreadable"]


@pytest.mark.slow
def test_eighteen_thousand_waiting_texts_leave_the_others_the_whole_rate(committing):
    damaged, healthy = two_alerts(db.session, 18_000)
    set_messages(db.session, "not_before = now() + interval '1 day'", "event_id = :id and id % 30 <> 0", id=healthy)
    damage(damaged)
    db.session.execute(text("analyze messages"))
    db.session.commit()
    gateway = FakeGateway()
    started = time.monotonic()
    assert send(gateway, pace=Pace(rate=100, lease_seconds=60), seconds=20) == 600
    assert time.monotonic() - started < 600 / 100 + 2
    assert states(db.session, healthy)["accepted"] == 600
    assert hand(db.session, damaged) == UNTOUCHED
