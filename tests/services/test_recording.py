"""Answers count whenever they come; a gateway that gives none is left alone; what could not leave in time stays."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import cycle

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from consular.domain.ports import RefusalScope
from consular.extensions import cipher
from consular.queries import delivery as statements
from consular.queries.delivery import OutcomeRow
from consular.services import sweeping
from consular.services.delivery import Drain, Pace
from consular.services.ports import Ports, SystemClock
from consular.services.preparing import address_of
from consular.services.sql_store import SqlStore
from consular.services.texts import TextBook
from tests.factories import alert_everybody, message_ids, phone, rows, set_messages, states
from tests.fakes import FakeGateway, accepted, lost, refused
from tests.services.test_delivery import FAST, assert_counted, never, send


class ShiftedClock(SystemClock):
    """A clock that a frozen process finds moved on."""

    gone = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.gone


def line(session):
    return session.execute(
        text("select pause_reason, extract(epoch from paused_until - now()) as seconds from senders")
    ).one()


def open_again(session) -> None:
    """The pause is over."""
    session.execute(text("update senders set paused_until = now() - interval '1 second'"))
    session.commit()


def attempt(session, state: str, **values) -> OutcomeRow:
    """An answer for the only message's present attempt."""
    row = session.execute(text("select id, attempt_id from messages")).one()
    outcome = {"accepted": "accepted", "refused": "refused", "queued": "not_sent"}[state]
    sid = "SMlate" if state == "accepted" else None
    return OutcomeRow(row.id, row.attempt_id, state, outcome, sid, None, None, 200, 0.1, 0.0, **values)


def test_a_gateway_that_gives_no_answer_is_left_alone_after_twenty_requests(session):
    event_id = alert_everybody(session, 200)
    gateway = FakeGateway(answer=lost, concurrency=200)
    send(gateway)
    assert len(gateway.submitted) == 20
    assert states(session) == {"unknown": 20, "queued": 180}
    reason, seconds = line(session)
    assert reason == "no_answer"
    assert 50 < seconds <= 60
    assert_counted(event_id)


def test_it_is_tried_with_two_requests_until_it_answers_again(session):
    alert_everybody(session, 200)
    gateway = FakeGateway(answer=lost, concurrency=200)
    send(gateway)
    open_again(session)
    send(gateway)
    assert len(gateway.submitted) == 22
    assert line(session).pause_reason == "no_answer"
    open_again(session)
    gateway.answer = accepted
    send(gateway)
    assert states(session) == {"unknown": 22, "accepted": 178}
    assert line(session).pause_reason is None


def test_a_gateway_that_hangs_in_the_middle_is_found_out_too(session):
    alert_everybody(session, 400)
    gateway = FakeGateway(concurrency=50)
    gateway.answer = lambda request: accepted(request) if len(gateway.taken) < 100 else lost(request)
    send(gateway)
    assert states(session)["unknown"] <= 20 + 50
    assert line(session).pause_reason == "no_answer"


@pytest.mark.parametrize("heard", [accepted, refused("21211")], ids=["accepted", "refused"])
def test_single_losses_pause_nothing(session, heard):
    alert_everybody(session, 120)
    gateway = FakeGateway()
    kinds = cycle((lost, lost, heard))

    def answer(request):
        return next(kinds)(request)

    gateway.answer = answer
    gateway.concurrency = 1
    send(gateway)
    assert set(states(session)) <= {"unknown", "accepted", "refused"}
    assert line(session).pause_reason is None


def test_what_a_frozen_worker_could_not_hand_over_in_time_goes_back(session):
    event_id = alert_everybody(session, 3)
    gateway, clock, book = FakeGateway(), ShiftedClock(), TextBook("https://consular.test")
    ports = Ports(SqlStore(book), book, address_of, clock)
    for point in Drain(gateway, ports, FAST, "frozen", never).steps(10):
        if point.name == "marked" and not clock.gone:
            assert states(session) == {"sending": 3}
            clock.gone = 4.1
    assert gateway.submitted == []
    assert states(session) == {"queued": 3}
    assert rows(session, "select distinct outcome, error_code from message_attempts") == [("not_sent", "lease")]
    assert_counted(event_id)


class OneByOne(FakeGateway):
    """Answers come one at a time."""

    def poll(self, timeout_seconds):
        ready = list(self._flying)
        self._flying.clear()
        self._flying.extend(ready[1:])
        return [self._result(request) for request in ready[:1]]


