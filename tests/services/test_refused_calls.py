"""Refused calls are counted by all processes together, cost a flooded service little, and raise an alarm."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from consular.clock import utc_now
from consular.domain.alarms import ALARMS
from consular.extensions import db
from consular.queries import operations as queries
from consular.services.operations import Installation, look
from consular.services.refused_calls import RefusedCalls
from tests.factories import rows

HERE = Installation(frozenset(), None)
NOW = datetime.fromisoformat("2026-03-01T03:05:00+00:00")


def counted() -> dict[str, tuple[int, int]]:
    return queries.refused_calls(utc_now())


def forged(now: datetime) -> list[tuple[str, float]]:
    return [(one.subject, one.value) for one in look(HERE, now).alarms if one.alarm.name == "webhooks_forged"]


def test_the_first_calls_are_written_at_once(session):
    calls = RefusedCalls(lambda: 0.0)
    for door in ("twilio", "http", "twilio"):
        calls.note(door)
    assert counted() == {"twilio": (2, 2), "http": (1, 1)}


def test_a_flood_is_written_once_a_second_and_no_call_is_lost(session):
    seconds = 0.0
    calls = RefusedCalls(lambda: seconds)
    for _ in range(1000):
        calls.note("twilio")
    assert counted() == {"twilio": (10, 10)}
    seconds = 0.9
    calls.note("twilio")
    assert counted() == {"twilio": (10, 10)}
    seconds = 1.0
    calls.note("twilio")
    assert counted() == {"twilio": (1002, 1002)}
    assert len(rows(session, "select * from counters")) == 2


def test_calls_of_several_processes_add_up(committing):
    processes = [RefusedCalls() for _ in range(4)]

    def work(calls: RefusedCalls) -> None:
        with committing.app_context():
            for _ in range(25):
                calls.note("twilio")
            calls.flush()

    threads = [threading.Thread(target=work, args=(calls,)) for calls in processes for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counted() == {"twilio": (200, 200)}


def test_a_database_that_is_away_delays_the_count_and_raises_nothing(session, monkeypatch):
    calls = RefusedCalls()

    def gone(*_):
        raise OperationalError("insert", {}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(db.session, "execute", gone)
        calls.note("http")
    assert counted() == {}
    calls.note("http")
    assert counted() == {"http": (2, 2)}


@pytest.mark.parametrize(
    ("number", "minutes", "raised"),
    [(5, 0, []), (6, 0, [("twilio", 6)]), (6, 45, [("twilio", 6)]), (6, 66, [])],
    ids=["few", "more", "still within the hour", "over"],
)
def test_the_alarm_is_raised_above_five_in_an_hour(session, number, minutes, raised):
    queries.count_refused(session, "twilio", number, NOW)
    session.commit()
    assert forged(NOW + timedelta(minutes=minutes)) == raised
    assert queries.refused_calls(NOW + timedelta(days=1)) == {"twilio": (number, 0)}
    assert ALARMS["webhooks_forged"].is_urgent


def test_a_year_of_attacks_fills_nothing(session):
    for hours in range(0, 24 * 365, 97):
        for minutes in (0, 25, 50):
            queries.count_refused(session, "http", 1, NOW + timedelta(hours=hours, minutes=minutes))
    assert session.execute(text("select count(*) from counters")).scalar_one() <= 8


def test_nothing_that_the_board_counts_is_touched(session):
    queries.count_refused(session, "twilio", 9, NOW)
    assert queries.messages_by_state() == {}
