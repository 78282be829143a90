"""Held texts leave the hold by an officer's word alone: once, declared where they may be the second, and traced."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.alerts import AlertAction, MessageClass
from consular.domain.holding import Why
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.extensions import db
from consular.models.alerts import AlertEvent
from consular.models.officers import Role
from consular.providers.twilio.codes import failure_reason, map_status
from consular.queries import alerts as alert_queries
from consular.queries import counters, holding
from consular.queries.invariants import names, offenders
from consular.services import alerts, receipts
from consular.services.delivery import Pace, drain
from consular.services.holding import Decision, end, send_again
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work
from tests.factories import issue, make_crisis, make_officer, make_people, message_ids, rows, states
from tests.fakes import FakeGateway
from tests.verified_world import decide

FAST = Pace(rate=100_000, lease_seconds=60)
KNOWN = Decision(seen=99, note="They must hear of it.", knows_of_twice=True)


def send(gateway: FakeGateway) -> None:
    drain(gateway, TextBook("https://consular.test"), FAST, "worker-1", 10, lambda: False)


def hold(where: str = "true", *, unknowns: int = 0, error: str = "worker_died", deaths: int = 3) -> None:
    """What services.sweeping leaves behind when it holds texts, with its counters."""
    with unit_of_work() as session:
        for number, event_id in session.execute(text(f"select id, event_id from messages where {where}")).all():
            values = {"id": number, "error": error, "deaths": deaths}
            session.execute(
                text("update messages set state = 'held', error_code = :error, deaths = :deaths where id = :id"), values
            )
            for _ in range(unknowns):
                attempt = UUID(int=number << 64 | uuid4().int & (1 << 64) - 1)
                session.execute(
                    text("""insert into message_attempts (id, message_id, gateway, outcome)
                    values (:attempt, :id, 'exercise', 'unknown')"""),
                    {"attempt": attempt, "id": number},
                )
            counters.add(session, {(event_id, "message:queued"): -1, (event_id, "message:held"): 1})


@pytest.fixture
def world(session) -> tuple[UUID, UUID, UUID]:
    """An alert to four phones, and an officer: (alert, event, officer)."""
    return an_alert(session)


def an_alert(session, **event) -> tuple[UUID, UUID, UUID]:
    make_people(session, 4)
    event_id = issue(session, make_crisis(session), **event)
    officer_id = make_officer(session, Role.APPROVER)
    row = session.get_one(AlertEvent, event_id)
    decide(session, event_id, AlertAction.APPROVE)
    return row.alert_id, event_id, officer_id


def assert_everything_agrees(session, event_id: UUID) -> None:
    crisis_id = session.get_one(AlertEvent, event_id).crisis_id
    assert {k: v for k, v in counters.read(event_id).items() if v} == counters.recount_event(event_id)
    assert {k: v for k, v in counters.read(crisis_id).items() if v} == counters.recount_crisis(crisis_id)
    assert {name: found for name in names() if (found := offenders(name))[0]} == {}


def test_why_and_how_many(session) -> None:
    _, event_id, _ = an_alert(session, message_class=MessageClass.SENSITIVE)
    first, second, third, fourth = message_ids(session)
    hold(f"id = {first}")
    hold(f"id = {second}", unknowns=1, error="http-500", deaths=0)
    hold(f"id = {third}", unknowns=3, error="http-500", deaths=0)
    hold(f"id = {fourth}", unknowns=1, error="restored", deaths=0)
    found = {group.why: (group.number, group.doubtful) for group in holding.groups(event_id)}
    assert found == {
        Why.WORKER_DIED: (1, 0),
        Why.SENSITIVE: (1, 1),
        Why.UNKNOWN_OFTEN: (1, 1),
        Why.RESTORED: (1, 1),
    }
    [line] = holding.alerts_with_held()
    assert (line.number, line.subject) == (4, "Fighting")
    assert [group.number for group in holding.groups(event_id, second)] == [1]


def test_the_people_behind_held_texts_in_pages(session, world) -> None:
    _, event_id, _ = world
    hold()
    numbers = message_ids(session)
    lines = holding.lines(event_id, limit=3)
    assert [line.number for line in lines] == numbers[:3]
    last = (lines[-1].number, lines[-1].person_id)
    assert [line.number for line in holding.lines(event_id, after=last)] == numbers[3:]
    assert [line.number for line in holding.lines(event_id, numbers[1])] == [numbers[1]]
    assert {(line.name, line.people, line.why) for line in lines} == {("Ravi Kumar", 1, Why.WORKER_DIED)}


def test_what_never_left_goes_out_once_and_is_no_duplicate(session, world) -> None:
    alert_id, event_id, officer_id = world
    hold()
    gateway = FakeGateway()
    send(gateway)
    assert gateway.taken == []
    assert send_again(alert_id, officer_id, Decision(4, "The worker is mended."), utc_now()) == 4
    assert_everything_agrees(session, event_id)
    send(gateway)
    assert states(session, event_id) == {"accepted": 4}
    assert len({request.to for request in gateway.taken}) == len(gateway.taken) == 4
    assert rows(session, "select 1 from messages where possible_duplicate") == []
    assert_everything_agrees(session, event_id)


def test_what_may_have_left_is_declared(session, world) -> None:
    alert_id, event_id, officer_id = world
    hold(unknowns=3, error="transport-28", deaths=0)
    with pytest.raises(InvalidInputError) as error:
        send_again(alert_id, officer_id, Decision(4, "Go."), utc_now())
    assert "knows_of_twice" in error.value.fields
    assert send_again(alert_id, officer_id, KNOWN, utc_now()) == 4
    assert rows(session, "select distinct possible_duplicate from messages") == [(True,)]
    send(FakeGateway())
    assert_everything_agrees(session, event_id)


def test_a_text_that_kills_its_worker_again_is_held_again(session, world) -> None:
    alert_id, _, officer_id = world
    hold()
    send_again(alert_id, officer_id, KNOWN, utc_now())
    assert rows(session, "select distinct deaths from messages") == [(2,)]


def test_what_never_left_is_cancelled_and_what_may_have_left_failed_as_far_as_we_know(session, world) -> None:
    alert_id, event_id, officer_id = world
    first, *others = message_ids(session)
    hold(f"id = {first}", unknowns=1, error="transport-28", deaths=0)
    hold(f"id = any(array{others})")
    assert end(alert_id, officer_id, Decision(4, "All were called."), utc_now()) == 4
    assert states(session, event_id) == {"failed": 1, "cancelled": 3}
    assert_everything_agrees(session, event_id)
    [attempt] = rows(session, "select id from message_attempts")
    receipts.store("exercise", "SM" + "1" * 32, attempt.id, "delivered", None, [], utc_now())
    receipts.process(map_status, failure_reason)
    assert states(session, event_id) == {"delivered": 1, "cancelled": 3}
    assert_everything_agrees(session, event_id)


def test_one_text_alone(session, world) -> None:
    alert_id, event_id, officer_id = world
    hold()
    first, second, *_ = message_ids(session)
    assert send_again(alert_id, officer_id, Decision(1, "Only her.", number=first), utc_now()) == 1
    assert end(alert_id, officer_id, Decision(1, "Was called.", number=second), utc_now()) == 1
    assert states(session, event_id) == {"queued": 1, "cancelled": 1, "held": 2}
    assert_everything_agrees(session, event_id)


@pytest.mark.parametrize("act", [send_again, end])
def test_a_reason_is_needed_and_kept_in_the_history(session, world, act) -> None:
    alert_id, event_id, officer_id = world
    hold()
    with pytest.raises(InvalidInputError) as error:
        act(alert_id, officer_id, Decision(4, "  ", knows_of_twice=True), utc_now())
    assert "note" in error.value.fields
    assert states(session, event_id) == {"held": 4}
    act(alert_id, officer_id, KNOWN, utc_now())
    last = alert_queries.list_decisions(session, alert_id)[-1]
    assert (last.action, last.note) == ("send_held" if act is send_again else "end_held", "They must hear of it.")
    [entry] = rows(session, "select action, detail from audit_entries order by id desc limit 1")
    assert entry.action == f"alert_{last.action}"
    assert (entry.detail["texts"], entry.detail["may_have_left"]) == (4, 0)


@pytest.mark.parametrize("act", [send_again, end])
def test_a_second_click_changes_nothing(session, world, act) -> None:
    alert_id, _, officer_id = world
    hold()
    assert act(alert_id, officer_id, KNOWN, utc_now()) == 4
    before = rows(session, "select id, state, updated_at from messages order by id")
    assert act(alert_id, officer_id, KNOWN, utc_now()) == 0
    assert rows(session, "select id, state, updated_at from messages order by id") == before
    assert len(rows(session, "select 1 from alert_decisions where action in ('send_held', 'end_held')")) == 1


@pytest.mark.parametrize("act", [send_again, end])
def test_more_than_was_seen_must_be_looked_at(session, world, act) -> None:
    alert_id, _, officer_id = world
    hold()
    with pytest.raises(ConflictError, match="4 texts are held now"):
        act(alert_id, officer_id, Decision(3, "Go.", knows_of_twice=True), utc_now())


def test_nothing_of_a_stopped_or_old_alert_is_sent_but_it_can_be_closed(session, world) -> None:
    alert_id, event_id, officer_id = world
    hold(unknowns=1, deaths=0, error="http-500")
    with pytest.raises(ConflictError, match="its time is over"):
        send_again(alert_id, officer_id, KNOWN, utc_now() + timedelta(days=1))
    alerts.stop(event_id, officer_id, utc_now())
    assert states(session, event_id) == {"held": 4}, "nobody knows whether these left"
    with pytest.raises(ConflictError, match="was stopped"):
        send_again(alert_id, officer_id, KNOWN, utc_now())
    alerts.cancel(alert_id, officer_id, utc_now())
    assert end(alert_id, officer_id, KNOWN, utc_now()) == 4
    assert_everything_agrees(session, event_id)


def test_what_is_not_there_is_not_found(world) -> None:
    for act in (send_again, end):
        with pytest.raises(NotFoundError):
            act(uuid4(), world[2], KNOWN, utc_now())


def test_another_alerts_text_cannot_be_touched(session, world) -> None:
    alert_id, _, officer_id = world
    other = issue(session, make_crisis(session))
    hold()
    [number, *_] = message_ids(session, f"event_id = '{other}'")
    assert send_again(alert_id, officer_id, Decision(1, "Go.", number=number), utc_now()) == 0
    assert states(session, other) == {"held": 4}


def test_two_officers_who_disagree_at_the_same_moment(committing: Flask) -> None:
    alert_id, event_id, officer_id = an_alert(db.session)
    hold()
    barrier, told = threading.Barrier(4), []

    def click(act, now: datetime) -> None:
        with committing.app_context():
            barrier.wait()
            told.append((act.__name__, act(alert_id, officer_id, KNOWN, now)))

    threads = [threading.Thread(target=click, args=(act, utc_now())) for act in (send_again, end, send_again, end)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [(winner, number)] = [one for one in told if one[1]]
    assert number == 4
    assert states(db.session, event_id) == {"queued" if winner == "send_again" else "cancelled": 4}
