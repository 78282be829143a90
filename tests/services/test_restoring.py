"""Restored from a backup that was taken in mid-alert: nothing leaves by itself, and nobody is texted twice."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import make_url

from config import Config
from consular import create_app
from consular.clock import utc_now
from consular.domain.alerts import AlertAction
from consular.domain.cap import AlertStatus
from consular.domain.ports import GatewayError
from consular.embedded import EmbeddedServers, programs
from consular.errors import ConflictError
from consular.extensions import db
from consular.models.alerts import AlertEvent
from consular.providers.twilio.codes import failure_reason, map_status
from consular.queries import counters
from consular.queries import restoring as queries
from consular.queries.invariants import names, offenders
from consular.services import operations, restoring
from consular.services.delivery import Pace, drain
from consular.services.holding import Decision, send_again
from consular.services.operations import Installation
from consular.services.texts import TextBook
from tests.conftest import migrate
from tests.factories import issue, make_crisis, make_officer, make_people, message_ids, rows, set_messages, states
from tests.fakes import FakeGateway
from tests.social_world import accounts, approved, only_post
from tests.social_world import drain as social_drain
from tests.verified_world import decide

Way = Callable[[EmbeddedServers, Path], Iterator[str]]
PACE = Pace(rate=100_000, lease_seconds=60)
PEOPLE = 6
SENT_BEFORE, SENT_AFTER = 2, 2
"""Texts that had left when the backup was made, and that left after it: the copy knows nothing of the second."""


def send(gateway: FakeGateway) -> int:
    return drain(gateway, TextBook("https://consular.test"), PACE, "worker-1", 10, lambda: False)


def tool(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs, of the same version as the server."""
    path = programs.find().postgres.with_name(name)
    subprocess.run([path, *arguments], check=True, capture_output=True, timeout=60)


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def mission(config: Config, url: str) -> Iterator[Flask]:
    """The application on that database."""
    app = create_app(replace(config, database_url=url), testing=True)
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def original(servers: EmbeddedServers, config: Config) -> Iterator[str]:
    """A mission's database of its own."""
    url = servers.create_database("original")
    migrate(url)
    yield url
    servers.drop_database("original")


@pytest.fixture
def backup(original: str, config: Config, tmp_path: Path) -> tuple[Path, dict[str, FakeGateway]]:
    """A dump taken while an alert was on its way, and what the gateways took until the original was lost."""
    gateways = {name: FakeGateway(name) for name in ("exercise", "http")}
    dump = tmp_path / "mission.dump"
    with mission(config, original):
        make_people(db.session, PEOPLE)
        for status in (AlertStatus.EXERCISE, AlertStatus.ACTUAL):
            decide(db.session, issue(db.session, make_crisis(db.session, status), status=status), AlertAction.APPROVE)
        set_messages(db.session, "gateway = 'http'", "gateway <> 'exercise'")
        pass_on(gateways, SENT_BEFORE)
        db.session.remove()
        tool("pg_dump", "--format=custom", f"--file={dump}", plain(original))
        pass_on(gateways, SENT_AFTER)
    return dump, gateways


def pass_on(gateways: dict[str, FakeGateway], number: int) -> None:
    for name, gateway in gateways.items():
        due = message_ids(db.session, f"state = 'queued' and gateway = '{name}'")[:number]
        set_messages(db.session, "not_before = now() + interval '1 hour'", f"state = 'queued' and gateway = '{name}'")
        set_messages(db.session, "not_before = now()", "id = any(:due)", due=due)
        assert send(gateway) == number


def release_the_rest() -> None:
    set_messages(db.session, "not_before = now()", "state = 'queued'")


def into_another_cluster(servers: EmbeddedServers, dump: Path) -> Iterator[str]:
    with EmbeddedServers.temporary(valkey=False, durable=False) as second:
        tool("pg_restore", "--no-owner", f"--dbname={plain(second.database_url)}", str(dump))
        yield second.database_url


def into_another_database(servers: EmbeddedServers, dump: Path) -> Iterator[str]:
    url = servers.create_database("copy")
    tool("pg_restore", "--no-owner", f"--dbname={plain(url)}", str(dump))
    yield url
    servers.drop_database("copy")


def over_itself(servers: EmbeddedServers, dump: Path) -> Iterator[str]:
    url = str(make_url(servers.database_url).set(database="original").render_as_string(hide_password=False))
    tool("pg_restore", "--no-owner", "--clean", "--if-exists", f"--dbname={plain(url)}", str(dump))
    yield url


