"""When the line or the SMSC fails: what certainly did not leave may go again, the rest is UNKNOWN; the bind returns."""

from __future__ import annotations

import socket
import struct
import threading
import time

import pytest

from consular.domain.ports import RefusalScope, SendOutcome
from consular.providers.smpp.wire import LONGEST_PDU, Command, frame_of
from tests.providers.smpp.conftest import PHONE, settings_for, sms
from tests.providers.smpp.smsc import take, text
from tests.waiting import eventually


def outcomes(results):
    return [result.outcome for result in results]


def test_a_link_lost_with_submits_in_the_window_leaves_those_unknown_and_the_others_not_sent(smsc, connect):
    server = smsc(lambda session, pdu, message: session.cut() if len(server.submitted) == 4 else None)
    side = connect(server.port, answer_timeout_seconds=5.0).bind()
    results = side.send(*(sms() for _ in range(7)))
    assert outcomes(results) == [SendOutcome.UNKNOWN] * 4 + [SendOutcome.NOT_SENT] * 3
    assert {result.error_code for result in results[:4]} == {"link-lost"}
    server.on_submit = take
    assert outcomes(side.bind().send(sms())) == [SendOutcome.ACCEPTED]
    assert len(server.submitted) == 5


def test_answers_that_came_before_the_link_broke_count_although_the_break_is_seen_in_writing(smsc, connect):
    waiting = []
    server = smsc(lambda session, pdu, message: waiting.append(pdu))
    side = connect(server.port, window=10, answer_timeout_seconds=5.0).bind()
    taken = [sms() for _ in range(3)]
    for request in taken:
        side.gateway.submit(request)
    assert eventually(lambda: len(waiting) == 3)
    for pdu in waiting:
        server.session.taken(pdu, f"{pdu.sequence:x}")
    server.session.socket.shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: server.session.socket.fileno() == -1)
    server.on_submit = take
    later = [sms() for _ in range(20)]
    for request in later:
        side.gateway.submit(request)
        let_pass(0.01)
    side.drive(lambda: len(side.results) == 23)
    assert outcomes(side.results[one.attempt_id] for one in taken) == [SendOutcome.ACCEPTED] * 3
    assert {side.results[one.attempt_id].outcome for one in later} == {SendOutcome.UNKNOWN, SendOutcome.NOT_SENT}
    assert outcomes(side.bind().send(sms())) == [SendOutcome.ACCEPTED]


def test_a_part_that_waits_follows_in_the_next_session_and_the_first_does_not_go_again(smsc, connect):
    def throttle_and_cut(session, pdu, message):
        if message.short_message[5] == 2 and session.number == 1:
            session.refuse(pdu, 0x58)
            session.write(frame_of(Command.UNBIND, 1))
        else:
            take(session, pdu, message)

    server = smsc(throttle_and_cut)
    (result,) = connect(server.port).send(sms(body="x" * 300))
    assert result.outcome is SendOutcome.ACCEPTED
    assert [(one.session, one.message.short_message[5]) for one in server.submitted] == [(1, 1), (1, 2), (2, 2)]


def test_a_text_whose_rest_cannot_follow_before_its_lease_is_unknown_not_repeated(smsc, connect):
    def only_first(session, pdu, message):
        if message.short_message[5] == 1:
            take(session, pdu, message)
        else:
            session.refuse(pdu, 0x58)

    server = smsc(only_first)
    (result,) = connect(server.port).send(sms(body="x" * 300, lease=1.2))
    assert (result.outcome, result.error_code) == (SendOutcome.UNKNOWN, "partial")
    assert [one.message.short_message[5] for one in server.submitted].count(1) == 1


def test_nobody_there_is_not_sent_and_says_when_to_come_back(closed_port, connect):
    (result,) = connect(closed_port, first_wait_seconds=5.0, longest_wait_seconds=5.0).send(sms())
    assert (result.outcome, result.error_code) == (SendOutcome.NOT_SENT, "link-down")
    assert 2.0 < result.retry_after_seconds <= 5.0


