"""Fan-out: every selected person once, every phone once, all or nothing, and counters that agree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from consular.clock import utc_now
from consular.domain.audience import AudienceRule
from consular.domain.cap import AlertStatus
from consular.domain.delivery import MessageState
from consular.extensions import cipher, db
from consular.models.people import ContactPoint
from consular.queries import counters
from consular.queries.fanout import FanOutCount
from consular.services import dispatch
from tests.factories import (
    EVERYBODY_IN_LIBYA,
    contact,
    issue,
    make_crisis,
    make_event,
    make_people,
    message_ids,
    phone,
    rows,
    set_messages,
    states,
)
from tests.waiting import eventually


def fan_out(session, event, rule=EVERYBODY_IN_LIBYA, gateway="exercise"):
    dispatch.choose_people(session, rule, utc_now())
    return dispatch.fan_out(session, event, gateway)


def test_one_message_per_phone_and_one_recipient_per_person(session):
    people = make_people(session, [phone(1), phone(2), phone(2), phone(2), None])
    event = make_event(session, make_crisis(session))
    count = fan_out(session, event)
    assert (count.people, count.messages, count.excluded) == (5, 2, 1)
    found = rows(session, "select person_id, message_id, exclusion from recipients")
    assert {row.person_id for row in found} == set(people)
    assert sorted(str(row.exclusion) for row in found) == ["None", "None", "None", "None", "no_phone"]
    assert len({row.message_id for row in found if row.message_id}) == 2
    shared = rows(session, "select m.id from messages m where endpoint_index = :i", i=cipher.index(phone(2), "phone"))
    assert len(shared) == 1
    assert counters.read(event.id) == {"message:queued": 2}
    assert {k: v for k, v in counters.read(event.crisis_id).items() if v} == counters.recount_crisis(event.crisis_id)
    assert counters.read(event.crisis_id)["reach:waiting"] == 4


def test_statistics_from_the_middle_of_an_import_do_not_stop_an_alert(session):
    """Autovacuum looked while nobody of an import was committed, so that the planner takes the tables for empty."""
    make_people(session, 1500)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
        other.execute(text("analyze people, stays, contact_points"))
    event = make_event(session, make_crisis(session))
    session.execute(text("set local statement_timeout = '20s'"))
    assert fan_out(session, event).people == 1500


def test_only_the_people_the_rule_selects(session):
    inside = make_people(session, [phone(1)])
    make_people(session, [phone(2)], country="TN")
    event = make_event(session, make_crisis(session))
    fan_out(session, event)
    assert [row.person_id for row in rows(session, "select person_id from recipients")] == inside


def test_an_empty_rule_selects_nobody(session):
    make_people(session, 3)
    event = make_event(session, make_crisis(session))
    count = fan_out(session, event, AudienceRule(countries=()))
    assert (count.people, count.messages) == (0, 0)


def test_the_newest_usable_phone_is_taken(session):
    (person,) = make_people(session, [phone(1)])
    for number, unusable in ((2, None), (3, "now()")):
        row = contact(person, phone(number))
        moment = utc_now() + timedelta(days=number)
        session.execute(insert(ContactPoint), [{**row, "created_at": moment}])
        if unusable:
            session.execute(text("update contact_points set unusable_since = now() where id = :id"), {"id": row["id"]})
    event = make_event(session, make_crisis(session))
    fan_out(session, event)
    assert rows(session, "select endpoint_index from messages")[0].endpoint_index == cipher.index(phone(2), "phone")


@pytest.mark.parametrize(
    ("statement", "exclusion"),
    [
        ("update contact_points set unusable_since = now(), unusable_reason = 'wrong_person'", "unusable_phone"),
        ("insert into opt_outs select value_index, 'exercise', now() from contact_points", "opted_out"),
        ("delete from contact_points", "no_phone"),
    ],
)
def test_who_cannot_get_a_text_is_listed_with_the_reason(session, statement, exclusion):
    make_people(session, 1)
    session.execute(text(statement))
    event = make_event(session, make_crisis(session))
    count = fan_out(session, event)
    assert (count.messages, count.excluded) == (0, 1)
    assert rows(session, "select exclusion, message_id from recipients") == [(exclusion, None)]
    assert counters.read(event.crisis_id)["reach:no_phone"] == 1


def test_an_opt_out_that_ended_is_none(session):
    make_people(session, 1)
    session.execute(text("insert into opt_outs select value_index, 'exercise', now(), now() from contact_points"))
    assert fan_out(session, make_event(session, make_crisis(session))).messages == 1


def test_an_event_is_never_fanned_out_twice(session):
    make_people(session, 5)
    event = make_event(session, make_crisis(session))
    fan_out(session, event)
    with pytest.raises(IntegrityError), session.begin_nested():
        fan_out(session, event)
    assert states(session) == {"queued": 5}
    assert counters.read(event.id) == {"message:queued": 5}


def test_a_second_alert_keeps_what_people_said_and_waits_again_for_the_unreached(session):
    make_people(session, 3)
    crisis = make_crisis(session)
    first = issue(session, crisis)
    session.execute(text("update messages set state = 'undelivered' where event_id = :e"), {"e": first})
    from consular.queries import reach

    reach.apply(session, [row.id for row in rows(session, "select id from messages")])
    assert counters.read(crisis)["reach:not_delivered"] == 3
    issue(session, crisis)
    assert counters.read(crisis)["reach:not_delivered"] == 0
    assert counters.read(crisis)["reach:waiting"] == 3
    assert {k: v for k, v in counters.read(crisis).items() if v} == counters.recount_crisis(crisis)


@pytest.mark.parametrize(
    ("status", "gateway"),
    [(AlertStatus.EXERCISE, "twilio"), (AlertStatus.ACTUAL, "exercise")],
    ids=["to real", "to practice"],
)
def test_an_alert_never_goes_to_the_other_kind_of_gateway(session, status, gateway):
    make_people(session, 1)
    event = make_event(session, make_crisis(session, status), status=status)
    with pytest.raises(ValueError, match="practice gateway"):
        fan_out(session, event, gateway=gateway)
    assert states(session) == {}


def test_nothing_stays_when_the_approval_is_rolled_back(committing):
    from consular.extensions import db

    with committing.app_context():
        make_people(db.session, 3)
        db.session.commit()
        event = make_event(db.session, make_crisis(db.session))
        fan_out(db.session, event)
        db.session.rollback()
        assert states(db.session) == {}
        assert rows(db.session, "select 1 from recipients") == rows(db.session, "select 1 from counters") == []


def test_a_standing_that_appears_in_the_same_moment_is_kept_and_counted_once(committing):
    """Somebody's reply gives them a standing while an alert of that crisis is released: the one waits for the other."""
    (first, *_) = make_people(db.session, 3)
    crisis = make_crisis(db.session)
    event = make_event(db.session, crisis)
    db.session.commit()
    reply = db.engine.connect()
    values = {"crisis": crisis, "person": first}
    reply.execute(text("insert into person_statuses values (:crisis, :person, 'waiting')"), values)

    def release() -> FanOutCount:
        with committing.app_context():
            count = fan_out(db.session, db.session.merge(event))
            db.session.commit()
            return count

    with ThreadPoolExecutor(1) as pool, db.engine.connect() as watcher:
        waiting = text(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        released = pool.submit(release)
        assert eventually(lambda: watcher.execute(waiting).scalar() == 1)
        reply.commit()
        count = released.result(20)
    reply.close()
    assert (count.people, count.messages, count.fresh) == (3, 3, {"waiting": 2})
    assert len(rows(db.session, "select 1 from person_statuses")) == 3
    assert counters.read(crisis)["reach:waiting"] == 2


@pytest.mark.parametrize("state", [state.value for state in MessageState])
def test_a_stop_takes_only_what_was_not_given_to_a_socket(session, state):
    make_people(session, 2)
    event_id = issue(session, make_crisis(session))
    set_messages(session, "state = :state", state=state)
    session.execute(text("delete from counters where scope_id = :e"), {"e": event_id})
    counters.add(
        session,
        {
            (event_id, f"message:{key.removeprefix('message:')}"): n
            for key, n in counters.recount_event(event_id).items()
        },
    )
    session.execute(text("update alert_events set stopped_at = now()"))
    is_unsent = state in ("queued", "claimed", "held")
    assert dispatch.cancel_unsent(session, event_id, utc_now()) == (2 if is_unsent else 0)
    assert states(session) == {"cancelled" if is_unsent else state: 2}
    assert {k: v for k, v in counters.read(event_id).items() if v} == counters.recount_event(event_id)


def test_a_held_text_that_may_have_left_is_not_called_cancelled(session):
    make_people(session, 2)
    event_id = issue(session, make_crisis(session))
    doubted = min(message_ids(session))
    set_messages(session, "state = 'held'")
    counters.add(session, {(event_id, "message:queued"): -2, (event_id, "message:held"): 2})
    session.execute(
        text("""
        insert into message_attempts (id, message_id, gateway, outcome)
        values (gen_random_uuid(), :id, 'exercise', 'unknown')
        """),
        {"id": doubted},
    )
    session.execute(text("update alert_events set stopped_at = now()"))
    assert dispatch.cancel_unsent(session, event_id, utc_now()) == 1
    assert states(session) == {"cancelled": 1, "held": 1}
    assert message_ids(session, "state = 'held'") == [doubted]


def test_stopping_one_alert_leaves_the_others(session):
    make_people(session, 4)
    crisis = make_crisis(session)
    one, other = issue(session, crisis), issue(session, crisis)
    session.execute(text("update alert_events set stopped_at = now() where id = :e"), {"e": one})
    assert dispatch.cancel_unsent(session, one, utc_now()) == 4
    assert (states(session, one), states(session, other)) == ({"cancelled": 4}, {"queued": 4})
    assert counters.read(crisis)["reach:waiting"] == 4
