"""Texts on their way out, over a real socket to an SMSC of the test: what is written, and what each answer means."""

from __future__ import annotations

import threading
import time

import pytest

from consular.domain.ports import FailureReason, GatewayError, RefusalScope, SendOutcome
from consular.providers.smpp import alphabets
from consular.providers.smpp.codes import STATUS_RULES
from consular.providers.smpp.pdus import BindTransceiver
from consular.providers.smpp.wire import Command, Pdu, frame_of
from tests.providers.smpp.conftest import PHONE, sms
from tests.providers.smpp.smsc import take

ARABIC = "غادروا المدينة الآن. أجب: 1 = بخير، 2 = أحتاج مساعدة. 😀 " * 3


def test_it_introduces_itself_as_a_transceiver_of_3_4(smsc, connect):
    server = smsc()
    connect(server.port, system_type="MFA", address_range="^8888").bind()
    assert BindTransceiver.decode(server.binds[0].body) == BindTransceiver(
        "consular", "secret", "MFA", 0x34, address_range="^8888"
    )


def test_a_short_text_is_one_submit_sm_and_comes_back_with_its_id(smsc, connect):
    server = smsc()
    (result,) = connect(server.port).send(sms(body="Stay indoors [now]. €"))
    assert (result.outcome, result.provider_message_id) == (SendOutcome.ACCEPTED, "1a2b3c00")
    assert 0 < result.latency_seconds < 5
    (one,) = server.submitted
    message = one.message
    assert (message.source.ton, message.source.npi, message.source.digits) == (1, 1, "218910000000")
    assert (message.destination.ton, message.destination.npi, message.destination.digits) == (1, 1, PHONE[1:])
    assert (message.data_coding, message.esm_class, message.registered_delivery) == (0, 0, 1)
    assert message.validity_period == "000000010000000R"
    assert message.short_message == b"Stay indoors \x1b\x3cnow\x1b\x3e. \x1b\x65"


@pytest.mark.parametrize(
    ("sender", "address"),
    [("+218910000000", (1, 1, "218910000000")), ("8888", (3, 0, "8888")), ("Ministry FA", (5, 0, "Ministry FA"))],
)
def test_the_sender_has_the_type_of_its_form(smsc, connect, sender, address):
    server = smsc()
    connect(server.port, sender=sender).send(sms())
    source = server.submitted[0].message.source
    assert (source.ton, source.npi, source.digits) == address


def test_an_operators_own_type_of_number_wins(smsc, connect):
    server = smsc()
    connect(server.port, sender="8888", sender_ton=6, sender_npi=9).send(sms())
    assert (server.submitted[0].message.source.ton, server.submitted[0].message.source.npi) == (6, 9)


@pytest.mark.parametrize("body", [ARABIC, "Leave the city by the eastern road. {€} " * 12], ids=["ucs2", "gsm7"])
def test_a_long_text_arrives_whole_under_one_reference_and_is_accepted_when_all_parts_are(smsc, connect, body):
    server = smsc()
    (result,) = connect(server.port).send(sms(body=body))
    messages = [one.message for one in server.submitted]
    headers = [message.short_message[:6] for message in messages]
    octets = [message.short_message[6:] for message in messages]
    assert len(messages) > 2
    assert {message.esm_class for message in messages} == {0x40}
    assert headers == [bytes((5, 0, 3, headers[0][3], len(messages), n)) for n in range(1, len(messages) + 1)]
    assert "".join(alphabets.decode(data, messages[0].data_coding) for data in octets) == body
    assert (result.outcome, result.provider_message_id) == (SendOutcome.ACCEPTED, f"{0x1A2B3C00 + len(messages) - 1:x}")


def test_two_long_texts_have_two_references(smsc, connect):
    server = smsc()
    connect(server.port).send(sms(body=ARABIC), sms(body=ARABIC))
    assert len({one.message.short_message[3] for one in server.submitted}) == 2


def test_no_more_than_the_window_is_unanswered_at_once(smsc, connect):
    gate = threading.Event()
    most, out = [], []

    def slow(session, pdu, message):
        out.append(pdu)
        most.append(len(out))
        if len(out) == 4:
            gate.wait(0.1)
            for one in out[:]:
                out.remove(one)
                take(session, one, message)

    server = smsc(slow)
    results = connect(server.port, answer_timeout_seconds=5.0).send(*(sms() for _ in range(40)))
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    assert max(most) == 4
    assert len(server.submitted) == 40


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        pytest.param(status, rule, id=rule.name)
        for status, rule in STATUS_RULES.items()
        if rule.name != "ESME_RINVBNDSTS"
    ],
)
def test_each_answer_has_its_outcome(smsc, connect, status, rule):
    server = smsc(lambda session, pdu, message: session.refuse(pdu, status))
    (result,) = connect(server.port).send(sms())
    assert (result.outcome, result.error_code) == (rule.outcome, rule.name)
    assert result.scope is rule.scope
    assert result.provider_message_id is None
    assert (result.retry_after_seconds is not None) == (result.outcome is SendOutcome.NOT_SENT)
    assert len(server.submitted) == 1