def as_data_into_a_migrated_one(servers: EmbeddedServers, dump: Path) -> Iterator[str]:
    url = servers.create_database("copy")
    migrate(url)
    tool("psql", plain(url), "-c", "truncate alembic_version")
    tool("pg_restore", "--data-only", "--disable-triggers", f"--dbname={plain(url)}", str(dump))
    yield url
    servers.drop_database("copy")


WAYS = [into_another_cluster, into_another_database, over_itself, as_data_into_a_migrated_one]


@contextmanager
def restored(way: Way, servers: EmbeddedServers, config: Config, dump: Path) -> Iterator[Flask]:
    for url in way(servers, dump):
        with mission(config, url) as app:
            yield app


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def every_copy(request, servers: EmbeddedServers, config: Config, backup) -> Iterator[Flask]:
    """The mission on what was restored, in each way that we know."""
    with restored(request.param, servers, config, backup[0]) as app:
        yield app


@pytest.fixture
def copy(servers: EmbeddedServers, config: Config, backup) -> Iterator[Flask]:
    """The mission on what was restored into another database."""
    with restored(into_another_database, servers, config, backup[0]) as app:
        yield app


@pytest.fixture
def gateways(backup) -> dict[str, FakeGateway]:
    return backup[1]


def compare(gateway: FakeGateway) -> restoring.Compared:
    return restoring.compare(gateway, map_status, failure_reason)


def a_minute_later() -> None:
    db.session.execute(text("update database_home set closed_at = closed_at - interval '2 minutes'"))
    db.session.execute(text("update messages set created_at = created_at - interval '3 minutes'"))
    db.session.commit()


def assert_everything_agrees() -> None:
    assert {name: found for name in names() if (found := offenders(name))[0]} == {}
    for event in db.session.query(AlertEvent):
        for scope, recounted in (
            (event.id, counters.recount_event(event.id)),
            (event.crisis_id, counters.recount_crisis(event.crisis_id)),
        ):
            assert {key: value for key, value in counters.read(scope).items() if value} == recounted


def test_a_copy_sends_nothing_until_released_and_then_nobody_is_texted_twice(every_copy, gateways) -> None:
    release_the_rest()
    for gateway in gateways.values():
        assert send(gateway) == 0
        assert len(gateway.submitted) == SENT_BEFORE + SENT_AFTER, "something left without an officer"
    a_minute_later()
    found = compare(gateways["exercise"])
    assert (found.read, found.found, found.again_at) == (SENT_BEFORE + SENT_AFTER, SENT_AFTER, None)
    assert compare(gateways["exercise"]).found == 0, "comparing again changes nothing"
    assert_everything_agrees()
    unsettled = PEOPLE - SENT_BEFORE
    assert restoring.release() == unsettled
    assert states(db.session) == {"accepted": 2 * SENT_BEFORE + SENT_AFTER, "queued": PEOPLE - 4, "held": unsettled}
    assert_everything_agrees()
    assert {send(gateway) for gateway in gateways.values()} == {0, PEOPLE - SENT_BEFORE - SENT_AFTER}
    assert Counter(request.to for request in gateways["exercise"].taken).most_common(1)[0][1] == 1
    assert len(gateways["exercise"].taken) == PEOPLE
    assert len(gateways["http"].taken) == SENT_BEFORE + SENT_AFTER
    assert_everything_agrees()
    an_officer_sends_what_is_held(gateways["http"], unsettled)


def an_officer_sends_what_is_held(gateway: FakeGateway, number: int) -> None:
    """Which may be the second time for some, and is declared."""
    [alert] = rows(db.session, "select alert_id as id from alert_events where status = 'Actual'")
    officer_id = make_officer(db.session)
    db.session.commit()
    known = Decision(number, "They must hear of it.", knows_of_twice=True)
    assert send_again(alert.id, officer_id, known, utc_now()) == number
    send(gateway)
    assert len(rows(db.session, "select 1 from messages where possible_duplicate and gateway = 'http'")) == number
    assert_everything_agrees()


def test_numbers_that_the_original_may_have_given_are_never_given_again(copy, gateways) -> None:
    before = max(message_ids(db.session))
    send(gateways["exercise"])
    issue(db.session, make_crisis(db.session))
    db.session.commit()
    assert min(set(message_ids(db.session)) - set(range(before + 1))) > before + queries.NUMBERS_LEFT_OUT


