"""Every text is stored, once; matched to everybody behind its phone; read; and doubt or need reaches a human."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.replies import classify
from consular.extensions import cipher, db
from consular.models.assistance import RequestKind
from consular.queries import board, counters
from consular.services import inbound
from tests.factories import alert_everybody, issue, make_crisis, make_people, phone, rows, set_messages, states
from tests.fakes import FakeGateway
from tests.services.test_delivery import assert_counted, run_together, send

START = utc_now()
_numbers = iter(range(1, 1_000_000))


def hear(
    body: str, sender: str = phone(1), minutes: float = 1, sid: str | None = None, gateway: str = "exercise"
) -> bool:
    sid = sid or f"SM{next(_numbers):032x}"
    return inbound.store(gateway, sid, sender, body, [("Body", body)], START + timedelta(minutes=minutes))


def work() -> None:
    while inbound.process():
        pass


def only(session, columns: str, table: str = "inbound_messages"):
    found = rows(session, f"select {columns} from {table}")
    assert len(found) == 1
    return tuple(found[0])


def stated(session) -> list[tuple]:
    return [tuple(row) for row in rows(session, "select stated, stated_count from person_statuses order by person_id")]


def requests(session) -> list[str]:
    return sorted(row.kind for row in rows(session, "select kind from assistance_requests"))


def opted_out(session, number: str = phone(1)) -> bool:
    index = cipher.index(number, "phone")
    return bool(rows(session, "select 1 from opt_outs where value_index = :i and ended_at is null", i=index))


@pytest.mark.parametrize(
    "body", ["safe", "", " ", "\0", "a\0b", "\u202eefas", "سلامات 🙏\r\n", "x" * 20_000], ids=range(8)
)
def test_a_text_is_kept_exactly_and_sealed(session, body):
    assert hear(body)
    row_id, sealed, sender = only(session, "id, body_sealed, sender_sealed")
    assert cipher.open(bytes(sealed), "inbound_messages.body", row_id) == body
    assert cipher.open(bytes(sender), "inbound_messages.sender", row_id) == phone(1)
    assert phone(1).encode() not in bytes(sender)
    work()
    assert only(session, "processed_at is not null") == (True,)


def test_the_same_text_again_is_one_row(session):
    assert hear("safe", sid="SM1") is True
    assert hear("safe", sid="SM1") is False
    assert hear("safe", sid="SM1", gateway="twilio") is True
    assert len(rows(session, "select 1 from inbound_messages")) == 2


@pytest.mark.parametrize(
    ("body", "number", "minutes"),
    [("2", 2, 5), ("2", 1, 5), ("1", 1, 60 * 24 + 5)],
    ids=["another phone", "other words", "the same words another day"],
)
def test_another_text_under_an_id_that_came_round_again_is_kept(session, body, number, minutes):
    assert hear("1", sid="17", gateway="http")
    for _ in range(2):
        hear(body, sender=phone(number), sid="17", gateway="http", minutes=minutes)
        assert hear("1", sid="17", gateway="http") is False
    found = rows(session, "select provider_message_id from inbound_messages order by received_at")
    assert [row.provider_message_id for row in found] == ["17", "17~1"]


def test_an_id_that_comes_round_all_the_time_loses_no_text(session):
    for number in range(1, 130):
        assert hear("2", sender=phone(number), sid="0" * 64, gateway="http")
    assert len(rows(session, "select 1 from inbound_messages")) == 129


def test_the_same_text_at_the_same_moment_is_one_row(committing):
    results: list[bool] = []
    run_together(committing, [lambda: results.append(hear("2", sid="SMsame")) for _ in range(16)])
    assert sorted(results) == [False] * 15 + [True]
    with committing.app_context():
        assert len(rows(db.session, "select 1 from inbound_messages")) == 1


@pytest.mark.parametrize(
    ("body", "status", "request_kinds"),
    [
        ("1", ("SAFE", None), []),
        ("safe 4", ("SAFE", 4), []),
        ("2", ("NEEDS_HELP", None), ["needs_help"]),
        ("3", ("NOT_THERE", None), []),
        ("perhaps, who asks?", ("UNCLEAR", None), ["unclear"]),
    ],
)
def test_an_answer_becomes_a_status(session, body, status, request_kinds):
    event_id = alert_everybody(session, 1)
    hear(body)
    work()
    assert stated(session) == [status]
    assert requests(session) == request_kinds
    event, message, matched = only(session, "event_id, message_id, people_matched")
    assert (event, matched) == (event_id, 1)
    assert message == rows(session, "select id from messages where event_id is not null")[0].id
    assert_counted(event_id)


@pytest.mark.parametrize(
    ("registered", "sender"),
    [
        ("+525512345678", "+5215512345678"),
        ("+5215512345678", "+525512345678"),
        ("+5491112345678", "+541112345678"),
        ("+5511987654321", "+551187654321"),
    ],
)
def test_a_phone_is_known_in_every_spelling_of_its_country(session, registered, sender):
    alert_everybody(session, [registered])
    hear("1", sender=sender)
    work()
    assert stated(session) == [("SAFE", None)]


def test_one_number_for_a_whole_family_needs_a_count_that_covers_them(session):
    alert_everybody(session, [phone(1)] * 4)
    hear("1")
    work()
    assert stated(session) == [("UNCLEAR", None)] * 4
    hear("safe 4", minutes=2)
    work()
    assert stated(session) == [("SAFE", 4)] * 4
    assert requests(session) == ["unclear"]
    assert only(session, "count(*)", "inbound_messages where person_id is null and people_matched = 4") == (2,)


def test_a_call_for_help_from_a_shared_phone_is_believed_of_all(session):
    alert_everybody(session, [phone(1)] * 2)
    hear("2")
    work()
    assert stated(session) == [("NEEDS_HELP", None)] * 2
    assert requests(session) == ["needs_help"]


@pytest.mark.parametrize(
    ("body", "kind"), [("safe", "unknown_sender"), ("help", "needs_help"), ("stop", "unknown_sender")]
)
def test_an_unknown_sender_reaches_a_human(session, body, kind):
    alert_everybody(session, 1)
    hear(body, sender="+447911123456")
    work()
    assert requests(session) == [kind]
    assert stated(session) == [(None, None)]
    assert only(session, "people_matched, person_id, crisis_id") == (0, None, None)


def test_a_text_without_an_open_question_reaches_a_human(session):
    make_people(session, 1)
    session.commit()
    hear("safe")
    work()
    assert requests(session) == ["unclear"]
    assert only(session, "people_matched, event_id") == (1, None)


def test_an_answer_to_a_closed_crisis_reaches_a_human_and_changes_no_status(session):
    alert_everybody(session, 1)
    session.execute(text("update crises set closed_at = now()"))
    session.commit()
    hear("1")
    work()
    assert stated(session) == [(None, None)]
    assert requests(session) == ["unclear"]


def test_an_answer_belongs_to_the_latest_alert_that_asked(session):
    make_people(session, 1)
    crisis = make_crisis(session)
    asking = issue(session, crisis, approved_at=START)
    issue(session, crisis, approved_at=START + timedelta(minutes=5), asks_for_reply=False)
    session.commit()
    hear("1", minutes=6)
    work()
    assert only(session, "event_id") == (asking,)
    later = issue(session, crisis, approved_at=START + timedelta(minutes=7))
    session.commit()
    hear("1", minutes=8)
    work()
    assert rows(session, "select event_id from inbound_messages order by received_at desc")[0].event_id == later


def test_an_exercise_answer_never_counts_for_a_real_crisis(session):
    make_people(session, 1)
    real = make_crisis(session, AlertStatus.ACTUAL)
    issue(session, real, status=AlertStatus.ACTUAL)
    session.commit()
    hear("1", gateway="exercise")
    work()
    assert stated(session) == [(None, None)]
    hear("2", gateway="twilio", minutes=2)
    work()
    assert stated(session) == [("NEEDS_HELP", None)]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=lambda o: "".join(map(str, o)))
@pytest.mark.parametrize("one_by_one", [True, False], ids=["one by one", "in one batch"])
def test_a_call_for_help_stays_whatever_is_processed_when(session, order, one_by_one):
    event_id = alert_everybody(session, 1)
    said = [("2", 1), ("1", 2), ("hello?", 3)]
    for place in order:
        hear(said[place][0], minutes=said[place][1])
        if one_by_one:
            work()
    work()
    assert stated(session) == [("NEEDS_HELP", None)]
    assert requests(session) == ["needs_help", "unclear"]
    assert_counted(event_id)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=lambda o: "".join(map(str, o)))
@pytest.mark.parametrize("one_by_one", [True, False], ids=["one by one", "in one batch"])
@pytest.mark.parametrize(
    ("said", "is_out"),
    [(("stop", "start", "stop"), True), (("start", "stop", "start"), False), (("stop", "stop", "start"), False)],
    ids=["last is stop", "last is start", "start ends two stops"],
)
def test_the_last_word_on_texts_counts_by_when_it_was_said(session, order, one_by_one, said, is_out):
    make_people(session, 1)
    session.commit()
    for place in order:
        hear(said[place], minutes=place)
        if one_by_one:
            work()
    work()
    assert opted_out(session) is is_out


def test_stop_ends_texts_gets_no_receipt_and_is_shown_to_an_officer(session):
    event_id = alert_everybody(session, 1)
    hear("STOP")
    work()
    assert opted_out(session)
    assert requests(session) == ["opted_out"]
    assert stated(session) == [(None, None)]
    gateway = FakeGateway()
    send(gateway)
    assert gateway.submitted == []
    assert states(session) == {"cancelled": 1}
    assert_counted(event_id)


def test_stop_counts_for_every_spelling_of_the_phone(session):
    make_people(session, ["+525512345678"])
    session.commit()
    hear("stop", sender="+5215512345678")
    work()
    assert opted_out(session, "+525512345678")
    assert opted_out(session, "+5215512345678")


def test_whoever_stopped_can_still_call_for_help(session):
    alert_everybody(session, 1)
    hear("stop", minutes=1)
    hear("help", minutes=2)
    work()
    assert stated(session) == [("NEEDS_HELP", None)]
    assert opted_out(session)


def test_a_wrong_person_freezes_the_phone_and_tells_an_officer(session):
    alert_everybody(session, [phone(1), phone(2)], status=AlertStatus.ACTUAL)
    hear("wrong number", gateway="twilio")
    work()
    assert requests(session) == ["wrong_person"]
    frozen = rows(session, "select value_index, unusable_reason from contact_points where unusable_since is not null")
    assert frozen == [(cipher.index(phone(1), "phone"), "wrong_person")]
    hear("2", minutes=5, gateway="twilio")
    work()
    assert stated(session) == [(None, None)] * 2, "a stranger's text says nothing of the person on record"
    assert requests(session) == ["needs_help", "wrong_person"]


def test_a_strangers_safe_is_nobodys_also_when_it_is_read_together_with_wrong_number(session):
    alert_everybody(session, [phone(1), phone(2)], status=AlertStatus.ACTUAL)
    for minutes, words in ((1, "1"), (3, "wrong number"), (2, "wrong number"), (4, "1")):
        hear(words, minutes=minutes, gateway="twilio")
    hear("3", minutes=4, sender=phone(2), gateway="twilio")
    work()
    assert sorted(stated(session), key=str) == [("NOT_THERE", None), ("SAFE", None)]
    said = rows(
        session, "select received_at, people_matched from inbound_messages order by received_at, people_matched"
    )
    assert [row.people_matched for row in said] == [1, 1, 0, 0, 1]
    frozen = rows(session, "select unusable_since from contact_points where unusable_since is not null")
    assert [row.unusable_since for row in frozen] == [said[1].received_at]


def test_a_stop_said_to_one_real_gateway_counts_at_all_of_them_until_start_is_said_to_any(session):
    make_people(session, [phone(1)])
    crisis = make_crisis(session, AlertStatus.ACTUAL)
    waiting = issue(session, crisis, status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'http'")
    hear("STOP", minutes=1, gateway="smpp")
    work()
    gateway = FakeGateway("http")
    send(gateway)
    assert gateway.submitted == []
    assert states(session, waiting) == {"cancelled": 1}
    assert states(session, issue(session, crisis, status=AlertStatus.ACTUAL)) == {}
    hear("START", minutes=2, gateway="http")
    work()
    assert states(session, issue(session, crisis, status=AlertStatus.ACTUAL)) == {"queued": 1}


def test_an_exercise_neither_silences_nor_freezes_a_real_phone(session):
    alert_everybody(session, [phone(1)])
    hear("STOP", minutes=1)
    hear("wrong number", minutes=2)
    work()
    assert rows(session, "select gateway from opt_outs") == [("exercise",)]
    assert rows(session, "select 1 from contact_points where unusable_since is not null") == []
    event_id = issue(session, make_crisis(session, AlertStatus.ACTUAL), status=AlertStatus.ACTUAL)
    assert states(session, event_id) == {"queued": 1}


@pytest.mark.parametrize(("gateway", "waiting"), [("exercise", (1, 0)), ("twilio", (0, 1))])
def test_an_unknown_sender_is_shown_in_crises_of_its_own_kind_only(session, gateway, waiting):
    crises = [make_crisis(session, status) for status in (AlertStatus.EXERCISE, AlertStatus.ACTUAL)]
    hear("is anybody there", sender=phone(9), gateway=gateway)
    work()
    boards = [board.look(board.find_crisis(crisis)) for crisis in crises]
    assert tuple(one.open_requests[RequestKind.UNKNOWN_SENDER] for one in boards) == waiting
    assert tuple(len(one.queue) for one in boards) == waiting


def test_a_text_from_before_the_phone_changed_hands_still_counts(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    hear("wrong number", minutes=10, gateway="twilio")
    work()
    hear("2", minutes=5, gateway="twilio")
    work()
    assert stated(session) == [("NEEDS_HELP", None)]


def test_each_answer_gets_one_receipt_in_the_persons_language(session):
    make_people(session, [phone(1)], language="fr")
    issue(session, make_crisis(session))
    session.commit()
    gateway = FakeGateway()
    send(gateway)
    hear("1", sid="SMonce")
    hear("1", sid="SMonce")
    work()
    work()
    send(gateway)
    send(gateway)
    receipts = [request for request in gateway.taken if request.body.count("Ref") and "Restez" not in request.body]
    assert [request.to for request in receipts] == [phone(1)]
    assert only(session, "template, language, priority, kind", "messages where inbound_id is not null") == (
        "SAFE",
        "fr",
        4,
        "acknowledgement",
    )


@pytest.mark.parametrize(
    ("body", "sender", "template"),
    [
        ("1", phone(1), "SAFE"),
        ("2", phone(1), "NEEDS_HELP"),
        ("what?", phone(1), "UNCLEAR"),
        ("start", phone(1), "OPT_IN"),
        ("2", "+447911123456", "NEEDS_HELP"),
        ("stop", phone(1), None),
        ("safe", "12345", None),
        ("Sale!", "SHOP", None),
    ],
)
def test_who_gets_which_receipt(session, body, sender, template):
    alert_everybody(session, 1)
    hear(body, sender=sender)
    work()
    found = rows(session, "select template from messages where inbound_id is not null")
    assert found == ([(template,)] if template else [])


@pytest.mark.parametrize(
    ("sender", "country"),
    [(phone(1), "LY"), ("+447400123456", "GB"), ("+881612345678", "001"), ("+9991234567", None)],
)
def test_a_receipt_goes_to_the_country_of_the_phone_if_that_is_known(session, sender, country):
    make_people(session, [phone(1)], phone_country="LY")
    hear("1", sender=sender)
    work()
    assert only(session, "country", "messages") == (country,)


def test_receipts_that_are_written_together_have_each_its_own_country(session):
    for number, sender in enumerate((phone(1), "+447400123456", "+9991234567", phone(2))):
        hear("1", sender=sender, minutes=number)
    work()
    written = rows(
        session,
        "select m.country from messages m join inbound_messages i on i.id = m.inbound_id order by i.received_at",
    )
    assert [row.country for row in written] == ["LY", "GB", None, "LY"]


def test_a_phone_that_writes_all_the_time_is_not_answered_all_the_time(session):
    alert_everybody(session, 1)
    for number in range(30):
        hear("1", minutes=number)
        work()
    assert len(rows(session, "select 1 from messages where inbound_id is not null")) == inbound.MOST_RECEIPTS_AN_HOUR


class Poison(Exception):
    """What a text may do to the code that reads it."""


def poisoned(body: str, language: str | None, crisis_country: str | None):
    if body == "poison":
        raise Poison
    return classify(body, language, crisis_country=crisis_country)


def test_a_text_that_breaks_the_reader_stops_only_itself_and_reaches_a_human(session):
    event_id = alert_everybody(session, 5)
    for number in range(1, 6):
        hear("poison" if number == 3 else "1", sender=phone(number), minutes=number)
    for _ in range(20):
        inbound.process(poisoned)
    assert sorted(str(s) for s, _ in stated(session)) == ["None", "SAFE", "SAFE", "SAFE", "SAFE"]
    assert requests(session) == ["unclear"]
    assert tries(session) == [0, 0, 0, 0, inbound.MOST_TRIES]
    assert rows(session, "select count(*) from inbound_messages where processed_at is null") == [(0,)]
    assert_counted(event_id)


def tries(session) -> list[int]:
    return sorted(row.tries for row in rows(session, "select tries from inbound_messages"))


def breaking(session, *bodies: str):
    """A reader during whose first reading of one of these the database ends the connection."""
    left = set(bodies)

    def read(body: str, language: str | None, crisis_country: str | None):
        if body in left:
            left.remove(body)
            session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
        return classify(body, language, crisis_country=crisis_country)

    return read


def test_a_connection_that_breaks_counts_against_no_text(committing):
    alert_everybody(db.session, 20)
    hear("2")
    for number in range(2, 21):
        hear("1", sender=phone(number), minutes=number)
    read = breaking(db.session, "1", "2")
    while inbound.process(read):
        pass
    assert tries(db.session) == [0] * 20
    assert sorted(stated(db.session)) == [("NEEDS_HELP", None)] + [("SAFE", None)] * 19
    assert requests(db.session) == ["needs_help"]


def test_a_connection_that_breaks_each_time_sets_the_text_aside_and_gives_it_up_never(committing):
    alert_everybody(db.session, 2)
    hear("2")
    for _ in range(5):
        inbound.process(breaking(db.session, "2"))
    assert tries(db.session) == [1]
    hear("1", sender=phone(2), minutes=2)
    inbound.process(breaking(db.session, "2"))
    assert sorted(stated(db.session), key=str) == [("SAFE", None), (None, None)]
    work()
    assert sorted(stated(db.session)) == [("NEEDS_HELP", None), ("SAFE", None)]
    assert requests(db.session) == ["needs_help"]


def test_a_call_for_help_that_failed_once_does_not_wait_for_the_wave_behind_it(session, monkeypatch):
    monkeypatch.setattr(inbound, "BATCH", 2)
    alert_everybody(session, 9)
    hear("2")
    session.execute(text("update inbound_messages set tries = 1"))
    session.commit()
    for number in range(2, 10):
        hear("1", sender=phone(number), minutes=number)
    assert inbound.process() == 3
    assert requests(session) == ["needs_help"]
    work()
    assert sorted(stated(session)) == [("NEEDS_HELP", None)] + [("SAFE", None)] * 8


def test_a_crowd_of_breaking_texts_holds_up_no_other(session):
    alert_everybody(session, 1)
    for number in range(2, 32):
        hear("poison", sender=phone(number), minutes=number)
    hear("2", minutes=60)
    for _ in range(40):
        inbound.process(poisoned)
    assert "needs_help" in requests(session)


def test_a_time_limit_that_strikes_is_not_counted_against_a_batch(session):
    """As the queue's own limit does: an error out of nowhere, while any text is read."""
    alert_everybody(session, 3)
    for number in range(1, 4):
        hear("2", sender=phone(number), minutes=number)
    struck: list[str] = []

    def read(body: str, language: str | None, crisis_country: str | None):
        if not struck:
            struck.append(body)
            raise TimeoutError
        return classify(body, language, crisis_country=crisis_country)

    while inbound.process(read):
        pass
    assert tries(session) == [0, 0, 0]
    assert requests(session) == ["needs_help"] * 3


