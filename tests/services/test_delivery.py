"""Draining: claimed, marked, sent, recorded; each text once, at the sender's pace, never after a stop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.delivery import MOST_DEATHS, MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome, SmsResult
from consular.domain.references import reference_of
from consular.extensions import cipher, db
from consular.models.alerts import AlertEvent
from consular.queries import counters
from consular.queries import delivery as statements
from consular.security.fields import generate_keys
from consular.security.links import links
from consular.services import dispatch, sweeping
from consular.services.delivery import Pace, drain
from consular.services.preparing import WrongGatewayError
from consular.services.recording import note_changes
from consular.services.texts import TextBook
from tests.factories import alert_everybody, issue, make_crisis, make_people, phone, rows, set_messages, states
from tests.fakes import FakeGateway, accepted, lost, refused, throttled, unreachable

FAST = Pace(rate=100_000, lease_seconds=60)


def never() -> bool:
    return False


def send(gateway: FakeGateway, pace: Pace = FAST, seconds: float = 10, worker: str = "worker-1", stop=never) -> int:
    return drain(gateway, TextBook("https://consular.test"), pace, worker, seconds, stop)


def one(session, columns: str):
    return session.execute(text(f"select {columns} from messages order by id limit 1")).one()


def assert_counted(event_id: UUID) -> None:
    """Counters of event and crisis equal a recount."""
    crisis_id = db.session.get_one(AlertEvent, event_id).crisis_id
    assert {k: v for k, v in counters.read(event_id).items() if v} == counters.recount_event(event_id)
    assert {k: v for k, v in counters.read(crisis_id).items() if v} == counters.recount_crisis(crisis_id)


def test_every_text_is_sent_once_and_recorded(session):
    event_id = alert_everybody(session, 60)
    gateway = FakeGateway()
    assert send(gateway) == 60
    assert states(session) == {"accepted": 60}
    assert Counter(request.to for request in gateway.taken) == Counter(phone(n + 1) for n in range(60))
    known = {str(sid) for (sid,) in rows(session, "select provider_message_id from messages")}
    assert known == {message.provider_message_id for message in gateway.list}
    attempts = rows(session, "select outcome, http_status, worker, gateway from message_attempts")
    assert Counter(map(tuple, attempts)) == {("accepted", 201, "worker-1", "exercise"): 60}
    assert_counted(event_id)
    assert counters.read(event_id)["message:accepted"] == 60


def test_the_text_is_the_frozen_one_with_link_and_reference_in_the_persons_language(session):
    make_people(session, [phone(1)], language="fr")
    make_people(session, [phone(2)], language="hi")
    issue(session, make_crisis(session), validity=timedelta(minutes=30))
    session.commit()
    gateway = FakeGateway()
    send(gateway)
    by_phone = {request.to: request for request in gateway.taken}
    numbers = {message.to: message for message in gateway.list}
    assert len(numbers) == 2
    for to, words in ((phone(1), "Restez chez vous."), (phone(2), "Stay indoors and away from windows.")):
        request = by_phone[to]
        number = request.attempt_id.int >> 64
        assert words in request.body
        assert f"https://consular.test/s/{links.token(number)}" in request.body
        assert f"Ref {reference_of(number)}" in request.body
        assert request.validity_seconds == 1800


def test_a_row_sent_before_is_not_sent_again(session):
    alert_everybody(session, 5)
    gateway = FakeGateway()
    assert (send(gateway), send(gateway)) == (5, 0)
    assert len(gateway.taken) == 5


def test_only_the_messages_of_its_own_gateway_are_sent(session):
    alert_everybody(session, 3)
    actual = FakeGateway("twilio")
    assert send(actual) == 0
    assert actual.submitted == []


def test_an_exercise_queued_for_a_real_gateway_is_never_sent(session):
    alert_everybody(session, 2)
    set_messages(session, "gateway = 'twilio'")
    actual = FakeGateway("twilio")
    with pytest.raises(WrongGatewayError):
        send(actual)
    assert actual.submitted == []


def test_the_more_urgent_alert_goes_first(session):
    from consular.domain.alerts import MessageClass

    make_people(session, 5)
    crisis = make_crisis(session)
    slow = issue(session, crisis, message_class=MessageClass.NORMAL)
    urgent = issue(session, crisis, message_class=MessageClass.LIFE_SAFETY)
    session.commit()
    gateway = FakeGateway()
    send(gateway)
    numbers = [request.attempt_id.int >> 64 for request in gateway.taken]
    events = dict(map(tuple, rows(session, "select id, event_id from messages")))
    assert [events[number] for number in numbers] == [urgent] * 5 + [slow] * 5


@pytest.mark.parametrize(
    ("answer", "state", "error", "waits"),
    [
        (refused("21211"), "refused", "21211", False),
        (refused("21408", RefusalScope.COUNTRY), "queued", "21408", True),
        (refused("20003", RefusalScope.ACCOUNT), "queued", "20003", True),
        (throttled(3.0), "queued", "20429", True),
        (unreachable, "queued", "transport-7", True),
        (lost, "unknown", "transport-28", False),
    ],
    ids=["number refused", "country refused", "account refused", "throttled", "no connection", "no answer"],
)
def test_each_outcome_is_recorded(session, answer, state, error, waits):
    event_id = alert_everybody(session, 1)
    assert send(FakeGateway(answer=answer)) == 1
    row = one(session, "state, error_code, not_before > now() as waits, lease_until")
    assert (row.state, row.error_code, row.waits, row.lease_until) == (state, error, waits, None)
    assert_counted(event_id)


@pytest.mark.parametrize("countries", [1, 26])
def test_a_refused_account_stops_the_line_after_a_few_requests(session, countries):
    alert_everybody(session, 300)
    set_messages(session, f"country = 'A' || chr(65 + (id % {countries})::int)")
    gateway = FakeGateway(answer=refused("20003", RefusalScope.ACCOUNT), concurrency=200)
    send(gateway)
    assert 1 <= len(gateway.submitted) <= 20
    assert states(session) == {"queued": 300}
    gateway.answer = accepted
    assert send(gateway) == 0
    session.execute(text("update senders set paused_until = now()"))
    set_messages(session, "not_before = now()")
    assert send(gateway) == 300
    assert states(session) == {"accepted": 300}
    assert len(gateway.taken) == 300


def test_a_refused_country_waits_while_others_go_on(session):
    make_people(session, [phone(n) for n in range(1, 101)], phone_country="LY")
    make_people(session, [f"+3361234{n:04d}" for n in range(50)], phone_country="FR")
    issue(session, make_crisis(session))
    session.commit()

    def answer(request):
        return refused("21408", RefusalScope.COUNTRY)(request) if request.to.startswith("+218") else accepted(request)

    gateway = FakeGateway(answer=answer)
    send(gateway)
    assert states(session) == {"queued": 100, "accepted": 50}
    set_messages(session, "not_before = now()", "state = 'queued'")
    before = len(gateway.submitted)
    send(gateway)
    assert len(gateway.submitted) == before
    session.execute(text("update country_pauses set paused_until = now()"))
    session.commit()
    gateway.answer = accepted
    send(gateway)
    assert states(session) == {"accepted": 150}
    assert len(gateway.taken) == 150


def test_a_throttling_gateway_is_met_with_ever_fewer_requests(committing):
    alert_everybody(db.session, 400)
    gateway = FakeGateway(answer=throttled(), concurrency=400)
    send(gateway, seconds=1.5)
    assert len(gateway.submitted) <= 10 + 2 * 3
    assert states(db.session) == {"queued": 400}


def test_a_gateway_that_throttles_in_mid_alert_is_only_probed(committing):
    alert_everybody(db.session, 600)
    gateway = FakeGateway(concurrency=100)

    def answer(request):
        return accepted(request) if len(gateway.taken) < 100 else throttled()(request)

    gateway.answer = answer
    send(gateway, seconds=2.5)
    assert 200 < len(gateway.submitted) <= 100 + 10 + 100 + 2 * 4


def test_a_line_that_was_throttled_is_only_probed_by_the_next_worker_and_trusted_after_that(committing):
    alert_everybody(db.session, 400)
    send(FakeGateway(answer=throttled(retry_after=90.0)))
    set_messages(db.session, "not_before = now()")
    db.session.execute(text("update senders set paused_until = now()"))
    db.session.commit()
    gateway = FakeGateway(answer=throttled(), concurrency=400)
    send(gateway, seconds=1.5)
    assert len(gateway.submitted) in (2, 4)
    db.session.execute(text("update senders set paused_until = now()"))
    set_messages(db.session, "not_before = now()")
    db.session.commit()
    send(FakeGateway(concurrency=400))
    assert states(db.session) == {"accepted": 400}
    assert db.session.execute(text("select pause_reason from senders")).scalar_one() is None


def test_retry_after_holds_the_whole_line(session):
    alert_everybody(session, 50)
    send(FakeGateway(answer=throttled(retry_after=90.0)))
    left = session.execute(text("select extract(epoch from paused_until - now()) from senders")).scalar_one()
    assert 80 < left <= 90
    assert send(FakeGateway()) == 0


def test_the_wait_of_a_row_grows_with_its_tries(session):
    alert_everybody(session, 1)
    for _ in range(3):
        set_messages(session, "not_before = now()")
        session.execute(text("update senders set paused_until = null"))
        session.commit()
        send(FakeGateway(answer=unreachable))
    assert one(session, "tries").tries == 3


def test_a_request_without_enough_lease_left_is_queued_again(session):
    alert_everybody(session, 3)
    gateway = FakeGateway()
    send(gateway, Pace(rate=100_000, lease_seconds=0.5))
    assert gateway.taken == []
    assert states(session) == {"queued": 3}


def test_nothing_is_sent_after_a_stop_not_even_what_is_claimed(session):
    event_id = alert_everybody(session, 300)
    gateway = FakeGateway(concurrency=50)

    def stop_in_the_middle():
        if len(gateway.taken) >= 20 and not stopped:
            stopped.append(len(gateway.submitted))
            event = db.session.get_one(AlertEvent, event_id)
            event.stopped_at = utc_now()
            db.session.flush()
            cancelled.append(dispatch.cancel_unsent(db.session, event_id, utc_now()))
            db.session.commit()

    stopped: list[int] = []
    cancelled: list[int] = []
    gateway.before_poll = stop_in_the_middle
    send(gateway)
    assert len(gateway.submitted) == stopped[0]
    assert states(session) == {"accepted": len(gateway.taken), "cancelled": 300 - len(gateway.taken)}
    assert cancelled == [300 - len(gateway.taken)]
    assert_counted(event_id)


def test_a_stop_is_effective_before_all_its_rows_are_cancelled(session, monkeypatch):
    event_id = alert_everybody(session, 60)
    monkeypatch.setattr(dispatch, "MOST_CANCELLED_AT_ONCE", 10)
    event = session.get_one(AlertEvent, event_id)
    event.stopped_at = utc_now()
    session.flush()
    assert dispatch.cancel_unsent(session, event_id, utc_now()) == 60
    session.commit()
    gateway = FakeGateway()
    assert send(gateway) == 0
    assert states(session) == {"cancelled": 10, "queued": 50}
    sweeping.sweep()
    assert states(session) == {"cancelled": 60}
    assert_counted(event_id)


def test_a_stop_that_comes_between_claim_and_mark_counts(session):
    event_id = alert_everybody(session, 5)
    claimed = statements.claim(session, "exercise", "worker-1", 5, 60)
    session.get_one(AlertEvent, event_id).stopped_at = utc_now()
    session.flush()
    pairs = [(row.id, row.attempt_id) for row in claimed]
    assert statements.mark_sending(session, pairs, 60) == set()
    note_changes(session, statements.drop(session, pairs))
    session.commit()
    assert states(session) == {"cancelled": 5}
    assert_counted(event_id)


def test_whoever_opted_out_meanwhile_gets_nothing_and_is_no_failure(session):
    event_id = alert_everybody(session, 3)
    session.execute(
        text("insert into opt_outs (value_index, gateway, opted_out_at) values (:index, 'exercise', now())"),
        {"index": cipher.index(phone(2), "phone")},
    )
    session.commit()
    gateway = FakeGateway()
    send(gateway)
    assert {request.to for request in gateway.taken} == {phone(1), phone(3)}
    assert states(session) == {"accepted": 2, "cancelled": 1}
    assert rows(session, "select failure_reason, deaths from messages where state = 'cancelled'") == [("opted_out", 0)]
    assert_counted(event_id)


def test_a_stop_that_only_the_gateway_knew_is_ours_from_then_on(session):
    event_id = alert_everybody(session, 1)
    gateway = FakeGateway(
        answer=lambda request: replace(refused("21610")(request), failure_reason=FailureReason.OPTED_OUT)
    )
    send(gateway)
    assert states(session, event_id) == {"refused": 1}
    assert rows(session, "select value_index, gateway from opt_outs") == [(cipher.index(phone(1), "phone"), "exercise")]
    assert states(session, issue(session, make_crisis(session))) == {}


def test_a_text_whose_time_is_over_is_not_sent(session):
    event_id = alert_everybody(session, 3)
    set_messages(session, "expires_at = now() - interval '1 second'")
    gateway = FakeGateway()
    assert send(gateway) == 0
    assert gateway.submitted == []
    session.execute(text("update alert_events set expires_at = now() - interval '1 second'"))
    session.commit()
    sweeping.sweep()
    assert states(session) == {"expired": 3}
    assert_counted(event_id)


def test_a_text_that_ran_out_after_its_claim_is_not_sent(session):
    alert_everybody(session, 2)
    claimed = statements.claim(session, "exercise", "worker-1", 2, 60)
    set_messages(session, "expires_at = now() - interval '1 second'")
    pairs = [(row.id, row.attempt_id) for row in claimed]
    assert statements.mark_sending(session, pairs, 60) == set()
    statements.drop(session, pairs)
    assert states(session) == {"expired": 2}


def test_a_row_that_another_worker_took_over_is_not_marked(session):
    alert_everybody(session, 2)
    claimed = statements.claim(session, "exercise", "worker-1", 2, 60)
    pairs = [(row.id, row.attempt_id) for row in claimed]
    set_messages(session, "lease_until = now() - interval '1 second'")
    assert statements.mark_sending(session, pairs, 60) == set()
    sweeping.sweep()
    again = statements.claim(session, "exercise", "worker-2", 2, 60)
    assert {row.id for row in again} == {row.id for row in claimed}
    assert statements.mark_sending(session, pairs, 60) == set()


def test_a_clean_stop_finishes_what_is_in_flight_and_gives_the_rest_back(session):
    alert_everybody(session, 200)
    gateway = FakeGateway(concurrency=40)
    assert send(gateway, stop=lambda: len(gateway.taken) >= 20) == len(gateway.submitted)
    assert 20 <= len(gateway.taken) < 200
    assert states(session) == {"accepted": len(gateway.taken), "queued": 200 - len(gateway.taken)}
    assert rows(session, "select distinct tries from messages where state = 'queued'") == [(0,)]


def test_time_over_gives_the_rest_back(session):
    alert_everybody(session, 50)
    gateway = FakeGateway()
    assert send(gateway, Pace(rate=20, lease_seconds=60), seconds=0.3) == len(gateway.taken) < 50
    assert states(session) == {"accepted": len(gateway.taken), "queued": 50 - len(gateway.taken)}


def test_new_rows_are_taken_while_an_old_request_hangs(session):
    alert_everybody(session, 1)
    gateway = FakeGateway()
    gateway.hold = True
    crisis = make_crisis(session)
    session.commit()

    def approve_another():
        if len(gateway.submitted) == 1 and not gateway.taken:
            set_messages(session, "priority = 9")
            issue(db.session, crisis)
            db.session.commit()
            gateway.before_poll = look

    started = time.monotonic()

    def look():
        if len(gateway.submitted) == 2 or time.monotonic() - started > 5:
            gateway.hold = False

    gateway.before_poll = approve_another
    send(gateway)
    assert time.monotonic() - started < 3
    assert len(gateway.taken) == 2


def test_missing_keys_send_nothing_and_lose_nothing(session, config):
    alert_everybody(session, 3)
    gateway = FakeGateway()
    cipher.configure(generate_keys())
    try:
        assert send(gateway) == 0
    finally:
        cipher.configure(config.keys)
    assert gateway.submitted == []
    assert states(session) == {"queued": 3}
    assert send(gateway) == 3


def test_one_unreadable_phone_stops_only_itself(session):
    alert_everybody(session, 5)
    session.execute(
        text("update contact_points set value_sealed = decode('0102', 'hex') where value_index = :index"),
        {"index": cipher.index(phone(3), "phone")},
    )
    session.commit()
    gateway = FakeGateway()
    assert send(gateway) == 4
    assert states(session) == {"accepted": 4, "queued": 1}
    assert rows(session, "select error_code, deaths from messages where state = 'queued'") == [("unreadable", 0)]


class Poison(Exception):
    """What a row may do to the code that works on it."""


class PoisonBook(TextBook):
    """Breaks on one message."""

    def __init__(self, number: int) -> None:
        super().__init__("https://consular.test")
        self.number = number

    def alert(self, event_id, language, number, way):
        if number == self.number:
            raise Poison
        return super().alert(event_id, language, number)


def test_a_row_that_breaks_its_worker_every_time_is_held_and_the_others_go(session):
    event_id = alert_everybody(session, 30)
    poison = rows(session, "select id from messages order by id offset 12 limit 1")[0].id
    gateway = FakeGateway()
    for _ in range(MOST_DEATHS):
        with pytest.raises(Poison):
            drain(gateway, PoisonBook(poison), FAST, "worker-1", 5, never)
        drain(gateway, PoisonBook(poison), FAST, "worker-1", 5, never)
        set_messages(session, "lease_until = now() - interval '1 second'", "state = 'claimed'")
        sweeping.sweep()
    assert states(session) == {"accepted": 29, "held": 1}
    assert one(session, "1") is not None
    assert rows(session, "select id, deaths, error_code from messages where state = 'held'") == [
        (poison, 3, "worker_died")
    ]
    assert_counted(event_id)


def test_an_answer_that_comes_after_the_lease_still_counts(session):
    alert_everybody(session, 1)
    gateway = FakeGateway()

    def freeze():
        if gateway.submitted and not gateway.list:
            set_messages(session, "lease_until = now() - interval '1 second'")
            sweeping.sweep()
            assert states(session) == {"unknown": 1}

    gateway.before_poll = freeze
    send(gateway)
    assert states(session) == {"accepted": 1}


def test_an_answer_of_an_old_attempt_does_not_touch_the_new_one(session):
    alert_everybody(session, 1)
    old = statements.claim(session, "exercise", "worker-1", 1, 60)[0]
    set_messages(session, "state = 'queued'")
    new = statements.claim(session, "exercise", "worker-2", 1, 60)[0]
    statements.mark_sending(session, [(new.id, new.attempt_id)], 60)
    late = statements.OutcomeRow(old.id, old.attempt_id, "refused", "refused", None, "21211", None, 400, 0.1, 0.0)
    assert statements.record(session, "exercise", "worker-1", [late]) == []
    assert states(session) == {"sending": 1}


MOST_IN_A_SECOND = 100 + 15 + 2 + 8
"""At 100 a second: what services.lag lets a worker that was held up make up for at once, and slowly, and a few."""


def fullest_window(times: list[float], seconds: float) -> int:
    times = sorted(times)
    return max(sum(1 for other in times if start <= other < start + seconds) for start in times)


def test_no_window_holds_more_than_the_rate(committing):
    alert_everybody(db.session, 130)
    gateway = FakeGateway()
    send(gateway, Pace(rate=100, lease_seconds=60))
    assert len(gateway.taken) == 130
    assert fullest_window(gateway.taken_at, 1.0) <= MOST_IN_A_SECOND


def test_a_worker_that_was_held_up_does_not_make_up_for_it_at_once(committing):
    alert_everybody(db.session, 350)
    left_at: list[float] = []

    class Stalling(FakeGateway):
        def submit(self, request):
            left_at.append(time.monotonic())
            super().submit(request)

    gateway = Stalling()
    stalls = iter([0.9])

    def stall():
        if len(left_at) >= 100:
            time.sleep(next(stalls, 0.0))

    gateway.before_poll = stall
    send(gateway, Pace(rate=100, lease_seconds=60))
    assert len(gateway.taken) == 350
    assert max(after - before for before, after in pairwise(left_at)) >= 0.8
    assert fullest_window(left_at, 1.0) <= MOST_IN_A_SECOND
    assert left_at[-1] - left_at[0] < 5.5


def test_long_texts_take_their_parts_of_the_rate(committing):
    alert_everybody(db.session, 20, texts={"en": "Stay indoors. " * 12})
    gateway = FakeGateway()
    started = time.monotonic()
    send(gateway, Pace(rate=40, lease_seconds=60))
    assert time.monotonic() - started >= (20 - 1) * 2 / 40 - 0.6


def test_two_workers_share_one_senders_rate(committing):
    with committing.app_context():
        alert_everybody(db.session, 160)
        db.session.remove()
    gateways = [FakeGateway(), FakeGateway()]
    run_together(
        committing,
        [
            lambda g=g, n=n: send(g, Pace(rate=100, lease_seconds=60, claim_size=20), worker=f"w{n}")
            for n, g in enumerate(gateways)
        ],
    )
    times = [moment for gateway in gateways for moment in gateway.taken_at]
    assert len(times) == 160
    assert all(gateway.taken for gateway in gateways)
    assert fullest_window(times, 1.0) <= MOST_IN_A_SECOND


def test_a_far_slot_is_not_reserved(session):
    with db.session.begin_nested():
        statements.open_line(session, "exercise")
    assert statements.reserve_slot(session, "exercise", 30, 5).starts_in == pytest.approx(0, abs=0.5)
    assert statements.reserve_slot(session, "exercise", 30, 5) is None
    assert statements.reserve_slot(session, "exercise", 1, 60).starts_in == pytest.approx(30, abs=0.5)


def test_what_nobody_used_of_a_sender_is_told(session):
    with db.session.begin_nested():
        statements.open_line(session, "exercise")
    session.execute(text("update senders set next_free_at = now() - interval '7 seconds'"))
    assert statements.reserve_slot(session, "exercise", 2, 60).unused == pytest.approx(7, abs=0.01)
    assert statements.reserve_slot(session, "exercise", 2, 60).unused == 0


def run_together(application, works) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work) -> None:
        with application.app_context():
            try:
                barrier.wait()
                work()
            except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's failure
                errors.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_drains_at_the_same_time_never_send_a_text_twice(committing):
    with committing.app_context():
        alert_everybody(db.session, 1200)
        db.session.remove()
    gateways = [FakeGateway(concurrency=50) for _ in range(3)]
    pace = Pace(rate=100_000, lease_seconds=60, claim_size=40, mark_size=20)
    run_together(committing, [lambda g=g: send(g, pace) for g in gateways])
    sent = [request.to for gateway in gateways for request in gateway.taken]
    assert len(sent) == len(set(sent)) == 1200
    with committing.app_context():
        assert states(db.session) == {"accepted": 1200}
        assert_counted(rows(db.session, "select id from alert_events")[0].id)


def test_workers_receipts_replies_and_a_stop_at_once_never_wait_in_a_circle(committing):
    """Every writer locks messages, then people, then counters, each in one order."""
    from consular.providers.twilio.codes import failure_reason, map_status
    from consular.services import inbound, receipts

    with committing.app_context():
        event_id = alert_everybody(db.session, [phone(n // 2) for n in range(400)])
        db.session.remove()
    gateway = FakeGateway(concurrency=50)
    pace = Pace(rate=2000, lease_seconds=60, claim_size=40, mark_size=20)
    is_over = threading.Event()

    def hear() -> None:
        for number in range(120):
            inbound.store("exercise", f"SM{number:032x}", phone(number), ("1", "2", "stop")[number % 3], [], utc_now())
            if number % 10 == 9:
                inbound.process()
        while inbound.process():
            pass

    def report() -> None:
        done = 0
        while not is_over.is_set() or done < len(gateway.taken):
            for request in gateway.taken[done : done + 20]:
                for status in ("sent", "delivered"):
                    receipts.store(
                        "exercise", f"SM{request.attempt_id.hex}", request.attempt_id, status, None, [], utc_now()
                    )
                done += 1
            receipts.process(map_status, failure_reason)
        while receipts.process(map_status, failure_reason):
            pass

    def stop_late() -> None:
        while len(gateway.taken) < 100:
            time.sleep(0.005)
        event = db.session.get_one(AlertEvent, event_id)
        event.stopped_at = utc_now()
        db.session.flush()
        dispatch.cancel_unsent(db.session, event_id, utc_now())
        db.session.commit()

    def work() -> None:
        send(gateway, pace)
        is_over.set()

    run_together(committing, [work, hear, report, stop_late, sweeping.sweep, hear])
    with committing.app_context():
        assert_counted(event_id)
        found = states(db.session, event_id)
        alerts = [request for request in gateway.taken if "Stay indoors" in request.body]
        assert found["delivered"] == len(alerts)
        assert sum(found.values()) == 200


def test_an_unrecorded_answer_survives_a_database_that_is_away_for_a_moment(session, monkeypatch):
    from sqlalchemy.exc import OperationalError

    alert_everybody(session, 10)
    gateway = FakeGateway()
    real = statements.record
    failures = [OperationalError("update", {}, Exception("gone")) for _ in range(2)]

    def record(*arguments):
        if failures:
            raise failures.pop()
        return real(*arguments)

    monkeypatch.setattr(statements, "record", record)
    kept_alive_at = []
    gateway.before_poll = lambda: kept_alive_at.append(len(failures))
    with pytest.raises(OperationalError):
        send(gateway)
    assert states(session) == {"accepted": 10}
    assert len(gateway.taken) == 10
    assert 0 in kept_alive_at, "a lasting connection answers its SMSC while the database is waited for"


def test_outcomes_of_requests_nobody_remembers_are_written_down_too(session):
    alert_everybody(session, 2)
    gateway = FakeGateway()
    claimed = statements.claim(session, "exercise", "worker-0", 1, 60)[0]
    statements.mark_sending(session, [(claimed.id, claimed.attempt_id)], 60)
    session.commit()
    from consular.domain.ports import SmsRequest

    gateway.submit(SmsRequest(claimed.attempt_id, phone(9), "left over", 60, time.monotonic() + 60))
    send(gateway)
    assert states(session) == {"accepted": 2}


def test_an_answer_never_moves_a_message_back(session):
    alert_everybody(session, 1)
    gateway = FakeGateway()
    gateway.before_poll = lambda: set_messages(session, "state = 'delivered'", "state = 'sending'")
    send(gateway)
    assert states(session) == {"delivered": 1}
    assert MessageState.DELIVERED in {MessageState(state) for state in states(session)}


def test_actual_alerts_go_through_the_twilio_gateway(session):
    alert_everybody(session, 2, status=AlertStatus.ACTUAL)
    gateway = FakeGateway("twilio")
    assert send(gateway) == 2
    assert all("EXERCISE" not in request.body for request in gateway.taken)


def test_a_result_keeps_its_latency_and_code(session):
    alert_everybody(session, 1)
    send(
        FakeGateway(
            answer=lambda r: SmsResult(
                r.attempt_id, SendOutcome.UNKNOWN, 503, error_code="http-503", latency_seconds=1.5
            )
        )
    )
    (attempt,) = rows(session, "select outcome, http_status, error_code, latency_seconds from message_attempts")
    assert tuple(attempt) == ("unknown", 503, "http-503", 1.5)
