"""The figures of the service are true, and what is wrong raises exactly its alarm, with its beginning."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import text
from structlog.testing import capture_logs

from consular.clock import utc_now
from consular.domain.alarms import ALARMS
from consular.extensions import db
from consular.queueing import connect, open_queue
from consular.services import operations
from consular.services.operations import Installation, Line, look, watch
from consular.workforce import alive_workers
from tests.factories import alert_everybody, make_crisis, rows

NOW = utc_now()
NO_REDIS = Installation(frozenset({"exercise"}), None)
SILENT_REDIS = Installation(frozenset({"exercise"}), "redis://127.0.0.1:9/0")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def do(statement: str, **values: object) -> None:
    db.session.execute(text(statement), values)
    db.session.commit()


def alarms(installation: Installation = NO_REDIS, now: datetime = NOW) -> dict[tuple[str, str], datetime]:
    return {(one.alarm.name, one.subject): one.since for one in look(installation, now).alarms}


def line(installation: Installation = NO_REDIS) -> Line:
    state = look(installation, NOW).state
    assert state is not None
    (found,) = [one for one in state.lines if one.gateway == "exercise"]
    return found


@pytest.fixture
def calm(session):
    """Three texts accepted, a clock that ticks."""
    alert_everybody(session, 3)
    do("update messages set state = 'accepted', not_before = :at", at=ago(3600))
    do("insert into senders (gateway, next_free_at) values ('exercise', :at)", at=ago(3000))
    operations.beat(operations.CLOCK, NOW)
    return session


def test_nothing_is_wrong_on_a_calm_day(calm):
    report = look(NO_REDIS, NOW)
    assert report.alarms == []
    assert report.state is not None
    assert (report.state.texts.number, report.state.receipts.number, report.state.workers) == (0, 0, None)
    assert line() == Line("exercise", free_at=ago(3000))


def test_an_empty_installation_is_calm(session):
    assert look(Installation(frozenset(), None), NOW).alarms == []


TEXT = """insert into inbound_messages (id, gateway, provider_message_id, path, sender_sealed, sender_index,
body_sealed, raw_sealed, received_at, processed_at) values (gen_random_uuid(), 'exercise', 'SM1', '{}', '', '', '', '',
:at, {})"""
QUEUED = "update messages set state = 'queued'"
SITUATIONS = {
    "clock silent": (
        [("update heartbeats set done_at = :at", 60)],
        ("clock_silent", ""),
        60,
    ),
    "due and nobody sends": ([(QUEUED, 0)], ("messages_waiting", "exercise"), 3000),
    "due just now": ([(QUEUED + ", not_before = :at", 30)], None, 0),
    "due and somebody sends": ([(QUEUED, 0), ("update senders set next_free_at = :at", 5)], None, 0),
    "not due": ([(QUEUED + ", not_before = :at", -30)], None, 0),
    "expired": ([(QUEUED + ", expires_at = :at", 5)], None, 0),
    "account refused": (
        [(QUEUED, 0), ("update senders set paused_until = :at, pause_reason = 'account_refused:20003'", -50)],
        ("account_refused", "exercise"),
        0,
    ),
    "throttled": (
        [("update senders set paused_until = :at, pause_reason = 'throttled'", -9)],
        ("sender_throttled", "exercise"),
        0,
    ),
    "throttled a little": ([("update senders set paused_until = :at, pause_reason = 'throttled'", -2)], None, 0),
    "gateway leaves requests without an answer": (
        [(QUEUED, 0), ("update senders set paused_until = :at, pause_reason = 'no_answer'", -50)],
        ("gateway_silent", "exercise"),
        0,
    ),
    "gateway cannot be reached": (
        [(QUEUED, 0), ("update senders set paused_until = :at, pause_reason = 'unreachable'", -8)],
        ("gateway_silent", "exercise"),
        0,
    ),
    "gateway is tried again with one text": (
        [("update senders set paused_until = :at, pause_reason = 'unreachable'", 15)],
        ("gateway_silent", "exercise"),
        0,
    ),
    "gateway was silent": ([("update senders set paused_until = :at, pause_reason = 'unreachable'", 25)], None, 0),
    "no connection for a moment": (
        [("update senders set paused_until = :at, pause_reason = 'not_connected'", -9)],
        None,
        0,
    ),
    "no connection, again and again": (
        [(QUEUED, 0), ("update senders set paused_until = :at, pause_reason = 'not_connected'", -9)],
        ("messages_waiting", "exercise"),
        3000,
    ),
    "pause is over": ([("update senders set paused_until = :at, pause_reason = 'account_refused:x'", 2)], None, 0),
    "country refused": (
        [
            (QUEUED, 0),
            (
                """insert into country_pauses (gateway, country, error_code, refusals, paused_until)
                values ('exercise', 'LY', '21408', 12, :at)""",
                -60,
            ),
        ],
        ("country_refused", "LY by exercise"),
        0,
    ),
    "refused and no other gateway": (
        [(QUEUED + ", gateway = 'twilio'", 0)],
        ("texts_stranded", "LY by twilio"),
        0,
    ),
    "unknown for long": (
        [("update messages set state = 'unknown', sending_at = :at", 400)],
        ("fate_unknown", "exercise"),
        400,
    ),
    "unknown": ([("update messages set state = 'unknown', sending_at = :at", 200)], None, 0),
    "restored copy": (
        [
            (
                """insert into database_home (id, timeline, database_oid, table_oid, known_since, closed_at)
                values (1, 1, 1, 1, :at, :at)""",
                45,
            )
        ],
        ("restored", ""),
        45,
    ),
    "held": ([("update messages set state = 'held', updated_at = :at", 77)], ("messages_held", "exercise"), 77),
    "lease over": (
        [("update messages set state = 'sending', lease_until = :at", 20)],
        ("leases_stalled", "exercise"),
        20,
    ),
    "lease of a claimed text over": (
        [("update messages set state = 'claimed', lease_until = :at", 20)],
        ("leases_stalled", "exercise"),
        20,
    ),
    "lease just over": ([("update messages set state = 'sending', lease_until = :at", 5)], None, 0),
    "text unread": (
        [
            (
                TEXT.format("webhook", "null"),
                31,
            )
        ],
        ("texts_unread", ""),
        31,
    ),
    "gap filled": (
        [
            (
                TEXT.format("poller", "now()"),
                1800,
            )
        ],
        ("texts_gap_filled", "exercise"),
        1800,
    ),
    "receipt waits": (
        [
            (
                """insert into receipt_events (id, gateway, provider_message_id, status, raw_sealed, received_at)
                values (gen_random_uuid(), 'exercise', 'SM1', 'sent', '', :at)""",
                301,
            )
        ],
        ("receipts_waiting", ""),
        301,
    ),
    "list not read": (
        [("insert into heartbeats (task, ran_at, failing_since) values ('gaps:exercise', now(), :at)", 200)],
        ("gaps_not_read", "exercise"),
        200,
    ),
    "list failed, but no crisis is open": (
        [
            ("insert into heartbeats (task, ran_at, failing_since) values ('gaps:exercise', now(), :at)", 200),
            ("update crises set closed_at = :at", 10),
        ],
        None,
        0,
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_wrong_raises_its_alarm_and_no_other(calm, situation):
    statements, expected, seconds = SITUATIONS[situation]
    for statement, age in statements:
        do(statement, **({"at": ago(age)} if ":at" in statement else {}))
    assert alarms() == ({expected: ago(seconds)} if expected else {})


@pytest.mark.parametrize(("seen", "expected"), [(5, "sender_throttled"), (40, "smpp_not_bound")])
def test_a_connection_that_is_down_is_not_taken_for_a_gateway_that_slows_us_down(calm, seen, expected):
    do("insert into heartbeats (task, ran_at, done_at) values ('smpp', :at, :at)", at=ago(seen))
    do(
        """insert into senders (gateway, next_free_at, paused_until, pause_reason)
        values ('smpp', :at, :at, 'throttled')""",
        at=ago(-9),
    )
    assert set(alarms(Installation(frozenset({"exercise", "smpp"}), None))) == {(expected, "smpp")}


def test_a_clock_that_never_ran_is_missed_once_there_is_work(session):
    assert alarms() == {}
    alert_everybody(session, 1)
    do("update messages set not_before = :at, created_at = :at", at=ago(1))
    assert set(alarms()) == {("clock_silent", "")}


def test_texts_of_a_paused_country_do_not_hide_the_others(calm):
    do(QUEUED)
    do("update messages set country = 'EG' where id = (select max(id) from messages)")
    do(
        """insert into country_pauses (gateway, country, error_code, refusals, paused_until)
        values ('exercise', 'LY', '21408', 12, :at)""",
        at=ago(-60),
    )
    assert set(alarms()) == {("country_refused", "LY by exercise"), ("messages_waiting", "exercise")}


def test_a_database_that_is_away_is_an_alarm_and_no_error(calm, monkeypatch):
    from sqlalchemy.exc import OperationalError

    def gone(*_):
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(db.session, "execute", gone)
    report = look(NO_REDIS, NOW)
    assert (report.state, [one.alarm.name for one in report.alarms]) == (None, ["database_unreachable"])


def test_a_redis_that_is_away_is_an_alarm(calm):
    assert set(alarms(SILENT_REDIS)) == {("redis_unreachable", "")}


def test_workers_are_counted_and_missed(calm, config):
    here = Installation(frozenset({"exercise"}), config.redis_url)
    with connect(config.redis_url) as connection:
        connection.flushall()
        missing = {("no_worker", queue) for queue in ("exercise", "inbound", "receipts", "social")}
        assert set(alarms(here)) == missing
        queue = open_queue("inbound", connection)
        worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
        worker.register_birth()
        assert alive_workers(config.redis_url)["inbound"] == 1
        assert set(alarms(here)) == missing - {("no_worker", "inbound")}
        connection.delete(worker.key)
        assert alive_workers(config.redis_url)["inbound"] == 0, "killed: its key ended, its name is still registered"
        assert connection.smembers(f"rq:workers:{queue.name}"), "looking cleans nothing"
        connection.flushall()


def test_the_watch_remembers_since_when_and_tells_the_log_once(calm):
    do("update senders set paused_until = :at, pause_reason = 'account_refused:20003'", at=ago(-600))
    with capture_logs() as logs:
        watch(NO_REDIS, NOW)
        watch(NO_REDIS, NOW + timedelta(seconds=5))
        operations.beat(operations.CLOCK, NOW + timedelta(seconds=60))
        assert alarms(now=NOW + timedelta(seconds=60)) == {("account_refused", "exercise"): NOW}
        do("update senders set paused_until = null")
        watch(NO_REDIS, NOW + timedelta(seconds=10))
        assert len(rows(db.session, "select * from standing_alarms")) == 1, "may come back within a minute"
        operations.beat(operations.CLOCK, NOW + timedelta(seconds=90))
        watch(NO_REDIS, NOW + timedelta(seconds=90))
    assert rows(db.session, "select * from standing_alarms") == []
    told = [(entry["event"], entry["alarm"], entry["subject"]) for entry in logs if entry["event"].startswith("alarm")]
    assert told == [("alarm_raised", "account_refused", "exercise"), ("alarm_over", "account_refused", "exercise")]


def test_every_alarm_can_be_raised(calm):
    reached = {expected[0] for _, expected, _ in SITUATIONS.values() if expected}
    elsewhere = {"database_unreachable", "redis_unreachable", "no_worker", "path_unproven", "smpp_not_bound"}
    elsewhere |= {"webhooks_forged", "alert_unreadable"}
    assert reached | elsewhere == set(ALARMS)


def test_figures_of_two_gateways_are_kept_apart(calm):
    make_crisis(calm)
    do(
        """update messages set state = 'unknown', gateway = 'twilio', sending_at = :at
        where id = (select min(id) from messages)""",
        at=ago(9),
    )
    do("update messages set state = 'held' where gateway = 'exercise'")
    state = look(NO_REDIS, NOW).state
    assert {(one.gateway, one.unknown.number, one.held.number) for one in state.lines} == {
        ("twilio", 1, 0),
        ("exercise", 0, 2),
    }