def test_an_answer_nobody_knows_is_doubt(smsc, connect):
    server = smsc(lambda session, pdu, message: session.refuse(pdu, 0x410))
    (result,) = connect(server.port).send(sms())
    assert (result.outcome, result.error_code) == (SendOutcome.UNKNOWN, "smpp-0x00000410")


def test_a_generic_nack_to_a_submit_is_its_answer(smsc, connect):
    nack = lambda session, pdu, message: session.write(frame_of(Command.GENERIC_NACK, pdu.sequence, status=0x03))  # noqa: E731
    (result,) = connect(smsc(nack).port).send(sms())
    assert (result.outcome, result.scope) == (SendOutcome.REFUSED, RefusalScope.ACCOUNT)


def test_a_wrong_bind_state_is_not_sent_and_binds_anew(smsc, connect):
    server = smsc(
        lambda session, pdu, message: session.refuse(pdu, 0x04) if session.number == 1 else take(session, pdu, message)
    )
    side = connect(server.port)
    (result,) = side.send(sms())
    assert (result.outcome, result.error_code) == (SendOutcome.NOT_SENT, "ESME_RINVBNDSTS")
    assert side.bind().send(sms())[0].outcome is SendOutcome.ACCEPTED


def test_throttling_slows_the_sender_down_before_the_next_write(smsc, connect):
    server = smsc(lambda session, pdu, message: session.refuse(pdu, 0x58))
    side = connect(server.port, window=1)
    (result,) = side.send(sms())
    assert 0.5 < result.retry_after_seconds <= 1.0
    server.on_submit = take
    began = time.monotonic()
    (later,) = side.send(sms())
    assert later.outcome is SendOutcome.ACCEPTED
    assert time.monotonic() - began > 0.7


def test_a_throttled_later_part_follows_and_the_first_goes_once(smsc, connect):
    numbers = []

    def throttle_second(session, pdu, message):
        number = message.short_message[5]
        numbers.append(number)
        if number == 2 and numbers.count(2) == 1:
            session.refuse(pdu, 0x58)
        else:
            take(session, pdu, message)

    server = smsc(throttle_second)
    (result,) = connect(server.port).send(sms(body="x" * 400))
    assert result.outcome is SendOutcome.ACCEPTED
    assert sorted(numbers) == [1, 2, 2, 3]


def test_a_refused_first_part_leaves_nothing_on_the_phone(smsc, connect):
    server = smsc(lambda session, pdu, message: session.refuse(pdu, 0x0B))
    (result,) = connect(server.port).send(sms(body=ARABIC))
    assert (result.outcome, result.failure_reason) == (SendOutcome.REFUSED, FailureReason.INVALID_NUMBER)
    assert [one.message.short_message[5] for one in server.submitted] == [1]


@pytest.mark.parametrize(
    ("status", "outcome", "scope"),
    [(0x0A, SendOutcome.REFUSED, RefusalScope.NUMBER), (0x08, SendOutcome.UNKNOWN, None)],
    ids=["refused", "doubt"],
)
def test_a_text_of_which_a_part_is_on_the_phone_never_goes_again_by_itself(smsc, connect, status, outcome, scope):
    def second_fails(session, pdu, message):
        if message.short_message[5] == 2:
            session.refuse(pdu, status)
        else:
            take(session, pdu, message)

    (result,) = connect(smsc(second_fails).port).send(sms(body="x" * 300))
    assert (result.outcome, result.scope) == (outcome, scope)


def test_half_a_surrogate_pair_is_refused_and_not_written(smsc, connect):
    server = smsc()
    (result,) = connect(server.port).bind().send(sms(body="\ud83d alone"))
    assert (result.outcome, result.error_code) == (SendOutcome.REFUSED, "encoding")
    assert server.submitted == []


def test_a_request_whose_lease_is_too_short_is_not_written(smsc, connect):
    server = smsc()
    (result,) = connect(server.port).bind().send(sms(lease=0.55))
    assert (result.outcome, result.error_code) == (SendOutcome.NOT_SENT, "lease")
    assert server.submitted == []


def test_a_lease_that_ends_while_waiting_for_a_place_is_seen(smsc, connect):
    gate = threading.Event()

    def wait(session, pdu, message):
        gate.wait(0.35)
        take(session, pdu, message)

    server = smsc(wait)
    first, second = connect(server.port, window=1).bind().send(sms(), sms(lease=0.9))
    assert (first.outcome, second.outcome) == (SendOutcome.ACCEPTED, SendOutcome.NOT_SENT)
    assert len(server.submitted) == 1


