"""What dead workers and time leave behind is put right; an unknown text is settled by proof or by its alert's class."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.alerts import MessageClass
from consular.domain.cap import AlertStatus
from consular.domain.delivery import MOST_UNKNOWNS, SILENCE_BEFORE_RESEND
from consular.domain.ports import GatewayError
from consular.extensions import cipher, db
from consular.providers.twilio.codes import failure_reason, map_status
from consular.queries import counters
from consular.services import receipts, routing, sweeping
from consular.services.sql_store import actual_ports
from consular.services.texts import TextBook
from tests.factories import alert_everybody, message_ids, phone, rows, set_messages, states
from tests.fakes import FakeGateway, lost
from tests.services.test_delivery import assert_counted, send

BOOK = TextBook("https://consular.test")
LATER = "interval '61 seconds'"


class Kicks:
    """Remembers who was woken."""

    def __init__(self) -> None:
        self.queues: list[str] = []

    def kick(self, queue: str, width: int = 1) -> bool:
        self.queues.append(queue)
        return True


def look(gateway: FakeGateway) -> dict[str, int]:
    return sweeping.reconcile(gateway, BOOK)


def time_passes(session, interval: str) -> None:
    """Move everything into the past instead of waiting."""
    moves = ", ".join(f"{column} = {column} - {interval}" for column in ("not_before", "sending_at", "not_found_at"))
    set_messages(session, moves)


def unknown(session, gateway: FakeGateway, **event):
    event_id = alert_everybody(session, 1, **event)
    gateway.answer = gateway.taken_but_lost if gateway.answer is not lost else lost
    send(gateway)
    assert states(session) == {"unknown": 1}
    return event_id


@pytest.mark.parametrize(
    ("state", "after", "deaths"), [("claimed", "queued", 1), ("sending", "unknown", 0)], ids=["claimed", "sending"]
)
def test_leases_of_dead_workers_are_given_up(session, state, after, deaths):
    event_id = alert_everybody(session, 3)
    set_messages(
        session,
        "state = :state, worker = 'dead', attempt_id = gen_random_uuid(), sending_at = now(),"
        " lease_until = now() - interval '1 second'",
        state=state,
    )
    assert sweeping.sweep() == {"lapsed": 3, "ended": 0}
    assert states(session) == {after: 3}
    assert rows(session, "select distinct deaths, lease_until from messages") == [(deaths, None)]
    assert len(rows(session, "select 1 from message_attempts where outcome = 'unknown'")) == (
        3 if state == "sending" else 0
    )
    assert_counted(event_id)


@pytest.mark.parametrize("state", ["claimed", "sending"])
def test_a_living_workers_lease_is_respected(session, state):
    alert_everybody(session, 2)
    set_messages(session, "state = :state, lease_until = now() + interval '1 second'", state=state)
    sweeping.sweep()
    assert states(session) == {state: 2}


def test_sweeping_twice_changes_nothing_more(session):
    event_id = alert_everybody(session, 3)
    set_messages(session, "state = 'claimed', lease_until = now() - interval '1 second'")
    sweeping.sweep()
    assert sweeping.sweep() == {"lapsed": 0, "ended": 0}
    assert_counted(event_id)


def test_one_sweeper_at_a_time(committing):
    with committing.app_context():
        alert_everybody(db.session, 2)
        set_messages(db.session, "state = 'claimed', lease_until = now() - interval '1 second'")
        db.session.remove()
        with db.engine.begin() as other:
            assert other.execute(text(f"select pg_try_advisory_xact_lock({sweeping.sweeping._LOCK})")).scalar()
            assert sweeping.sweep() == {}
        assert sweeping.sweep()["lapsed"] == 2


def test_more_than_one_batch_is_ended_in_one_sweep(session, monkeypatch):
    monkeypatch.setattr(sweeping, "_BATCH", 10)
    event_id = alert_everybody(session, 35)
    session.execute(text("update alert_events set stopped_at = now()"))
    session.commit()
    assert sweeping.sweep()["ended"] == 35
    assert states(session) == {"cancelled": 35}
    assert_counted(event_id)


def test_a_text_in_the_gateways_list_was_accepted(session):
    gateway = FakeGateway()
    event_id = unknown(session, gateway)
    assert look(gateway) == {"accepted": 1}
    (row,) = rows(session, "select provider_message_id, possible_duplicate from messages")
    assert (row.provider_message_id, row.possible_duplicate) == (gateway.list[0].provider_message_id, False)
    assert_counted(event_id)


def test_another_text_to_the_same_phone_proves_nothing(session):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway)
    gateway.take(
        gateway.submitted[0].__class__(gateway.submitted[0].attempt_id, gateway.submitted[0].to, "Hello", 60, 0.0)
    )
    assert look(gateway) == {"unknown": 1}


def test_life_safety_is_sent_again_after_two_empty_looks_a_minute_apart(session):
    gateway = FakeGateway(answer=lost)
    event_id = unknown(session, gateway)
    assert look(gateway) == {"unknown": 1}
    assert look(gateway) == {}, "not asked again at once"
    time_passes(session, "interval '31 seconds'")
    assert look(gateway) == {"unknown": 1}, "one minute is not over"
    time_passes(session, LATER)
    assert look(gateway) == {"queued": 1}
    assert rows(session, "select possible_duplicate from messages") == [(True,)]
    gateway.answer = FakeGateway().answer
    send(gateway)
    assert states(session) == {"accepted": 1}
    assert len(gateway.taken) == 1
    assert_counted(event_id)


def test_a_normal_alert_waits_until_its_text_can_no_longer_arrive(session):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway, message_class=MessageClass.NORMAL, validity=timedelta(hours=1))
    look(gateway)
    for _ in range(3):
        time_passes(session, LATER)
        assert look(gateway) == {"unknown": 1}
    time_passes(session, "interval '66 minutes'")
    assert look(gateway) == {"queued": 1}


def test_a_sensitive_text_is_held_for_an_officer(session):
    gateway = FakeGateway(answer=lost)
    event_id = unknown(session, gateway, message_class=MessageClass.SENSITIVE)
    look(gateway)
    time_passes(session, LATER)
    assert look(gateway) == {"held": 1}
    assert_counted(event_id)


def test_a_text_that_is_unknown_every_time_is_held(session):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway)
    for go in range(MOST_UNKNOWNS):
        look(gateway)
        time_passes(session, LATER)
        assert look(gateway) == {"held" if go == MOST_UNKNOWNS - 1 else "queued": 1}
        if go < MOST_UNKNOWNS - 1:
            send(gateway)
    assert len(gateway.submitted) == MOST_UNKNOWNS


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        ("update alert_events set stopped_at = now()", "cancelled"),
        ("update messages set expires_at = now() - interval '1 second'", "expired"),
    ],
    ids=["stopped", "over"],
)
def test_nothing_is_sent_again_for_an_alert_that_ended(session, statement, after):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway)
    look(gateway)
    time_passes(session, LATER)
    session.execute(text(statement))
    session.commit()
    assert look(gateway) == {after: 1}
    assert rows(session, "select possible_duplicate from messages") == [(False,)]


def test_a_list_that_does_not_answer_decides_nothing_and_is_not_pressed(session):
    gateway = FakeGateway(answer=lost)
    alert_everybody(session, 5)
    send(gateway)
    gateway.list_error = True
    for _ in range(2):
        time_passes(session, LATER)
        assert look(gateway) == {}
    assert gateway.list_calls == 2
    assert states(session) == {"unknown": 5}
    time_passes(session, LATER)
    gateway.list_error = False
    assert look(gateway) == {"unknown": 5}, "a failed look is no empty look"


def test_a_text_whose_look_fails_gives_way_to_the_others(session):
    gateway = FakeGateway(answer=lost)
    alert_everybody(session, 3)
    send(gateway)
    real, first = gateway.find, phone(1)

    def find(to, since):
        if to == first:
            raise GatewayError("The list refuses this number.")
        return real(to, since)

    gateway.find = find  # type: ignore[method-assign]
    first_round = look(gateway)
    time_passes(session, "interval '11 seconds'")
    assert first_round.get("unknown", 0) + look(gateway).get("unknown", 0) == 2


def test_an_unreadable_phone_stops_only_its_own_look(session):
    gateway = FakeGateway(answer=lost)
    alert_everybody(session, 3)
    send(gateway)
    session.execute(
        text("update contact_points set value_sealed = decode('0102', 'hex') where value_index = :index"),
        {"index": cipher.index(phone(2), "phone")},
    )
    session.commit()
    assert look(gateway) == {"unknown": 2}


def test_a_list_that_never_answers_is_waited_for_until_the_text_cannot_arrive(session):
    gateway = FakeGateway(answer=lost)
    alert_everybody(session, 2, validity=timedelta(hours=1))
    send(gateway)
    gateway.list_error = True
    time_passes(session, "interval '64 minutes'")
    assert look(gateway) == {}
    session.execute(text("update messages set expires_at = expires_at - interval '70 minutes'"))
    time_passes(session, "interval '10 minutes'")
    assert look(gateway) == {"failed": 2}


def without_list(session, **event) -> FakeGateway:
    """A gateway that has no list, and one text of which nobody knows whether it took it."""
    gateway = FakeGateway(answer=lost)
    gateway.has_list = False
    unknown(session, gateway, **event)
    return gateway


def waits_seconds(session) -> float:
    (row,) = rows(session, "select extract(epoch from not_before - sending_at) as waits from messages")
    return float(row.waits)


def test_without_a_list_a_life_safety_text_is_sent_again_after_minutes_of_silence(session):
    gateway = without_list(session)
    assert look(gateway) == {"unknown": 1}
    assert waits_seconds(session) == pytest.approx(SILENCE_BEFORE_RESEND.total_seconds(), abs=1)
    assert look(gateway) == {}, "looked at again when something can be decided, not before"
    time_passes(session, "interval '178 seconds'")
    assert look(gateway) == {}
    time_passes(session, "interval '4 seconds'")
    assert look(gateway) == {"queued": 1}
    assert rows(session, "select possible_duplicate, error_code from messages") == [(True, "no_trace")]


@pytest.mark.parametrize(
    ("message_class", "waits", "after"),
    [(MessageClass.NORMAL, 3600 + 300, "queued"), (MessageClass.SENSITIVE, 180, "held")],
)
def test_without_a_list_the_class_decides(session, message_class, waits, after):
    gateway = without_list(session, message_class=message_class, validity=timedelta(hours=1))
    assert look(gateway) == {"unknown": 1}
    assert waits_seconds(session) == pytest.approx(waits, abs=1)
    time_passes(session, f"interval '{waits + 2} seconds'")
    assert look(gateway) == {after: 1}


@pytest.mark.parametrize(
    "statement",
    [
        "update alert_events set stopped_at = now()",
        "update messages set expires_at = now() - interval '1 second'",
    ],
    ids=["stopped", "over"],
)
def test_without_a_list_nothing_that_may_arrive_is_called_cancelled_or_expired(session, statement):
    gateway = without_list(session, validity=timedelta(hours=1))
    session.execute(text(statement))
    session.commit()
    time_passes(session, "interval '10 minutes'")
    assert look(gateway) == {"unknown": 1}
    time_passes(session, "interval '1 hour'")
    assert look(gateway) == {"failed": 1}


def test_an_alert_that_ends_during_the_decision_keeps_its_doubt(session):
    gateway = without_list(session)
    time_passes(session, "interval '10 minutes'")
    real = gateway.find

    def find(to, since):
        session.execute(text("update alert_events set stopped_at = now()"))
        session.commit()
        return real(to, since)

    gateway.find = find  # type: ignore[method-assign]
    assert look(gateway) == {"unknown": 1}


def test_without_a_list_a_receipt_still_settles(session):
    gateway = without_list(session)
    look(gateway)
    receipts.store("exercise", "7", gateway.submitted[0].attempt_id, "delivered", None, [], utc_now())
    receipts.process(map_status, failure_reason)
    time_passes(session, "interval '10 minutes'")
    assert look(gateway) == {}
    assert states(session) == {"delivered": 1}


def make_acknowledgement(session) -> None:
    """The only message becomes the receipt of a reply."""
    session.execute(
        text("""
        insert into inbound_messages (id, gateway, provider_message_id, sender_sealed, sender_index, body_sealed,
            raw_sealed, received_at, path)
        select gen_random_uuid(), 'exercise', 'SM1', value_sealed, value_index, '', '', now(), 'webhook'
        from contact_points
        """)
    )
    set_messages(
        session,
        "kind = 'acknowledgement', event_id = null, contact_point_id = contact_point_id,"
        " inbound_id = (select id from inbound_messages)",
    )


@pytest.mark.parametrize(("minutes", "after"), [(-1, "expired"), (1, "held")], ids=["too late", "in time"])
def test_the_receipt_of_a_reply_that_is_held_ends_with_its_time(session, minutes, after):
    alert_everybody(session, 1)
    make_acknowledgement(session)
    set_messages(session, f"state = 'held', expires_at = now() + interval '{minutes} minutes'")
    sweeping.sweep()
    assert states(session) == {after: 1}


def test_the_receipt_of_a_reply_is_given_up_only_after_two_empty_looks(session):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway)
    make_acknowledgement(session)
    assert look(gateway) == {"unknown": 1}
    time_passes(session, LATER)
    assert look(gateway) == {"failed": 1}


def test_a_receipt_during_the_look_wins(session):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway)
    look(gateway)
    time_passes(session, LATER)
    real = gateway.find

    def find(to, since):
        set_messages(session, "state = 'delivered'")
        return real(to, since)

    gateway.find = find  # type: ignore[method-assign]
    assert look(gateway) == {"settled": 1}
    assert states(session) == {"delivered": 1}


def test_two_workers_look_for_different_texts(session):
    gateway = FakeGateway(answer=lost)
    alert_everybody(session, 3)
    send(gateway)
    ports = actual_ports(BOOK)
    first = sweeping.Reconciliation(gateway, ports).steps(10.0)
    assert [next(first).name for _ in range(2)] == ["unknowns", "look"]
    assert sweeping.reconcile(gateway, BOOK) == {}
    assert gateway.list_calls == 0
    for _ in first:
        pass
    assert gateway.list_calls == 3


def test_a_text_that_was_taken_by_a_worker_that_died_is_looked_for_by_another(session):
    gateway = FakeGateway(answer=lost)
    unknown(session, gateway)
    dead = sweeping.Reconciliation(gateway, actual_ports(BOOK)).steps(10.0)
    assert [next(dead).name for _ in range(2)] == ["unknowns", "look"]
    dead.close()
    time_passes(session, "interval '11 seconds'")
    assert look(gateway) == {"unknown": 1}


def test_looks_end_when_their_time_is_over(session):
    gateway = FakeGateway(answer=lost)
    alert_everybody(session, 5)
    send(gateway)
    assert sweeping.reconcile(gateway, BOOK, seconds=0) == {}
    assert gateway.list_calls == 0


@pytest.mark.parametrize("gateway", ["twilio", "smpp", "http"])
def test_what_a_gateway_left_in_doubt_that_is_gone_is_settled_by_silence_and_goes_by_another(session, gateway):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = :gateway", gateway=gateway)
    send(FakeGateway(gateway, answer=lost))
    assert states(session) == {"unknown": 1}
    others = {"twilio": "+15005550006", "http": "+15005550007"}
    others.pop(gateway, None)
    assert sweeping.settle_gone({gateway}, BOOK) == {}, "its own sender settles it"
    assert sweeping.settle_gone(others, BOOK) == {"unknown": 1}
    time_passes(session, "interval '178 seconds'")
    assert sweeping.settle_gone(others, BOOK) == {}
    time_passes(session, "interval '4 seconds'")
    assert sweeping.settle_gone(others, BOOK) == {"queued": 1}
    (moved,) = routing.reroute(others, Kicks()).items()  # type: ignore[arg-type]
    assert moved in {(name, 1) for name in others}
    assert rows(session, "select gateway, state, possible_duplicate from messages") == [(moved[0], "queued", True)]


def test_a_sensitive_text_in_doubt_at_a_gateway_that_is_gone_is_held_for_an_officer(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL, message_class=MessageClass.SENSITIVE)
    set_messages(session, "gateway = 'smpp'")
    send(FakeGateway("smpp", answer=lost))
    time_passes(session, "interval '182 seconds'")
    assert sweeping.settle_gone({"twilio"}, BOOK) == {"held": 1}


def test_a_text_in_doubt_whose_phone_does_not_open_is_settled_too_when_nobody_can_be_asked(session):
    alert_everybody(session, 1)
    send(FakeGateway(answer=lost))
    session.execute(text("update contact_points set value_sealed = decode('0102', 'hex')"))
    time_passes(session, "interval '182 seconds'")
    assert sweeping.settle_gone((), BOOK) == {"queued": 1}


def test_waking_asks_only_for_what_waits(session):
    kicks = Kicks()
    sweeping.wake(kicks)  # type: ignore[arg-type]
    assert kicks.queues == []
    alert_everybody(session, 1)
    sweeping.wake(kicks)  # type: ignore[arg-type]
    assert kicks.queues == ["exercise"]


@pytest.mark.parametrize(
    ("assignments", "woken"),
    [
        ("state = 'unknown', not_before = now()", ["exercise"]),
        ("state = 'queued', not_before = now() + interval '1 minute'", []),
        ("state = 'accepted'", []),
        ("state = 'queued', gateway = 'twilio'", ["twilio"]),
    ],
    ids=["unknown", "later", "done", "twilio"],
)
def test_what_wakes_a_sender(session, assignments, woken):
    alert_everybody(session, 1)
    set_messages(session, assignments)
    kicks = Kicks()
    sweeping.wake(kicks)  # type: ignore[arg-type]
    assert kicks.queues == woken


def test_counters_stay_right_through_all_of_it(session):
    gateway = FakeGateway(answer=lost)
    event_id = unknown(session, gateway)
    look(gateway)
    time_passes(session, LATER)
    look(gateway)
    assert counters.read(event_id) == {"message:queued": 1, "message:unknown": 0}
    assert message_ids(session)
    assert_counted(event_id)