def test_a_refusal_that_is_not_written_down_yet_makes_no_room_for_another(session):
    alert_everybody(session, 200)
    gateway = OneByOne(concurrency=100, answer=refused("20003", RefusalScope.ACCOUNT))
    send(gateway)
    assert 1 <= len(gateway.submitted) <= 10
    assert states(session) == {"queued": 200}


def test_what_is_marked_stays_when_the_account_is_refused_meanwhile(session):
    alert_everybody(session, 200)
    pace = Pace(rate=100, lease_seconds=60)
    gateway = FakeGateway(concurrency=100, answer=accepted)

    def answer(request):
        return (accepted if len(gateway.taken) < 30 else refused("20003", RefusalScope.ACCOUNT))(request)

    gateway.answer = answer
    send(gateway, pace)
    assert len(gateway.submitted) - len(gateway.taken) <= 10
    assert states(session) == {"accepted": 30, "queued": 170}


def _drain_to_first(session, points, gateway, name):
    for point in points:
        if point.name == name and len(gateway.submitted) >= 10:
            return
    raise AssertionError(f"{name} was never reached")


def test_what_is_marked_stays_when_another_worker_hears_the_refusal(session):
    alert_everybody(session, 200)
    gateway, book = FakeGateway(concurrency=100, answer=accepted), TextBook("https://consular.test")
    ports = Ports(SqlStore(book), book, address_of)
    steps = Drain(gateway, ports, Pace(rate=100, lease_seconds=60), "second", never).steps(1000)
    _drain_to_first(session, steps, gateway, "submit")
    statements.pause_sender(session, "exercise", 60.0, "account_refused:20003")
    session.commit()
    before = len(gateway.submitted)
    for _ in steps:
        pass
    assert len(gateway.submitted) - before <= 10
    assert states(session) == {"accepted": len(gateway.submitted), "queued": 200 - len(gateway.submitted)}


def test_what_is_marked_stays_when_its_country_is_refused_meanwhile(session):
    alert_everybody(session, 200)
    gateway = FakeGateway(concurrency=100, answer=accepted)

    def answer(request):
        return (accepted if len(gateway.taken) < 30 else refused("21408", RefusalScope.COUNTRY))(request)

    gateway.answer = answer
    send(gateway, Pace(rate=100, lease_seconds=60))
    assert len(gateway.submitted) - len(gateway.taken) <= 10
    assert states(session) == {"accepted": 30, "queued": 170}
    assert rows(session, "select count(*) from country_pauses where paused_until > now()") == [(1,)]


def test_what_is_marked_stays_when_another_worker_hears_that_its_country_is_refused(session):
    alert_everybody(session, 200)
    gateway, book = FakeGateway(concurrency=100, answer=accepted), TextBook("https://consular.test")
    ports = Ports(SqlStore(book), book, address_of)
    steps = Drain(gateway, ports, Pace(rate=100, lease_seconds=60), "second", never).steps(1000)
    _drain_to_first(session, steps, gateway, "submit")
    for (country,) in rows(session, "select distinct country from messages"):
        statements.pause_country(session, "exercise", country, "21408", 60.0)
    session.commit()
    before = len(gateway.submitted)
    for _ in steps:
        pass
    assert len(gateway.submitted) - before <= 10
    assert states(session) == {"accepted": len(gateway.submitted), "queued": 200 - len(gateway.submitted)}


def test_a_line_that_is_only_slowed_down_lets_go_what_is_marked(session):
    alert_everybody(session, 200)
    gateway, book = FakeGateway(concurrency=100, answer=accepted), TextBook("https://consular.test")
    ports = Ports(SqlStore(book), book, address_of)
    steps = Drain(gateway, ports, Pace(rate=100, lease_seconds=60), "second", never).steps(1000)
    _drain_to_first(session, steps, gateway, "marked")
    marked = states(session)["sending"]
    before = len(gateway.submitted)
    statements.pause_sender(session, "exercise", 60.0, "throttled")
    session.commit()
    for _ in steps:
        pass
    assert len(gateway.submitted) >= before + 10
    assert marked >= 10
    assert states(session) == {"accepted": len(gateway.submitted), "queued": 200 - len(gateway.submitted)}


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [
        (("no_answer", 60), ("not_connected", 1), "no_answer"),
        (("throttled", 5), ("no_answer", 60), "no_answer"),
        (("account_refused:20003", 60), ("throttled", 300), "account_refused:20003"),
        (("throttled", 300), ("account_refused:20003", 60), "account_refused:20003"),
        (("account_refused:20003", -5), ("throttled", 5), "throttled"),
    ],
)
def test_the_reason_of_the_graver_pause_stands(session, first, second, stands):
    statements.open_line(session, "exercise")
    for reason, seconds in (first, second):
        statements.pause_sender(session, "exercise", seconds, reason)
        session.execute(
            text("update senders set paused_until = now() - interval '1 s' where :gone"), {"gone": seconds < 0}
        )
        session.commit()
    reason, seconds = line(session)
    assert reason == stands
    assert seconds > max(first[1], second[1]) - 5


