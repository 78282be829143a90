"""Every promise holds in a sound crisis, and each one is seen to be broken, with the row named, when its data is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consular.clock import utc_now
from consular.domain.alerts import AlertAction
from consular.extensions import db
from consular.queries import invariants
from consular.services import delivery, inbound
from consular.services.texts import TextBook
from consular.services.verification import LONGEST_RECOVERY, Invariant, Seen, check, check_invariants
from tests.factories import alert_everybody, make_officer, message_ids, phone, rows
from tests.fakes import FakeGateway
from tests.verified_world import ANSWERS, PEOPLE, VerifiedWorld, break_it, decide

RATES = {"exercise": 1000.0}


@pytest.fixture
def world(session) -> VerifiedWorld:
    return VerifiedWorld(session)


def broken(**options) -> dict[str, Invariant]:
    return {one.name: one for one in check_invariants(**options) if not one.ok}


def test_a_sound_crisis_keeps_every_promise(world):
    found = check_invariants(world.log(), world.sids, rates=RATES)
    assert [one for one in found if not one.ok] == []
    figures = {one.name: one.detail for one in found}
    assert figures["statuses_follow_from_statements"] == "5 people"
    assert figures["texts_kept_exactly"] == f"{len(ANSWERS)} texts of exercise"
    assert figures["everybody_selected_is_counted"] == f"{PEOPLE} people"
    assert figures["accepted_here_is_accepted_there"] == f"{PEOPLE + 4} texts of exercise"
    assert figures["senders_keep_their_rate"].startswith("exercise: 12 parts in 10 s")
    assert {one.code for one in found} == {"I1", "I2", "I3", "I4", "I5", "I6", "I8", "I9", "I10", "I11"}


ONE_MESSAGE = "(select min(id) from messages where kind = 'alert')"
ONE_PERSON = "(select person_id from person_statuses where stated is null order by person_id limit 1)"
FAR_OFF = "interval '1 hour'"

BREACHES: dict[str, tuple[str, ...]] = {
    "no_recipients_without_message_or_reason": (
        """update recipients set message_id = 999999999
        where person_id = (select min(person_id::text)::uuid from recipients)""",
    ),
    "no_messages_without_recipient": (f"delete from recipients where message_id = {ONE_MESSAGE}",),
    "no_people_selected_without_standing": (f"delete from person_statuses where person_id = {ONE_PERSON}",),
    "no_standings_out_of_nowhere": (
        "insert into person_statuses (crisis_id, person_id, reach) select id, gen_random_uuid(), 'waiting' from crises",
    ),
    "no_events_that_lost_people": ("update alert_events set people = people + 1",),
    "totals_equal_recount": ("update counters set value = value + 1 where key = 'message:accepted'",),
    "everybody_selected_is_counted": (f"delete from person_statuses where person_id = {ONE_PERSON}",),
    "no_texts_taken_twice_undeclared": (
        f"""insert into message_attempts (id, message_id, gateway, outcome, started_at)
        values (gen_random_uuid(), {ONE_MESSAGE}, 'exercise', 'accepted', now())""",
    ),
    "no_duplicates_declared_without_doubt": (
        f"update messages set possible_duplicate = true where id = {ONE_MESSAGE}",
    ),
    "no_accepted_without_gateway_id": (f"update messages set provider_message_id = null where id = {ONE_MESSAGE}",),
    "no_taken_by_the_gateway_and_not_marked": (f"update messages set state = 'cancelled' where id = {ONE_MESSAGE}",),
    "no_texts_not_processed": ("update inbound_messages set processed_at = null where kind = 'SAFE'",),
    "no_texts_without_result": ("update inbound_messages set kind = null where kind = 'SAFE'",),
    "no_receipts_not_processed": ("update receipt_events set processed_at = null",),
    "no_receipts_without_result": ("update receipt_events set result = null",),
    "no_answers_without_statement": (
        "delete from status_events where inbound_id = (select id from inbound_messages where kind = 'SAFE')",
    ),
    "no_calls_for_help_without_request": ("delete from assistance_requests where kind = 'needs_help'",),
    "no_unclear_without_request": ("delete from assistance_requests where kind = 'unclear'",),
    "texts_kept_exactly": (
        """update inbound_messages set body_sealed =
        set_byte(body_sealed, length(body_sealed) - 1, (get_byte(body_sealed, length(body_sealed) - 1) + 1) % 256)
        where kind = 'SAFE'""",
    ),
    "statuses_follow_from_statements": ("update person_statuses set stated_count = 7 where stated = 'SAFE'",),
    "no_open_calls_not_shown": ("update person_statuses set stated = 'SAFE' where stated = 'NEEDS_HELP'",),
    "no_assessments_not_shown": ("update person_statuses set assessed = 'safe' where assessed = 'missing'",),
    "no_delivered_and_not_shown": ("update messages set state = 'sent' where state = 'delivered'",),
    "no_decisions_without_audit_entry": ("delete from audit_entries",),
    "no_events_without_decision": ("delete from alert_decisions",),
    "no_stops_without_decision": ("update alert_events set stopped_at = now(), stopped_by = approved_by",),
    "no_own_approval": (
        "alter table alert_events drop constraint ck_alert_events_four_eyes",
        "update alert_events set approved_by = author_id",
    ),
    "no_unsettled_messages": (f"update messages set state = 'unknown' where id = {ONE_MESSAGE}",),
    "no_sent_after_stop": (f"update alert_events set stopped_at = now() - {FAR_OFF}",),
    "no_sent_after_opt_out": (
        f"update opt_outs set opted_out_at = opted_out_at - {FAR_OFF}",
        f"""update inbound_messages set received_at = received_at - {FAR_OFF}, processed_at = processed_at - {FAR_OFF}
        where kind = 'OPT_OUT'""",
    ),
    "no_sent_to_an_unusable_phone": (f"update contact_points set unusable_since = now() - {FAR_OFF}",),
    "no_exercise_on_another_gateway": (f"update messages set gateway = 'twilio' where id = {ONE_MESSAGE}",),
    "no_receipt_on_another_gateway": ("update messages set gateway = 'twilio' where kind = 'acknowledgement'",),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_broken_promise_is_seen(world, name):
    break_it(*BREACHES[name])
    found = broken(rates=RATES)
    assert name in found
    assert not found[name].detail.startswith("0")


def test_every_promise_of_the_database_has_a_breach(world):
    names = {one.name for one in check_invariants()}
    assert names - set(BREACHES) == set()


@pytest.mark.parametrize(("age", "is_kept"), [("4 minutes", True), ("6 minutes", False)])
def test_a_receipt_that_fits_nothing_may_wait_for_its_text(world, age, is_kept):
    waits = f"processed_at = null, result = 'wait2 99', received_at = now() - interval '{age}'"
    break_it(f"update receipt_events set {waits}")
    assert ("no_receipts_not_processed" not in broken()) is is_kept


def test_offenders_are_named_and_counted(world):
    numbers = [row[0] for row in rows(db.session, "select id from messages where kind = 'alert' order by id")]
    break_it("update messages set state = 'unknown' where kind = 'alert'")
    detail = broken()["no_unsettled_messages"].detail
    assert detail.startswith(f"{PEOPLE} rows: ")
    assert all(f"{number}:unknown" in detail for number in numbers)


def test_more_offenders_than_can_be_named_are_counted(session):
    alert_everybody(session, 25)
    detail = broken()["no_unsettled_messages"].detail
    assert detail.startswith("25 rows: ")
    assert detail.count(":queued") == invariants.MOST_NAMED


def test_a_text_that_the_gateway_took_twice(world):
    log = [*world.log(), world.log()[0]]
    assert set(broken(gateway_log=log)) == {"nobody_texted_twice"}
    number = rows(db.session, f"select {ONE_MESSAGE}")[0][0]
    break_it(
        f"update messages set possible_duplicate = true where id = {number}",
        f"""insert into message_attempts (id, message_id, gateway, outcome)
        values (gen_random_uuid(), {number}, 'exercise', 'unknown')""",
    )
    assert broken(gateway_log=log) == {}, "declared, and one attempt's fate was unknown"
    assert set(broken(gateway_log=[*log, log[0]])) == {"nobody_texted_twice"}, "twice more than the doubt excuses"


def test_a_text_the_gateway_took_and_we_do_not_know(world):
    log = world.log()
    break_it(f"update messages set state = 'failed', provider_message_id = null where id = {ONE_MESSAGE}")
    assert "accepted_there_is_accepted_here" in broken(gateway_log=log)


def test_a_text_we_think_the_gateway_took(world):
    assert set(broken(gateway_log=world.log()[1:])) == {"accepted_here_is_accepted_there"}


def test_a_text_from_a_person_that_is_not_stored(world):
    found = broken(gateway_texts=[*world.sids, "SMlost"])
    assert found["no_text_from_people_lost"].detail == "1 rows: SMlost"


@pytest.mark.parametrize(("rate", "is_kept"), [(1.0, False), (1.05, True), (100.0, True)])
def test_the_fullest_ten_seconds_are_held_against_the_rate(world, rate, is_kept):
    assert ("senders_keep_their_rate" not in broken(rates={"exercise": rate})) is is_kept


def test_texts_spread_over_time_keep_a_slow_rate(world):
    break_it(
        "update messages set attempt_id = null",
        """update message_attempts a set started_at = now() - n * interval '1 second'
        from (select id, row_number() over () as n from message_attempts) q where q.id = a.id""",
    )
    assert broken(rates={"exercise": 1.0}) == {}


def test_the_rate_is_in_parts_and_the_texts_of_too_full_seconds_are_named(session):
    alert_everybody(session, 10, texts={"en": "Leave now. " * 40})
    pace = delivery.Pace(rate=100_000, lease_seconds=60)
    delivery.drain(FakeGateway(), TextBook("https://consular.test"), pace, "worker-1", 10, lambda: False)
    ((parts,),) = rows(session, "select distinct parts from message_attempts")
    assert parts >= 4
    fits = (10 * parts - parts) / (10 * 1.05)
    assert "senders_keep_their_rate" not in broken(rates={"exercise": fits + 0.01})
    detail = broken(rates={"exercise": fits - 0.01})["senders_keep_their_rate"].detail
    assert detail.startswith(f"exercise: {10 * parts} parts in 10 s until ")
    named = detail.partition("; 10 rows: ")[2]
    assert {int(number) for number in named.split(", ")} == set(message_ids(session))


def test_a_try_of_unknown_parts_counts_as_one(world):
    break_it(
        "update message_attempts set parts = case when id = (select min(id::text)::uuid from message_attempts)"
        " then 3 end"
    )
    figures = {one.name: one.detail for one in check_invariants(rates=RATES)}
    assert figures["senders_keep_their_rate"].startswith("exercise: 14 parts in 10 s")


def test_only_the_sender_that_was_too_fast_is_named(world):
    break_it(
        "update messages set gateway = 'twilio' where kind = 'acknowledgement'",
        "update message_attempts a set gateway = m.gateway from messages m where m.id = a.message_id",
    )
    slow = set(message_ids(db.session, "kind = 'acknowledgement'"))
    detail = broken(rates={"exercise": 100.0, "twilio": 0.1})["senders_keep_their_rate"].detail
    assert {int(number) for number in detail.partition("rows: ")[2].split(", ")} == slow


def test_outcomes_written_late_do_not_bend_the_rate(world):
    break_it(
        """update messages m set sending_at = now() - n * interval '1 minute'
        from (select id, row_number() over () as n from messages) q where q.id = m.id""",
    )
    assert broken(rates={"exercise": 1.0}) == {}


def test_requests_that_were_never_written_are_no_texts(world):
    break_it("update message_attempts set error_code = 'lease', outcome = 'not_sent'")
    figures = {one.name: one.detail for one in check_invariants(rates=RATES)}
    assert figures["senders_keep_their_rate"] == "0 parts"


def test_a_stop_excuses_what_left_within_five_seconds(world):
    officer_id = make_officer(db.session)
    break_it(f"update alert_events set stopped_at = now() - interval '3 seconds', stopped_by = '{officer_id}'")
    decide(db.session, world.event_id, AlertAction.STOP)
    assert broken() == {}


def test_an_opt_out_counts_from_when_it_was_read(world):
    break_it(
        f"update opt_outs set opted_out_at = opted_out_at - {FAR_OFF}",
        f"update inbound_messages set received_at = received_at - {FAR_OFF} where kind = 'OPT_OUT'",
    )
    assert "no_sent_after_opt_out" not in broken()


def said(kind: str, minutes_ago: int) -> None:
    """The person who was texted first says STOP or START, and it is read at once."""
    identity, at = f"SM{kind}{minutes_ago}", utc_now() - timedelta(minutes=minutes_ago)
    inbound.store("exercise", identity, phone(1), kind, [("From", phone(1)), ("Body", kind)], at)
    inbound.process()
    break_it(f"update inbound_messages set processed_at = received_at where provider_message_id = '{identity}'")


@pytest.mark.parametrize(
    ("words", "is_kept"),
    [
        ("STOP 20", False),
        ("STOP 20 START 5", False),
        ("STOP 20 START 5 STOP 3", False),
        ("STOP 20 STOP 3", False),
        ("STOP 20 START 15 STOP 12 START 5", False),
        ("STOP 20 START 15", True),
        ("STOP 20 START 15 STOP 5", True),
        ("STOP 5 START 3", True),
        ("STOP 5", True),
    ],
)
def test_an_opt_out_counts_as_long_as_it_stood(session, words, is_kept):
    alert_everybody(session, 1)
    break_it("update messages set state = 'accepted', sending_at = now() - interval '10 minutes'")
    for kind, minutes_ago in zip(words.split()[::2], words.split()[1::2], strict=True):
        said(kind, int(minutes_ago))
    assert ("no_sent_after_opt_out" not in broken()) is is_kept


@pytest.mark.parametrize(("ended", "is_kept"), [("null", False), ("5", False), ("15", True)])
def test_an_opt_out_that_the_gateway_told_of_has_no_text(session, ended, is_kept):
    alert_everybody(session, 1)
    break_it(
        "update messages set state = 'accepted', sending_at = now() - interval '10 minutes'",
        f"""insert into opt_outs (value_index, gateway, opted_out_at, ended_at) select endpoint_index, gateway,
        now() - interval '20 minutes', now() - {ended} * interval '1 minute' from messages""",
    )
    assert ("no_sent_after_opt_out" not in broken()) is is_kept


def test_a_try_before_the_last_one_counts_as_sent(session):
    alert_everybody(session, 1)
    break_it(
        """insert into message_attempts (id, message_id, gateway, outcome, started_at)
        select gen_random_uuid(), id, 'exercise', 'unknown', now() - interval '10 minutes' from messages""",
        "update messages set state = 'accepted', sending_at = now() - interval '1 minute'",
    )
    said("STOP", 20)
    said("START", 5)
    assert "no_sent_after_opt_out" in broken()


def test_an_opt_out_from_an_exercise_does_not_count_for_a_real_text(session):
    alert_everybody(session, 1)
    break_it("update messages set state = 'accepted', sending_at = now() - interval '10 minutes', gateway = 'twilio'")
    said("STOP", 20)
    assert "no_sent_after_opt_out" not in broken()


def test_a_text_that_says_something_else_than_its_raw_form(world):
    inbound.store("exercise", "SMother", phone(9), "no", [("From", phone(9)), ("Body", "yes")], utc_now())
    inbound.process()
    number = rows(db.session, "select id from inbound_messages where provider_message_id = 'SMother'")[0][0]
    assert broken()["texts_kept_exactly"].detail == f"1 rows: {number}"


def test_a_raw_form_that_nobody_can_read_is_counted(world):
    inbound.store("http", "1", phone(9), "yes", [("from", "+21891"), ("text", "no")], utc_now())
    inbound.process()
    found = {one.name: one for one in check_invariants()}["texts_kept_exactly"]
    assert (found.ok, found.detail) == (True, "5 texts of exercise; not compared: 1 texts of http")
    read = {"http": lambda raw, sender, body: dict(raw)["text"] == body}
    found = {one.name: one for one in check(Seen(readers=read))}["texts_kept_exactly"]
    assert not found.ok, "a reader of its own compares it"


STUCK = "update messages set state = '{}', updated_at = now() - interval '10 minutes' where id = " + ONE_MESSAGE


@pytest.mark.parametrize(
    ("state", "more", "is_kept"),
    [
        ("sending", "select 1", False),
        ("unknown", "select 1", False),
        ("queued", "select 1", False),
        ("queued", "update senders set paused_until = now() + interval '1 minute'", True),
        ("queued", "update messages set not_before = now() + interval '1 minute'", True),
        ("queued", "update message_attempts set recorded_at = now()", True),
        (
            "queued",
            """insert into country_pauses (gateway, country, error_code, refusals, paused_until)
            values ('exercise', 'LY', '21408', 1, now() + interval '1 minute')""",
            True,
        ),
        ("unknown", "update alert_events set message_class = 'normal'", True),
        ("unknown", "update messages set not_before = now() + interval '1 minute'", False),
        ("unknown", "update messages set not_before = now() + interval '1 minute', gateway = 'http'", True),
        ("held", "select 1", True),
    ],
    ids=[
        "sending",
        "unknown",
        "queued",
        "paused",
        "later",
        "its turn",
        "country",
        "may arrive",
        "a list",
        "no list",
        "held",
    ],
)
def test_rows_that_stand_still_after_the_last_fault_need_a_reason(world, state, more, is_kept):
    break_it("update message_attempts set recorded_at = now() - interval '10 minutes'", STUCK.format(state), more)
    quiet_since = utc_now() - LONGEST_RECOVERY - timedelta(seconds=5)
    assert ("no_unsettled_messages" not in broken(quiet_since=quiet_since)) is is_kept


def test_recovery_is_not_judged_before_its_time(world):
    break_it(STUCK.format("unknown"))
    found = {one.name: one for one in check_invariants(quiet_since=utc_now() - timedelta(seconds=50))}
    assert found["no_unsettled_messages"].ok
    assert found["no_unsettled_messages"].detail in (
        "judged in 100 s; now: 1 no reason",
        "judged in 99 s; now: 1 no reason",
    )


def test_a_running_service_may_be_busy_but_not_stand_still(committing):
    alert_everybody(db.session, 5)
    db.session.remove()
    decide(db.session, rows(db.session, "select id from alert_events")[0][0], AlertAction.APPROVE)
    db.session.remove()
    assert broken(is_busy=True) == {}
    assert set(broken()) == {"no_unsettled_messages"}
    break_it("update messages set updated_at = now() - interval '151 seconds'")
    assert set(broken(is_busy=True)) == {"no_unsettled_messages"}


def test_checking_a_running_service_changes_nothing(committing):
    with pytest.raises(Exception, match="read-only"):
        _write_while_held_still()
    db.session.rollback()


def _write_while_held_still() -> None:
    invariants.hold_still()
    db.session.execute(db.text("update counters set value = 0"))