def test_a_database_that_gives_no_texts_is_the_callers(session):
    hear("2")
    session.execute(text("alter table inbound_messages rename column tries to attempts"))
    session.commit()
    with pytest.raises(ProgrammingError):
        inbound.process()


def test_a_text_that_does_not_open_reaches_a_human(session):
    alert_everybody(session, 1)
    hear("2")
    session.execute(text("update inbound_messages set body_sealed = decode('0102', 'hex')"))
    session.commit()
    hear("1", minutes=2)
    work()
    assert stated(session) == [("SAFE", None)]
    assert requests(session) == ["unclear"]
    assert rows(session, "select count(*) from inbound_messages where processed_at is null") == [(0,)]


def test_many_processes_do_each_text_once(committing):
    with committing.app_context():
        event_id = alert_everybody(db.session, 100)
        for number in range(100):
            hear("12"[number % 2], sender=phone(number + 1), minutes=number / 100)
        db.session.remove()
    run_together(committing, [work, work, work])
    with committing.app_context():
        work()
        assert counters.read(rows(db.session, "select id from crises")[0].id)["bucket:needs_help"] == 50
        assert len(rows(db.session, "select 1 from status_events")) == 100
        assert_counted(event_id)


def test_the_moment_of_a_statement_is_when_the_text_reached_us(session):
    alert_everybody(session, 1)
    hear("1", minutes=-30)
    work()
    moment: datetime = rows(session, "select stated_at from person_statuses")[0].stated_at
    assert moment == START - timedelta(minutes=30)


@pytest.mark.parametrize(("country", "kind"), [("LY", "NOT_THERE"), ("IN", "UNCLEAR")])
def test_being_in_a_country_is_read_with_the_country_of_the_crisis(session, country, kind):
    alert_everybody(session, 1)
    session.execute(
        text("update crises set audience = jsonb_build_object('countries', jsonb_build_array(cast(:c as text)))"),
        {"c": country},
    )
    hear("I am in India", sender=phone(1))
    inbound.process()
    assert session.execute(text("select kind from inbound_messages")).scalars().all() == [kind]