def test_a_mark_that_fails_strikes_no_row(session):
    """A row that stays claimed until its lease ends looks like one that kills workers."""
    alert_everybody(session, 20)
    gateway, book = FakeGateway(answer=accepted), TextBook("https://consular.test")
    store = _AwayAtTimes(book)
    with pytest.raises(OperationalError):
        for point in Drain(gateway, Ports(store, book, address_of), FAST, "struck", never).steps(1000):
            store.is_away = point.name == "mark"
    assert gateway.submitted == []
    assert states(session) == {"queued": 20}
    assert rows(session, "select distinct deaths, tries from messages") == [(0, 0)]


class _AwayAtTimes(SqlStore):
    """A database that goes away."""

    is_away = False

    @contextmanager
    def begin(self):
        if self.is_away:
            raise OperationalError("look", {}, Exception("away"))
        with super().begin() as rows:
            yield rows


def test_what_is_marked_leaves_when_nobody_can_be_asked_about_a_refusal(session):
    alert_everybody(session, 100)
    gateway, book = FakeGateway(concurrency=100, answer=accepted), TextBook("https://consular.test")
    store = _AwayAtTimes(book)
    watched = 0
    for point in Drain(gateway, Ports(store, book, address_of), Pace(100, 60), "alone", never).steps(1000):
        store.is_away = point.name == "watch"
        watched += store.is_away
    assert watched
    assert states(session) == {"accepted": 100}


def test_a_slow_gateway_costs_no_row_its_lease(session):
    """A lease that ends counts as a worker's death, and a row that seems to kill workers is claimed alone."""
    alert_everybody(session, 100)
    gateway, clock, book = FakeGateway(concurrency=2), ShiftedClock(), TextBook("https://consular.test")
    gateway.hold = True
    ports = Ports(SqlStore(book), book, address_of, clock)
    for point in Drain(gateway, ports, FAST, "slow", lambda: not gateway.hold).steps(1000):
        if point.name != "poll":
            continue
        if not clock.gone:
            assert states(session) == {"sending": 2, "claimed": 6, "queued": 92}
            clock.gone = FAST.lease_seconds / 3 + 1
        elif gateway.hold:
            assert states(session) == {"sending": 2, "queued": 98}
            gateway.hold = False
    assert states(session) == {"accepted": 2, "queued": 98}
    assert rows(session, "select distinct deaths from messages") == [(0,)]


def test_a_worker_that_is_dropped_at_a_point_does_nothing_more(session):
    alert_everybody(session, 3)
    book = TextBook("https://consular.test")
    steps = Drain(FakeGateway(), Ports(SqlStore(book), book, address_of), FAST, "killed", never).steps(10)
    for point in steps:
        if point.name == "marked":
            break
    steps.close()
    assert states(session) == {"sending": 3}


def test_an_attempt_is_dated_by_when_it_left_however_late_it_is_written(session):
    alert_everybody(session, 1)
    gateway, clock, book = FakeGateway(), ShiftedClock(), TextBook("https://consular.test")
    for point in Drain(gateway, Ports(SqlStore(book), book, address_of, clock), FAST, "slow", never).steps(10):
        if point.name == "record":
            clock.gone = 40.0
    (row,) = rows(session, "select extract(epoch from recorded_at - started_at) as age from message_attempts")
    assert float(row.age) == pytest.approx(40.0, abs=1.0)


def unknown_after_lease(session) -> None:
    """A worker was frozen with its request in flight, and its lease was given up."""
    alert_everybody(session, 1)
    (claimed,) = statements.claim(session, "exercise", "frozen", 1, 60)
    statements.mark_sending(session, [(claimed.id, claimed.attempt_id)], 60)
    set_messages(session, "lease_until = now() - interval '1 second'")
    sweeping.sweep()
    assert states(session) == {"unknown": 1}


@pytest.mark.parametrize("state", ["accepted", "refused", "queued"])
def test_an_answer_after_the_lease_settles_the_doubt(session, state):
    unknown_after_lease(session)
    (changed,) = statements.record(session, "exercise", "frozen", [attempt(session, state)])
    assert (changed.before, changed.after) == ("unknown", state)
    assert rows(session, "select possible_duplicate from messages") == [(False,)]


