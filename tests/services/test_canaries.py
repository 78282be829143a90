"""A test text a day through every real gateway, by the way that alerts take; nothing of it counts as a citizen's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from consular.domain.canaries import CanaryResult
from consular.domain.cap import AlertStatus
from consular.domain.delivery import MessageState
from consular.domain.references import reference_of
from consular.extensions import db
from consular.models.capabilities import GatewayCapability
from consular.models.officers import Role
from consular.queries import counters
from consular.services import canaries, sweeping
from consular.services.bind_lock import BindLock, Hold
from consular.services.verification import check_invariants
from tests.factories import alert_everybody, make_officer, make_people, message_ids, rows, set_messages, states
from tests.fakes import FakeGateway, lost, refused
from tests.services.canary_world import (
    ITALIAN,
    LIBYAN,
    NOW,
    ONE,
    PLAN,
    handed_over,
    hear,
    later,
    phones,
    report,
    seen,
    send_all,
)


def capability(gateway: str, country: str, **facts: object) -> None:
    values = {
        "is_usable": True,
        "sender_kind": "number",
        "is_two_way": True,
        "allows_links": True,
        "receipts_believable": True,
        "source": "tests",
        "as_of": NOW.date(),
        **facts,
    }
    db.session.add(GatewayCapability(gateway=gateway, country=country, **values))
    db.session.commit()


def test_every_handset_is_texted_by_every_real_gateway_once_a_day(session):
    assert canaries.send_daily(PLAN, NOW).texts == 4
    assert phones("twilio") == phones("smpp") == [LIBYAN, ITALIAN]
    assert canaries.send_daily(PLAN, later(seconds=5)).texts == 0
    assert canaries.send_daily(PLAN, later(days=1)).texts == 4
    assert states(session) == {"queued": 8}


def test_a_bind_that_stands_does_not_keep_them_back(session):
    lock = BindLock(db.engine.url)
    assert lock.look() is Hold.MINE
    try:
        assert canaries.send_daily(PLAN, NOW).texts == 4
    finally:
        lock.release()


def test_it_waits_for_its_hour(session):
    assert canaries.send_daily(PLAN, NOW.replace(hour=5, minute=59)).texts == 0
    assert canaries.send_daily(PLAN, NOW.replace(hour=6, minute=0)).texts == 4


def test_without_handsets_or_real_gateways_nothing_is_made(session, config):
    plan = canaries.Plan.of(config)
    assert plan.pairs == []
    assert canaries.send_daily(plan, NOW).texts == 0


def test_the_text_says_what_it_is_and_goes_the_way_of_alerts(session):
    gateway = handed_over()
    (request,) = gateway.taken
    (number,) = message_ids(session)
    assert request.to == LIBYAN
    assert request.body.splitlines() == [
        "TEST of our text messages, no emergency.",
        f"Embassy of Testland, {NOW.day} {NOW:%b %Y}, by twilio.",
        "Reply 1 to prove the way back.",
        f"Ref {reference_of(number)}",
    ]
    assert request.validity_seconds == 3600
    assert seen().result is CanaryResult.ACCEPTED
    assert (seen().country, seen().phone) == ("LY", "…001")


def test_one_whose_key_is_gone_is_shown_without_its_number(session):
    handed_over()
    session.execute(text("update canaries set phone_sealed = 'x'"))
    session.commit()
    assert seen().phone == "…"


def test_no_reply_is_asked_for_where_none_can_come_back(session):
    capability("twilio", "LY", is_two_way=False)
    (request,) = handed_over().taken
    assert "Reply" not in request.body


def test_it_leaves_after_every_alert(session):
    canaries.send_daily(ONE, NOW)
    alert_everybody(session, 2, status=AlertStatus.ACTUAL)
    gateway = FakeGateway("twilio")
    send_all(gateway)
    assert [request.body.startswith("TEST") for request in gateway.taken] == [False, False, True]


@pytest.mark.parametrize("state", ["queued", "claimed", "sending"])
def test_it_is_postponed_while_an_alert_is_going_out_by_that_gateway(session, state):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    set_messages(session, f"state = '{state}'")
    sent = canaries.send_daily(PLAN, NOW)
    assert (sent.texts, sent.postponed) == (2, ("twilio",))
    assert phones("twilio") == []
    set_messages(session, "state = 'accepted'", "kind = 'alert'")
    assert canaries.send_daily(PLAN, later(minutes=1)).texts == 2


def test_texts_to_a_country_that_is_refused_postpone_nothing(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    session.execute(
        text("insert into country_pauses values ('twilio', 'LY', '21408', 1, now() + interval '5 minutes')")
    )
    session.commit()
    assert canaries.send_daily(PLAN, NOW).postponed == ()


def test_an_exercise_postpones_nothing(session):
    alert_everybody(session, 1)
    assert canaries.send_daily(PLAN, NOW).postponed == ()


def test_a_receipt_says_delivered_and_an_answer_says_more(session):
    gateway = handed_over()
    report(gateway, MessageState.DELIVERED)
    assert seen().result is CanaryResult.DELIVERED
    hear("1")
    assert (seen().result, seen().answered_at) == (CanaryResult.ANSWERED, later(minutes=2))


def test_a_failure_is_told_with_its_code(session):
    handed_over(FakeGateway("twilio", answer=refused("21610")))
    assert (seen().result, seen().failure) == (CanaryResult.FAILED, "21610")
    assert canaries.result_words(seen()) == "failed: 21610"


def test_one_that_found_no_time_is_not_sent_and_no_failure(session):
    canaries.send_daily(ONE, NOW)
    set_messages(session, "expires_at = now() - interval '1 second'")
    sweeping.sweep()
    assert seen().result is CanaryResult.NOT_SENT


def test_one_whose_fate_is_unknown_is_looked_for_in_the_list(session):
    gateway = FakeGateway("twilio")
    gateway.answer = gateway.taken_but_lost
    handed_over(gateway)
    assert seen().result is CanaryResult.UNKNOWN
    set_messages(session, "not_before = now() - interval '1 second', sending_at = now() - interval '2 minutes'")
    sweeping.reconcile(gateway, sweeping.TextBook("https://consular.test"))
    assert seen().result is CanaryResult.ACCEPTED


def test_a_text_from_a_handset_is_no_statement_of_a_person_who_has_the_same_phone(session):
    """The duty phone may be on record, and its owner may have been alerted."""
    (person,) = make_people(session, [LIBYAN])
    event_id = alert_everybody(session, [], status=AlertStatus.ACTUAL)
    send_all(FakeGateway("twilio"))
    handed_over()
    before = counters.read(event_id)
    hear("1")
    (row,) = rows(session, "select kind, person_id, crisis_id, message_id from inbound_messages")
    assert (row.kind, row.person_id, row.crisis_id) == ("OWN_HANDSET", None, None)
    assert row.message_id == message_ids(session, "kind = 'canary'")[0]
    assert rows(session, "select 1 from status_events") == []
    assert rows(session, "select 1 from assistance_requests") == []
    assert rows(session, "select stated from person_statuses where person_id = :p", p=person)[0].stated is None
    assert counters.read(event_id) == before
    assert message_ids(session, "kind = 'acknowledgement'") == [], "and it is not texted back"


def test_a_call_for_help_from_a_handset_is_seen_by_an_officer(session):
    handed_over()
    hear("2 help, we are under fire")
    (row,) = rows(session, "select kind, person_id from assistance_requests")
    assert (row.kind, row.person_id) == ("needs_help", None)
    assert rows(session, "select 1 from status_events") == []


def test_an_answer_counts_for_the_gateway_it_came_by_and_not_for_ever(session):
    canaries.send_daily(PLAN, NOW)
    hear("1", gateway="smpp")
    answered = {one.gateway for one in canaries.seen() if one.answered_at}
    assert answered == {"smpp"}
    hear("1", gateway="twilio", at=later(days=3))
    assert {one.gateway for one in canaries.seen() if one.answered_at} == {"smpp"}


def test_practice_answers_no_test_text(session):
    make_people(session, [LIBYAN])
    handed_over()
    hear("1", gateway="exercise")
    assert seen().answered_at is None
    assert rows(session, "select kind from inbound_messages")[0].kind == "SAFE"


def test_a_test_asked_for_is_sent_at_once_but_not_twice_in_ten_minutes(session):
    officer = make_officer(session, Role.ADMINISTRATOR)
    canaries.send_daily(ONE, NOW)
    assert canaries.send_now(ONE, later(minutes=9), officer).recent == 1
    assert canaries.send_now(ONE, later(minutes=11), officer).texts == 1
    assert canaries.send_now(ONE, later(minutes=12), officer) == canaries.Sent(recent=1)
    assert canaries.send_now(ONE, later(minutes=22), officer).texts == 1
    assert canaries.send_daily(ONE, later(days=1)).texts == 1, "the daily one goes all the same"
    acts = rows(session, "select officer_id, detail from audit_entries where action = 'canaries_sent' order by id")
    assert [(act.officer_id, act.detail) for act in acts] == [(officer, {"texts": 1, "postponed": []})] * 2


def test_results_stand_in_the_table_of_capabilities(session):
    capability("twilio", "LY")
    capability("twilio", "*")
    handed_over(FakeGateway("twilio", answer=refused("30005")))
    canaries.note_results()
    found = rows(session, "select country, last_test_result, revision from gateway_capabilities order by country")
    assert [tuple(row) for row in found] == [("*", None, 1), ("LY", "failed: 30005", 1)]
    written = rows(session, "select xmin, ctid from gateway_capabilities order by country")
    canaries.note_results()
    assert rows(session, "select xmin, ctid from gateway_capabilities order by country") == written, "once is enough"


def test_ninety_days_are_kept(session):
    handed_over()
    send_all(FakeGateway("twilio"))
    session.execute(text("update canaries set created_at = created_at - interval '91 days', day = day - 91"))
    session.commit()
    canaries.send_daily(ONE, NOW)
    assert len(canaries.history()) == 1
    assert states(session) == {"queued": 1}
    assert rows(session, "select 1 from message_attempts") == []


def test_no_promise_is_broken_by_test_texts(committing):
    gateway = handed_over(plan=PLAN)
    report(gateway, MessageState.DELIVERED)
    hear("1")
    hear("stop", sender=ITALIAN)
    handed_over(FakeGateway("smpp", answer=lost), plan=PLAN)
    broken = [(one.name, one.detail) for one in check_invariants(is_busy=True) if not one.ok]
    assert broken == []


def test_an_exercise_gateway_is_refused_by_the_database(session):
    canaries.send_daily(ONE, NOW)
    with pytest.raises(Exception, match="gateway_is_actual"):
        session.execute(text("update canaries set gateway = 'exercise'"))
    session.rollback()


def test_people_behind_the_handsets_are_counted(session):
    make_people(session, [LIBYAN, LIBYAN])
    session.commit()
    assert canaries.people_behind(PLAN) == 2


def test_days_are_those_of_utc(session):
    assert canaries.send_daily(ONE, NOW.replace(hour=23, minute=59)).texts == 1
    assert canaries.send_daily(ONE, NOW.replace(hour=6, minute=0) + timedelta(days=1)).texts == 1