def wait_for(side, request):
    """The request's result and how long it took."""
    began = time.monotonic()
    side.gateway.submit(request)
    side.drive(lambda: request.attempt_id in side.results)
    return side.results[request.attempt_id], time.monotonic() - began


def not_sent_by_us(result):
    """Not sent, and no reason to go more slowly."""
    return (result.outcome, result.error_code, result.retry_after_seconds) == (SendOutcome.NOT_SENT, "lease", None)


def test_what_cannot_leave_soon_because_the_operator_asks_for_a_pause_does_not_leave_later(smsc, connect):
    server = smsc(lambda session, pdu, message: session.refuse(pdu, 0x58))
    side = connect(server.port, patience_seconds=0.3).bind()
    side.send(sms())
    result, seconds = wait_for(side, sms())
    assert not_sent_by_us(result)
    assert 0.2 < seconds < 0.8
    server.on_submit = take
    side.drive(lambda: side.send(sms())[0].outcome is SendOutcome.ACCEPTED)
    assert len(server.submitted) == 2


def test_what_cannot_leave_soon_because_the_window_is_full_does_not_leave_later(smsc, connect):
    server = smsc(lambda session, pdu, message: None)
    side = connect(server.port, window=1, answer_timeout_seconds=1.5, patience_seconds=0.3).bind()
    side.gateway.submit(sms())
    result, seconds = wait_for(side, sms())
    assert not_sent_by_us(result)
    assert 0.2 < seconds < 1.2
    side.drive(lambda: not side.gateway.in_flight)
    assert len(server.submitted) == 1


def test_what_cannot_leave_soon_because_the_bind_is_not_there_yet_does_not_leave_later(smsc, connect):
    server = smsc()
    server.is_deaf = True
    side = connect(server.port, connect_timeout_seconds=3.0, patience_seconds=0.3)
    result, seconds = wait_for(side, sms())
    assert not_sent_by_us(result)
    assert 0.2 < seconds < 2


def test_a_process_that_was_frozen_does_not_write_what_waited_too_long(smsc, connect):
    server = smsc(lambda session, pdu, message: None)
    side = connect(server.port, window=1, answer_timeout_seconds=5.0, patience_seconds=0.3).bind()
    first, second = sms(), sms()
    side.gateway.submit(first)
    side.gateway.submit(second)
    side.drive(lambda: server.submitted)
    server.session.taken(Pdu(Command.SUBMIT_SM, server.submitted[0].sequence), "1a")
    threading.Event().wait(0.4)
    side.drive(lambda: len(side.results) == 2)
    assert side.results[first.attempt_id].outcome is SendOutcome.ACCEPTED
    assert not_sent_by_us(side.results[second.attempt_id])
    assert len(server.submitted) == 1


def test_a_text_of_which_a_part_was_written_is_finished_however_long_that_takes(smsc, connect):
    def throttle_second(session, pdu, message):
        numbers = [one.message.short_message[5] for one in server.submitted]
        if numbers.count(2) == 1 and message.short_message[5] == 2:
            session.refuse(pdu, 0x58)
        else:
            take(session, pdu, message)

    server = smsc(throttle_second)
    (result,) = connect(server.port, patience_seconds=0.2).bind().send(sms(body="x" * 300))
    assert result.outcome is SendOutcome.ACCEPTED
    assert [one.message.short_message[5] for one in server.submitted] == [1, 2, 2]


def test_an_unreadable_id_is_doubt(smsc, connect):
    server = smsc(
        lambda session, pdu, message: session.write(frame_of(Command.SUBMIT_SM_RESP, pdu.sequence, b"\x01\x02\0"))
    )
    assert connect(server.port).send(sms())[0].outcome is SendOutcome.UNKNOWN


def test_an_id_without_its_nul_is_an_id(smsc, connect):
    server = smsc(lambda session, pdu, message: session.write(frame_of(Command.SUBMIT_SM_RESP, pdu.sequence, b"1A2B")))
    (result,) = connect(server.port).send(sms())
    assert (result.outcome, result.provider_message_id) == (SendOutcome.ACCEPTED, "1a2b")


def test_there_is_no_list(smsc, connect):
    gateway = connect(smsc().port).gateway
    with pytest.raises(GatewayError) as raised:
        gateway.find(PHONE, None)
    assert PHONE not in str(raised.value)
    with pytest.raises(GatewayError):
        gateway.list_inbound(None)


def test_it_unbinds_before_it_goes(smsc, connect):
    server = smsc()
    side = connect(server.port)
    side.send(sms())
    side.gateway.close()
    assert server.commands()[-1] == Command.UNBIND
    assert list(side.gateway.poll(0.01)) == []