@pytest.mark.parametrize(
    ("assignments", "is_heard"),
    [
        ("state = 'queued'", True),
        ("state = 'held'", True),
        ("state = 'cancelled'", True),
        ("state = 'expired'", True),
        ("state = 'failed', error_code = 'no_trace'", True),
        ("state = 'failed', error_code = '30005'", False),
        ("state = 'claimed', attempt_id = gen_random_uuid()", True),
        ("state = 'sending', attempt_id = gen_random_uuid()", False),
        ("state = 'delivered'", False),
    ],
)
def test_that_a_text_was_taken_is_proof_whatever_was_decided_meanwhile(session, assignments, is_heard):
    unknown_after_lease(session)
    late = attempt(session, "accepted")
    set_messages(session, assignments)
    before = states(session)
    assert len(statements.record(session, "exercise", "frozen", [late])) == is_heard
    assert states(session) == ({"accepted": 1} if is_heard else before)


def test_a_report_outranks_what_was_decided_without_one(session):
    from tests.services.test_receipts import apply, report

    unknown_after_lease(session)
    attempt_id = attempt(session, "accepted").attempt_id
    set_messages(session, "state = 'failed', error_code = 'no_trace'")
    report(attempt_id, "sent")
    apply()
    assert states(session) == {"sent": 1}


def test_a_clock_that_was_put_back_does_not_stop_the_line(session):
    alert_everybody(session, 2)
    statements.open_line(session, "exercise")
    session.execute(text("update senders set next_free_at = now() + interval '1 hour'"))
    session.commit()
    assert send(FakeGateway()) == 2


def test_a_stop_that_the_gateway_knows_counts_again_after_it_was_taken_back(session):
    alert_everybody(session, 1)
    (number,) = message_ids(session)
    statements.note_stops(session, [number])
    session.execute(text("update opt_outs set ended_at = now()"))
    statements.note_stops(session, [number])
    assert rows(session, "select ended_at from opt_outs") == [(None,)]


ROUTE = refused("21612", RefusalScope.ROUTE)


def paused_countries(session):
    return [country for (country,) in rows(session, "select country from country_pauses where paused_until > now()")]


def test_a_few_numbers_that_cannot_be_reached_keep_no_country_back(session):
    event_id = alert_everybody(session, 200)
    unreachable_ones = {phone(number) for number in (3, 70, 141)}
    gateway = FakeGateway(concurrency=50, answer=lambda one: (ROUTE if one.to in unreachable_ones else accepted)(one))
    send(gateway)
    assert states(session) == {"accepted": 197, "queued": 3}
    assert paused_countries(session) == []
    waits = rows(session, "select extract(epoch from not_before - now()) as s from messages where state = 'queued'")
    assert all(25 < row.s <= 60 for row in waits)
    assert_counted(event_id)


def test_a_number_that_is_refused_in_a_country_that_takes_others_is_given_up_at_the_third_try(session):
    event_id = alert_everybody(session, 20)
    gateway = FakeGateway(concurrency=50, answer=lambda one: (ROUTE if one.to == phone(3) else accepted)(one))
    bad = rows(session, "select id from messages where endpoint_index = :i", i=cipher.index(phone(3), "phone"))[0].id
    set_messages(session, "tries = 2", "id = :bad", bad=bad)
    send(gateway)
    assert states(session) == {"accepted": 19, "refused": 1}
    assert paused_countries(session) == []
    assert_counted(event_id)


@pytest.mark.parametrize("before", [0, 30])
def test_many_refusals_in_a_row_that_may_be_the_countrys_are_held_for_it(session, before):
    event_id = alert_everybody(session, 200)
    gateway = FakeGateway(concurrency=100)

    def answer(request):
        return (accepted if len(gateway.taken) < before else ROUTE)(request)

    gateway.answer = answer
    send(gateway, Pace(rate=100, lease_seconds=60))
    assert len(gateway.submitted) - before <= 10
    assert states(session) == ({"accepted": before, "queued": 200 - before} if before else {"queued": 200})
    assert paused_countries(session) == ["LY"]
    assert_counted(event_id)


def test_the_only_text_into_a_country_speaks_for_it(session):
    alert_everybody(session, 1)
    send(FakeGateway(answer=ROUTE))
    assert (states(session), paused_countries(session)) == ({"queued": 1}, ["LY"])