def test_what_is_approved_after_the_restore_goes_out_after_the_release(copy, gateways) -> None:
    send(gateways["http"])
    status = AlertStatus.ACTUAL
    event_id = issue(db.session, make_crisis(db.session, status), status=status)
    set_messages(db.session, "gateway = 'http'", f"event_id = '{event_id}'")
    restoring.release()
    assert states(db.session, event_id) == {"queued": PEOPLE}


def test_the_alarm_stands_until_the_release(copy, gateways) -> None:
    restoring.notice()
    installation = Installation(frozenset({"exercise"}), None)
    raised = {one.alarm.name for one in operations.look(installation, utc_now()).alarms}
    assert "restored" in raised
    restoring.release()
    raised = {one.alarm.name for one in operations.look(installation, utc_now()).alarms}
    assert "restored" not in raised
    [noticed, released] = rows(
        db.session, "select action from audit_entries where subject_type = 'database' order by id"
    )
    assert (noticed.action, released.action) == ("database_restored", "database_released")


def test_a_list_that_may_be_behind_is_not_trusted(copy, gateways) -> None:
    found = compare(gateways["exercise"])
    assert found.again_at is not None
    assert restoring.release() == 2 * PEOPLE - 2 * SENT_BEFORE - SENT_AFTER, "what was found, and what left before"
    assert set(states(db.session)) == {"accepted", "held"}


def test_a_list_that_gives_no_answer_changes_nothing(copy, gateways) -> None:
    gateways["exercise"].list_error = True
    a_minute_later()
    with pytest.raises(GatewayError):
        compare(gateways["exercise"])
    assert queries.compared() == []


def test_the_list_also_tells_what_became_of_texts(copy, gateways) -> None:
    gateway = gateways["exercise"]
    gateway.list = [replace(one, status="delivered" if n % 2 else "no-such-word") for n, one in enumerate(gateway.list)]
    a_minute_later()
    compare(gateway)
    assert states(db.session)["delivered"] == len(gateway.list) // 2
    assert_everything_agrees()


def test_a_standby_that_had_everything_holds_nothing(copy, gateways) -> None:
    restoring.notice()
    assert restoring.release(is_complete=True) == 0
    assert "held" not in states(db.session)
    release_the_rest()
    assert send(gateways["exercise"]) == PEOPLE - SENT_BEFORE


def test_a_copy_that_looks_like_its_original_is_marked_by_hand(session) -> None:
    assert restoring.notice()
    assert (restoring.mark(), restoring.mark()) == (True, False)
    assert not restoring.notice()
    assert restoring.closed_since() is not None
    restoring.release()
    assert restoring.notice()


def test_marking_comes_first_on_a_copy_where_nothing_was_ever_sent(session) -> None:
    assert restoring.mark()
    assert not restoring.notice()


def test_where_nothing_is_closed_there_is_nothing_to_release(session) -> None:
    gateway = FakeGateway()
    for act in (restoring.release, lambda: compare(gateway)):
        with pytest.raises(ConflictError, match="consular restored mark"):
            act()


@pytest.mark.parametrize("changed", ["system_identifier", "timeline", "database_oid", "table_oid"])
def test_any_difference_closes_the_gate(session, changed) -> None:
    assert restoring.notice()
    session.execute(text(f"update database_home set {changed} = {changed} + 1"))
    session.commit()
    assert restoring.is_elsewhere()
    assert not restoring.notice()
    assert restoring.closed_since() is not None


def test_a_cluster_that_may_not_be_asked_for_is_no_difference(session) -> None:
    known = queries.Place(1, 2, 3, 4)
    assert known.is_same(queries.Place(None, 2, 3, 4))
    assert queries.Place(None, 2, 3, 4).is_same(known)
    assert not known.is_same(queries.Place(None, 2, 3, 5))


def test_posts_stand_still_too(session, config, serve) -> None:
    network = serve(lambda talk: talk.answer(200, b'{"id": "1", "url": "https://social.example/1"}'))
    with_account = accounts(config, mastodon=network.url)
    event_id = approved(with_account)
    restoring.mark()
    assert (social_drain(with_account), network.received) == (0, [])
    restoring.release()
    assert social_drain(with_account) == 1
    assert only_post(event_id).state == "published"