def test_a_host_that_does_not_answer_is_given_up_in_time(full_port, connect):
    began = time.monotonic()
    (result,) = connect(full_port, connect_timeout_seconds=0.3).send(sms())
    assert result.outcome is SendOutcome.NOT_SENT
    assert time.monotonic() - began < 2


def test_while_the_link_waits_a_text_comes_back_at_once(closed_port, connect):
    side = connect(closed_port, first_wait_seconds=30.0, longest_wait_seconds=30.0)
    side.send(sms())
    began = time.monotonic()
    (result,) = side.send(sms())
    assert result.outcome is SendOutcome.NOT_SENT
    assert time.monotonic() - began < 0.5


def test_a_wrong_password_stops_the_line_and_is_not_tried_in_a_hurry(smsc, connect):
    server = smsc(bind_status=0x0E)
    side = connect(server.port, refused_wait_seconds=30.0)
    first, second = side.send(sms()) + side.send(sms())
    for result in (first, second):
        assert (result.outcome, result.scope) == (SendOutcome.REFUSED, RefusalScope.ACCOUNT)
        assert result.error_code == "ESME_RINVPASWD"
    assert len(server.binds) == 1


@pytest.mark.parametrize(("status", "name"), [(0x08, "ESME_RSYSERR"), (0x410, "smpp-0x00000410")])
def test_a_bind_that_is_refused_without_a_clear_reason_leaves_no_doubt_that_nothing_was_sent(
    smsc, connect, status, name
):
    server = smsc(bind_status=status)
    side = connect(server.port, first_wait_seconds=5.0, longest_wait_seconds=5.0)
    for result in side.send(sms()) + side.send(sms()):
        assert (result.outcome, result.error_code, result.scope) == (SendOutcome.NOT_SENT, name, None)
        assert result.retry_after_seconds > 1


def test_an_old_bind_not_yet_forgotten_is_waited_for(smsc, connect):
    server = smsc(bind_status=0x05)
    side = connect(server.port)
    assert outcomes(side.send(sms())) == [SendOutcome.NOT_SENT]
    server.bind_status = 0
    assert outcomes(side.bind().send(sms())) == [SendOutcome.ACCEPTED]


def test_a_bind_without_answer_is_given_up(smsc, connect):
    server = smsc()
    server.is_deaf = True
    side = connect(server.port, connect_timeout_seconds=0.2)
    assert outcomes(side.send(sms())) == [SendOutcome.NOT_SENT]
    server.is_deaf = False
    assert outcomes(side.bind().send(sms())) == [SendOutcome.ACCEPTED]


def test_a_silent_server_is_noticed_by_enquire_link_and_left(smsc, connect):
    server = smsc()
    side = connect(server.port, enquire_seconds=0.2, answer_timeout_seconds=0.3).bind()
    server.is_silent = True
    side.drive(lambda: len(server.binds) >= 2)
    assert Command.ENQUIRE_LINK in server.commands()
    server.is_silent = False
    assert outcomes(side.bind().send(sms())) == [SendOutcome.ACCEPTED]


def test_a_server_that_answers_keeps_its_bind(smsc, connect):
    server = smsc()
    side = connect(server.port, enquire_seconds=0.05).bind()
    side.drive(lambda: server.commands().count(Command.ENQUIRE_LINK) >= 4)
    assert len(server.binds) == 1
    assert side.gateway.is_bound


def test_bytes_that_never_make_a_pdu_are_no_sign_of_life(smsc, connect):
    server = smsc()
    side = connect(server.port, enquire_seconds=0.2, answer_timeout_seconds=0.3).bind()
    server.is_silent = True
    server.session.write(struct.pack(">I", 60_000))
    first = server.session
    deadline = time.monotonic() + 3
    while len(server.binds) == 1 and time.monotonic() < deadline:
        first.write(b"\0")
        side.gateway.poll(0.05)
    assert len(server.binds) == 2


