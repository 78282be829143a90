"""Receipts in any order and number end the same; none moves a message back; none is lost."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.extensions import cipher, db
from consular.providers.twilio.codes import failure_reason, map_status
from consular.queries import counters
from consular.queries import sweeping as sweeping_queries
from consular.services import receipts
from consular.services.receipts import process
from tests.factories import alert_everybody, phone, rows, set_messages, states
from tests.fakes import FakeGateway, lost
from tests.services.test_delivery import assert_counted, send

VERBS = ("queued", "sending", "sent", "failed", "undelivered", "delivered", "read")


def report(
    attempt_id: UUID | None, status: str, error: str | None = None, sid: str = "SM1", gateway: str = "exercise"
) -> None:
    receipts.store(gateway, sid, attempt_id, status, error, [("MessageStatus", status)], utc_now())


def apply() -> int:
    return process(map_status, failure_reason)


def sent_attempt(session) -> UUID:
    gateway = FakeGateway()
    send(gateway)
    return gateway.taken[0].attempt_id


def only(session, columns: str = "state"):
    return rows(session, f"select {columns} from messages")[0]


@pytest.mark.parametrize(
    ("verb", "state", "reach"),
    [
        ("queued", "accepted", "handed_over"),
        ("sent", "sent", "handed_over"),
        ("delivered", "delivered", "delivered"),
        ("read", "read", "delivered"),
        ("undelivered", "undelivered", "not_delivered"),
        ("failed", "failed", "not_delivered"),
        ("canceled", "failed", "not_delivered"),
    ],
)
def test_each_verb_moves_the_message_and_the_person(session, verb, state, reach):
    event_id = alert_everybody(session, 1)
    report(sent_attempt(session), verb)
    assert apply() == 1
    assert states(session) == {state: 1}
    assert rows(session, "select reach from person_statuses") == [(reach,)]
    assert_counted(event_id)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(VERBS)), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
    st.integers(1, 10),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_repetition_and_batch_ends_the_same(session, reports, chance, batch):
    """Each example starts from the same three accepted messages and is rolled back."""
    alert_everybody(session, 3) if not states(session) else None
    if set(states(session)) == {"queued"}:
        send(FakeGateway())
    attempts = [row.attempt_id for row in rows(session, "select attempt_id from messages order by id")]
    clean = "update messages set state = 'accepted', error_code = null, failure_reason = null, delivered_at = null"

    def end(sequence):
        set_messages(session, clean.removeprefix("update messages set "))
        session.execute(text("delete from receipt_events"))
        session.execute(text("delete from counters where key like 'message:%'"))
        for position, (place, verb) in enumerate(sequence, 1):
            report(attempts[place], verb, sid=f"SM{place}")
            if position % batch == 0:
                apply()
        while apply():
            pass
        found = rows(session, "select state, failure_reason from messages order by id")
        return [tuple(row) for row in found], rows(session, "select reach from person_statuses order by person_id")

    shuffled = reports * 2
    chance.shuffle(shuffled)
    assert end(shuffled) == end(reports)


def test_the_same_receipt_again_is_one_row_and_one_step(session):
    event_id = alert_everybody(session, 1)
    attempt = sent_attempt(session)
    for _ in range(5):
        report(attempt, "delivered")
    apply()
    report(attempt, "delivered")
    assert apply() == 0
    assert len(rows(session, "select 1 from receipt_events")) == 1
    assert counters.read(event_id)["message:delivered"] == 1


def test_a_receipt_before_the_answer_is_recorded_counts(session):
    event_id = alert_everybody(session, 1)
    gateway = FakeGateway()

    def early():
        if gateway.submitted:
            report(gateway.submitted[0].attempt_id, "delivered", sid="SMearly")
            apply()

    gateway.before_poll = early
    send(gateway)
    assert only(session, "state, provider_message_id") == ("delivered", "SMearly")
    assert_counted(event_id)


def test_a_receipt_settles_an_unknown_text(session):
    alert_everybody(session, 1)
    gateway = FakeGateway(answer=lost)
    send(gateway)
    report(gateway.submitted[0].attempt_id, "sent", sid="SMlost")
    apply()
    assert only(session, "state, provider_message_id") == ("sent", "SMlost")


@pytest.mark.parametrize("state", ["expired", "cancelled", "refused", "held", "queued"])
def test_a_late_receipt_proves_more_than_our_own_knowledge(session, state):
    event_id = alert_everybody(session, 1)
    attempt = sent_attempt(session)
    set_messages(session, "state = :state", state=state)
    counters.add(session, {(event_id, "message:accepted"): -1, (event_id, f"message:{state}"): 1})
    report(attempt, "delivered")
    apply()
    assert states(session) == {"delivered": 1}
    assert_counted(event_id)


def test_the_old_attempts_receipt_cancels_a_resend(session):
    alert_everybody(session, 1)
    gateway = FakeGateway(answer=lost)
    send(gateway)
    old = gateway.submitted[0].attempt_id
    set_messages(session, "state = 'queued', possible_duplicate = true")
    report(old, "sent")
    apply()
    again = FakeGateway()
    send(again)
    assert again.submitted == []
    assert only(session, "state, possible_duplicate") == ("sent", True)


def test_the_old_attempts_receipt_during_a_second_one_is_a_possible_duplicate(session):
    alert_everybody(session, 1)
    old = uuid_of_message(session)
    gateway = FakeGateway()
    gateway.before_poll = lambda: (report(old, "sent"), apply()) if gateway.submitted else None
    send(gateway)
    assert only(session, "state, possible_duplicate") == ("sent", True)


def uuid_of_message(session) -> UUID:
    return UUID(int=only(session, "id").id << 64 | uuid4().int >> 64)


def test_a_delivery_after_a_failure_clears_its_reason(session):
    alert_everybody(session, 1)
    attempt = sent_attempt(session)
    report(attempt, "undelivered", "30003")
    apply()
    assert only(session, "failure_reason, error_code") == ("unreachable", "30003")
    report(attempt, "delivered")
    apply()
    assert only(session, "state, failure_reason, error_code") == ("delivered", None, None)


@pytest.mark.parametrize(
    ("attempt", "status", "gateway", "result"),
    [
        ("mine", "delivered", "exercise", "applied"),
        ("mine", "queued", "exercise", "stale"),
        ("mine", "teleported", "exercise", "unknown_status"),
        ("mine", "delivered", "twilio", "unmatched"),
        ("other", "delivered", "exercise", "unmatched"),
        ("huge", "delivered", "exercise", "unmatched"),
        (None, "delivered", "exercise", "waiting"),
        (None, "teleported", "exercise", "unmatched"),
    ],
)
def test_every_receipt_is_kept_with_what_became_of_it(session, attempt, status, gateway, result):
    alert_everybody(session, 1)
    mine = sent_attempt(session)
    ids = {"mine": mine, "other": UUID(int=10**9 << 64), "huge": UUID(int=2**128 - 1), None: None}
    report(ids[attempt], status, sid="SMnobody", gateway=gateway)
    apply()
    (row,) = rows(session, "select result, processed_at from receipt_events")
    assert (row.result if row.processed_at else "waiting") == result
    assert states(session) == {"delivered" if result == "applied" else "accepted": 1}


def test_a_report_without_attempt_is_matched_by_the_gateways_id(session):
    alert_everybody(session, 2)
    gateway = FakeGateway()
    send(gateway)
    report(None, "delivered", sid=gateway.list[0].provider_message_id)
    apply()
    assert states(session) == {"accepted": 1, "delivered": 1}


def time_passes(session, seconds: float) -> None:
    """Move the next look at receipts that wait into the past instead of waiting."""
    session.execute(
        text("""update receipt_events set result = split_part(result, ' ', 1) || ' ' ||
            (cast(split_part(result, ' ', 2) as bigint) - :seconds)
            where processed_at is null and result is not null"""),
        {"seconds": seconds},
    )
    session.commit()


@pytest.mark.parametrize("gateway", ["exercise", "twilio", "http"])
@pytest.mark.parametrize("seconds", [3, 60, 230])
@pytest.mark.parametrize("clock", [-3600, 0, 3600])
def test_a_receipt_that_overtook_its_answer_is_applied_when_that_is_written(session, gateway, seconds, clock):
    alert_everybody(session, 1, status=AlertStatus.EXERCISE if gateway == "exercise" else AlertStatus.ACTUAL)
    set_messages(session, "gateway = :gateway", gateway=gateway)
    report(None, "delivered", sid="SM-fast", gateway=gateway)
    session.execute(text("update receipt_events set received_at = now() + :s * interval '1 second'"), {"s": clock})
    assert apply() == 1
    for _ in range(seconds):
        time_passes(session, 1)
        apply()
    report(None, "delivered", sid="SM-fast", gateway=gateway)
    assert states(session) == {"queued": 1}
    send(FakeGateway(gateway))
    set_messages(session, "provider_message_id = 'SM-fast'")
    time_passes(session, 151)
    apply()
    assert states(session) == {"delivered": 1}
    assert rows(session, "select result, processed_at is not null from receipt_events") == [("applied", True)]


def test_a_receipt_that_fits_nothing_is_looked_at_seldom_and_given_up_in_time(session):
    alert_everybody(session, 1)
    report(None, "delivered", sid="of-somebody-else")
    looks = 0
    for _ in range(300):
        looks += apply()
        assert not sweeping_queries.pending()["receipts"], "nobody is woken before the next look"
        time_passes(session, 1)
    assert looks == 6
    assert rows(session, "select result, processed_at is not null from receipt_events") == [("unmatched", True)]


def test_the_clock_wakes_for_a_receipt_that_waited(session):
    alert_everybody(session, 1)
    report(None, "delivered", sid="of-somebody-else")
    apply()
    assert not sweeping_queries.pending()["receipts"]
    time_passes(session, 5)
    assert sweeping_queries.pending()["receipts"]


def test_receipts_that_fit_nothing_do_not_stand_before_those_that_do(session, monkeypatch):
    monkeypatch.setattr(receipts, "BATCH", 5)
    alert_everybody(session, 3)
    gateway = FakeGateway()
    send(gateway)
    for number in range(20):
        report(None, "delivered", sid=f"of-somebody-else-{number}")
    while apply():
        pass
    time_passes(session, 3)
    for listed in gateway.list:
        report(None, "delivered", sid=listed.provider_message_id)
    assert apply() == 3 + 1
    assert states(session) == {"delivered": 3}


def test_an_attempts_receipt_counts_also_when_its_text_goes_by_another_gateway_now(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    gateway = FakeGateway("http", answer=lost)
    set_messages(session, "gateway = 'http'")
    send(gateway)
    set_messages(session, "gateway = 'twilio', state = 'queued', possible_duplicate = true")
    report(gateway.submitted[0].attempt_id, "delivered", sid="0A", gateway="http")
    apply()
    assert states(session) == {"delivered": 1}


@pytest.mark.parametrize(("status", "gateway"), [(AlertStatus.ACTUAL, "exercise"), (AlertStatus.EXERCISE, "http")])
@pytest.mark.parametrize("is_proved", [True, False], ids=["by attempt", "by gateway id"])
def test_practice_never_tells_about_what_is_real_nor_the_reverse(session, status, gateway, is_proved):
    alert_everybody(session, 1, status=status)
    own = FakeGateway("exercise" if status is AlertStatus.EXERCISE else "twilio")
    send(own)
    attempt = own.taken[0].attempt_id if is_proved else None
    report(attempt, "delivered", sid=own.list[0].provider_message_id, gateway=gateway)
    for _ in range(6):
        apply()
        time_passes(session, 151)
    assert states(session) == {"accepted": 1}
    assert rows(session, "select result from receipt_events") == [("unmatched",)]


def test_the_gateways_id_of_an_earlier_attempt_is_remembered(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'http'")
    send(FakeGateway("http"))
    (first,) = rows(session, "select provider_message_id as sid, attempt_id from messages")
    set_messages(session, "gateway = 'twilio', state = 'queued', provider_message_id = null")
    send(FakeGateway("twilio"))
    report(None, "delivered", sid=first.sid, gateway="http")
    apply()
    assert states(session) == {"delivered": 1}


def test_a_short_id_that_came_round_again_means_the_later_text(session):
    alert_everybody(session, 2)
    send(FakeGateway())
    first, second = (row.id for row in rows(session, "select id from messages order by id"))
    set_messages(
        session, "provider_message_id = '42', accepted_at = now() - interval '1 day' * (id = :later)::int", later=second
    )
    report(None, "delivered", sid="42")
    apply()
    assert dict(map(tuple, rows(session, "select id, state from messages"))) == {first: "delivered", second: "accepted"}


def test_the_raw_form_is_kept_sealed(session):
    receipts.store("exercise", "SM1", None, "sent", None, [("To", phone(1)), ("x", "a\0\ud800")], utc_now())
    (row,) = rows(session, "select id, raw_sealed from receipt_events")
    assert phone(1).encode() not in bytes(row.raw_sealed)
    assert phone(1) in cipher.open(bytes(row.raw_sealed), "receipt_events.raw", row.id)


def test_a_shared_phones_delivery_reaches_everybody_behind_it(session):
    event_id = alert_everybody(session, [phone(1)] * 4)
    report(sent_attempt(session), "delivered")
    apply()
    crisis_id = rows(session, "select crisis_id from alert_events")[0].crisis_id
    assert counters.read(crisis_id)["bucket:silent"] == 4
    assert_counted(event_id)


def test_more_than_a_batch_is_done_batch_by_batch(session, monkeypatch):
    monkeypatch.setattr(receipts, "BATCH", 4)
    event_id = alert_everybody(session, 10)
    gateway = FakeGateway()
    send(gateway)
    for request in gateway.taken:
        report(request.attempt_id, "delivered", sid=f"SM{request.attempt_id.hex}")
    assert [apply(), apply(), apply(), apply()] == [4, 4, 2, 0]
    assert states(session) == {"delivered": 10}
    assert_counted(event_id)


def test_two_processes_share_the_work(committing):
    from tests.services.test_delivery import run_together

    with committing.app_context():
        event_id = alert_everybody(db.session, 60)
        gateway = FakeGateway()
        send(gateway)
        for request in gateway.taken:
            for verb in ("sent", "delivered"):
                report(request.attempt_id, verb, sid=f"SM{request.attempt_id.hex}")
        db.session.remove()

    def work():
        while apply():
            pass

    run_together(committing, [work, work, work])
    with committing.app_context():
        while apply():
            pass
        assert states(db.session) == {"delivered": 60}
        assert_counted(event_id)