def test_enquire_link_of_the_server_is_answered(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.write(frame_of(Command.ENQUIRE_LINK, 77))
    side.drive(lambda: Command.ENQUIRE_LINK_RESP in server.commands())
    assert next(pdu.sequence for _, pdu in server.heard if pdu.command == Command.ENQUIRE_LINK_RESP) == 77


def test_a_server_that_unbinds_gets_its_answer_and_a_new_bind(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.write(frame_of(Command.UNBIND, 5))
    side.drive(lambda: len(server.binds) == 2)
    side.drive(lambda: Command.UNBIND_RESP in server.commands())


def test_a_server_that_unbinds_and_then_answers_is_heard(smsc, connect):
    def goodbye(session, pdu, message):
        answers = [frame_of(Command.SUBMIT_SM_RESP, one.sequence, b"1a\0") for one in server.submitted]
        if len(answers) == 3:
            session.write(frame_of(Command.UNBIND, 5) + b"".join(answers))

    server = smsc(goodbye)
    side = connect(server.port, answer_timeout_seconds=5.0).bind()
    assert outcomes(side.send(*(sms() for _ in range(3)))) == [SendOutcome.ACCEPTED] * 3
    side.drive(lambda: len(server.binds) == 2)
    assert Command.UNBIND_RESP in server.commands()


@pytest.mark.parametrize(
    "garbage",
    [b"\0\0\0\x0f" + b"x" * 12, struct.pack(">I", LONGEST_PDU + 1) + b"x" * 12, b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    ids=["shorter than a header", "oversize", "another protocol"],
)
def test_garbage_ends_the_session_and_a_clean_one_follows(smsc, connect, garbage):
    server = smsc()
    side = connect(server.port).bind()
    server.is_silent = True
    server.session.write(garbage)
    side.drive(lambda: len(server.binds) == 2)
    side.drive(lambda: (Command.GENERIC_NACK, 0x02) in [(pdu.command, pdu.status) for _, pdu in list(server.heard)])
    server.is_silent = False
    assert outcomes(side.bind().send(sms())) == [SendOutcome.ACCEPTED]


def test_a_request_nobody_knows_is_nacked_and_the_session_goes_on(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.write(frame_of(0x0000_0103, 9) + frame_of(0x0000_0102, 10) + frame_of(0x8000_0103, 11))
    side.drive(lambda: Command.GENERIC_NACK in server.commands())
    assert outcomes(side.send(sms())) == [SendOutcome.ACCEPTED]
    nacks = [(pdu.sequence, pdu.status) for _, pdu in server.heard if pdu.command == Command.GENERIC_NACK]
    assert nacks == [(9, 0x03)]
    assert len(server.binds) == 1


def test_bytes_that_come_one_by_one_are_put_together(smsc, connect):
    def drip(session, pdu, message):
        for byte in frame_of(Command.SUBMIT_SM_RESP, pdu.sequence, b"slow\0"):
            session.write(bytes([byte]))
            time.sleep(0.002)

    (result,) = connect(smsc(drip).port).send(sms())
    assert (result.outcome, result.provider_message_id) == (SendOutcome.ACCEPTED, "slow")


def test_no_answer_in_time_is_unknown_and_the_place_in_the_window_is_free_again(smsc, connect):
    server = smsc(lambda session, pdu, message: None)
    side = connect(server.port, window=1).bind()
    (result,) = side.send(sms())
    assert (result.outcome, result.error_code) == (SendOutcome.UNKNOWN, "answer-timeout")
    server.on_submit = take
    assert outcomes(side.send(sms())) == [SendOutcome.ACCEPTED]
    assert len(server.binds) == 1


def test_an_answer_that_comes_too_late_is_handed_over_as_a_proof(smsc, connect):
    waiting = []
    server = smsc(lambda session, pdu, message: waiting.append((session, pdu)))
    side = connect(server.port).bind()
    request = sms()
    assert outcomes(side.send(request)) == [SendOutcome.UNKNOWN]
    session, pdu = waiting[0]
    session.taken(pdu, "LATE1")
    side.drive(lambda: side.shelf.receipts)
    (proof,) = side.shelf.receipts
    assert (proof.attempt_id, proof.message_id, proof.status) == (request.attempt_id, "late1", "ACCEPTD")


def test_an_answer_to_nothing_is_ignored(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.write(frame_of(Command.SUBMIT_SM_RESP, 4711, b"ghost\0"))
    assert outcomes(side.send(sms())) == [SendOutcome.ACCEPTED]


def test_what_did_not_leave_whole_is_not_sent(smsc, connect):
    """The server stops reading: the socket fills up, one frame stays half written, the ones behind it never begin."""
    server = smsc(lambda session, pdu, message: None)
    side = connect(server.port, window=10_000, answer_timeout_seconds=1.5).bind()
    server.may_read.clear()
    requests = [sms(f"+21891{number:07d}", "x" * 160) for number in range(9_999)]
    results = side.send(*requests)
    server.may_read.set()
    side.drive(lambda: server.sessions[0].socket.fileno() == -1)
    phones = {
        outcome: {r.to for r, one in zip(requests, results, strict=True) if one.outcome is outcome}
        for outcome in SendOutcome
    }
    assert phones[SendOutcome.UNKNOWN]
    assert phones[SendOutcome.NOT_SENT]
    assert not phones[SendOutcome.ACCEPTED]
    arrived = {f"+{one.message.destination.digits}" for one in server.submitted}
    assert arrived == phones[SendOutcome.UNKNOWN]


def test_an_exercise_never_leaves_the_private_network():
    with pytest.raises(ValueError, match="exercise"):
        settings_for(2775, host="198.51.100.7")


def test_nothing_shows_numbers_texts_or_the_password(smsc, connect):
    side = connect(smsc().port)
    request = sms(body="secret words")
    side.gateway.submit(request)
    waiting = repr(list(vars(side.gateway._outbox).values())) + repr(settings_for(2775))
    shown = repr(side.gateway) + waiting + repr(text(PHONE, b"hidden"))
    assert not [word for word in ("secret", "hidden", PHONE[1:]) if word in shown]


def let_pass(seconds):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        threading.Event().wait(0.05)


def test_a_process_that_was_frozen_finds_the_answers_that_came_meanwhile(smsc, connect):
    server = smsc()
    side = connect(server.port, enquire_seconds=0.1, answer_timeout_seconds=0.3).bind()
    side.drive(lambda: Command.ENQUIRE_LINK in server.commands())
    request = sms()
    side.gateway.submit(request)
    let_pass(0.7)
    side.drive(lambda: request.attempt_id in side.results)
    assert side.results[request.attempt_id].outcome is SendOutcome.ACCEPTED
    assert len(server.binds) == 1


def test_a_half_written_frame_is_not_completed_after_its_time(smsc, connect):
    server = smsc(lambda session, pdu, message: None)
    side = connect(server.port, window=10_000, answer_timeout_seconds=0.8).bind()
    server.may_read.clear()
    for number in range(5_000):
        side.gateway.submit(sms(f"+21891{number:07d}", "x" * 160))
    let_pass(1.2)
    server.may_read.set()
    before = -1
    while before != len(server.submitted):
        before = len(server.submitted)
        let_pass(0.2)
    side.gateway.submit(sms("+218990000001"))
    side.drive(lambda: not side.gateway.in_flight)
    side.drive(lambda: server.sessions[0].socket.fileno() == -1)
    assert [one.session for one in server.submitted].count(1) == before > 0


def test_a_line_that_stalls_and_goes_on_carries_every_text_once(smsc, connect):
    server = smsc()
    side = connect(server.port, window=10_000, answer_timeout_seconds=10.0).bind()
    server.may_read.clear()
    requests = [sms(f"+21891{number:07d}", "x" * 160) for number in range(5_000)]
    for request in requests:
        side.gateway.submit(request)
    let_pass(0.2)
    server.may_read.set()
    side.drive(lambda: len(side.results) == len(requests))
    assert {result.outcome for result in side.results.values()} == {SendOutcome.ACCEPTED}
    assert sorted(one.message.destination.digits for one in server.submitted) == sorted(one.to[1:] for one in requests)
    assert len(server.binds) == 1
