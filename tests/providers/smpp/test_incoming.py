"""What the SMSC delivers: receipts find their texts, texts come whole, and nothing is confirmed before it is stored."""

from __future__ import annotations

import time

import pytest

from consular.domain.delivery import MessageState
from consular.domain.ports import SendOutcome
from consular.providers.smpp import alphabets, pdus
from consular.providers.smpp.codes import failure_reason, map_status
from consular.providers.smpp.wire import Command, frame_of
from tests.providers.smpp.conftest import PHONE, sms
from tests.providers.smpp.smsc import Smsc, receipt, text

OK, AGAIN, NEVER = 0x00, 0x64, 0x65


def answered(side, server, *sequences):
    side.drive(lambda: all(sequence in server.answers() for sequence in sequences))
    return [server.answers()[sequence] for sequence in sequences]


def parts_of(body: str, count: int, reference: int = 9):
    octets = alphabets.encode_ucs2(body)
    step = -(-len(octets) // count // 2) * 2
    return [
        text(PHONE, bytes((5, 0, 3, reference, count, n + 1)) + octets[n * step : (n + 1) * step], 8, 0x40)
        for n in range(count)
    ]


def wait_idle(side, seconds):
    ends_at = time.monotonic() + seconds
    side.drive(lambda: time.monotonic() >= ends_at)


@pytest.mark.parametrize(
    "spelled",
    [lambda i: f"{i:X}", lambda i: f"{i:x}", lambda i: f"{i:010d}", lambda i: f"{i:012x}"],
    ids=["hex as answered", "lower case", "decimal with zeros", "hex with zeros"],
)
def test_a_receipt_finds_its_attempt_however_it_spells_the_id(smsc, connect, spelled):
    server = smsc()
    side = connect(server.port)
    request, other = sms(), sms("+218925550000")
    (result, _) = side.send(request, other)
    sequence = server.session.deliver(receipt(spelled(int(result.provider_message_id, 16)), PHONE))
    assert answered(side, server, sequence) == [OK]
    (one,) = side.shelf.receipts
    assert (one.attempt_id, one.message_id) == (request.attempt_id, result.provider_message_id)
    assert (one.status, one.error_code, one.to, one.parts) == ("DELIVRD", None, PHONE, 1)


def test_decimal_answers_and_hex_receipts_are_matched_too(smsc, connect):
    server = smsc(lambda session, pdu, message: session.taken(pdu, "439041101"))
    side = connect(server.port)
    request = sms()
    side.send(request)
    server.session.deliver(receipt("1a2b3c4d", PHONE))
    side.drive(lambda: side.shelf.receipts)
    assert side.shelf.receipts[0].attempt_id == request.attempt_id


def test_the_same_id_about_another_phone_is_not_ours(smsc, connect):
    server = smsc()
    side = connect(server.port)
    (result,) = side.send(sms())
    server.session.deliver(receipt(result.provider_message_id, "+218990000001"))
    side.drive(lambda: side.shelf.receipts)
    assert side.shelf.receipts[0].attempt_id is None


def test_a_receipt_of_an_earlier_life_keeps_its_own_id(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.deliver(receipt("77AF", PHONE, "UNDELIV", "011"))
    side.drive(lambda: side.shelf.receipts)
    (one,) = side.shelf.receipts
    assert (one.message_id, one.attempt_id, one.status, one.error_code) == ("77AF", None, "UNDELIV", "UNDELIV:011")
    assert one.to == PHONE
    assert map_status(one.status) is MessageState.UNDELIVERED
    assert failure_reason(one.error_code) is not None


def test_receipts_in_optional_parameters_win_over_words(smsc, connect):
    server = smsc()
    side = connect(server.port)
    request = sms()
    (result,) = side.send(request)
    tlvs = (
        (pdus.TLV_RECEIPTED_MESSAGE_ID, result.provider_message_id.encode() + b"\0"),
        (pdus.TLV_MESSAGE_STATE, b"\x05"),
        (pdus.TLV_NETWORK_ERROR_CODE, b"\x03\x00\x1b"),
    )
    server.session.deliver(receipt("999999", PHONE, short_message=b"", esm_class=0, tlvs=tlvs))
    side.drive(lambda: side.shelf.receipts)
    (one,) = side.shelf.receipts
    assert (one.attempt_id, one.status, one.error_code) == (request.attempt_id, "UNDELIV", "UNDELIV:27")


def test_a_receipt_that_comes_before_the_answer_waits_for_it(smsc, connect):
    def receipt_first(session, pdu, message):
        session.deliver(receipt("ABC1", PHONE))
        time.sleep(0.1)
        session.taken(pdu, "ABC1")

    server = smsc(receipt_first)
    side = connect(server.port)
    request = sms()
    (result,) = side.send(request)
    assert result.outcome is SendOutcome.ACCEPTED
    side.drive(lambda: side.shelf.receipts)
    assert side.shelf.receipts[0].attempt_id == request.attempt_id


def test_a_receipt_waits_no_longer_than_it_may(smsc, connect):
    server = smsc(lambda session, pdu, message: session.deliver(receipt("ABC1", PHONE)))
    side = connect(server.port, answer_timeout_seconds=3.0).bind()
    side.gateway.submit(sms())
    began = time.monotonic()
    side.drive(lambda: side.shelf.receipts)
    assert 0.2 < time.monotonic() - began < 2
    assert side.shelf.receipts[0].attempt_id is None


def test_a_receipt_about_somebody_else_does_not_wait(smsc, connect):
    server = smsc(lambda session, pdu, message: session.deliver(receipt("ABC1", "+218990000001")))
    side = connect(server.port, answer_timeout_seconds=3.0, early_hold_seconds=2.0).bind()
    side.gateway.submit(sms())
    began = time.monotonic()
    side.drive(lambda: side.shelf.receipts)
    assert time.monotonic() - began < 1


def test_the_same_receipt_again_is_the_same_value_and_is_confirmed_again(smsc, connect):
    server = smsc()
    side = connect(server.port)
    (result,) = side.send(sms())
    sequences = [server.session.deliver(receipt(result.provider_message_id, PHONE)) for _ in range(3)]
    assert answered(side, server, *sequences) == [OK] * 3
    assert len(set(side.shelf.receipts)) == 1


def test_a_long_text_is_delivered_when_all_its_parts_are(smsc, connect):
    server = smsc()
    side = connect(server.port)
    request = sms(body="x" * 400)
    side.send(request)
    for number in range(3):
        server.session.deliver(receipt(f"{0x1A2B3C00 + number:X}", PHONE))
    side.drive(lambda: len(side.shelf.receipts) == 3)
    assert [one.status for one in side.shelf.receipts] == ["PARTIAL", "PARTIAL", "DELIVRD"]
    assert [one.part for one in side.shelf.receipts] == [1, 2, 3]
    assert {one.attempt_id for one in side.shelf.receipts} == {request.attempt_id}


def test_a_long_text_with_a_lost_part_is_never_called_delivered(smsc, connect):
    server = smsc()
    side = connect(server.port)
    side.send(sms(body="x" * 400))
    for number, stat in ((2, "UNDELIV"), (0, "DELIVRD"), (1, "DELIVRD")):
        server.session.deliver(receipt(f"{0x1A2B3C00 + number:X}", PHONE, stat))
    side.drive(lambda: len(side.shelf.receipts) == 3)
    assert [one.status for one in side.shelf.receipts] == ["UNDELIV", "PARTIAL", "PARTIAL"]


def test_a_part_that_arrives_after_all_makes_the_text_delivered(smsc, connect):
    server = smsc()
    side = connect(server.port)
    side.send(sms(body="x" * 300))
    for number, stat in ((1, "UNDELIV"), (0, "DELIVRD"), (0, "DELIVRD"), (1, "DELIVRD")):
        server.session.deliver(receipt(f"{0x1A2B3C00 + number:X}", PHONE, stat))
    side.drive(lambda: len(side.shelf.receipts) == 4)
    assert [one.status for one in side.shelf.receipts] == ["UNDELIV", "PARTIAL", "PARTIAL", "DELIVRD"]


def test_a_person_who_writes_a_receipt_has_written_a_text(smsc, connect):
    server = smsc()
    side = connect(server.port)
    (result,) = side.send(sms())
    server.session.deliver(receipt(result.provider_message_id, PHONE, esm_class=0))
    side.drive(lambda: side.shelf.texts)
    assert side.shelf.receipts == []


@pytest.mark.parametrize(
    ("octets", "data_coding", "body"),
    [
        (b"\x00 2 \x1b\x65", 0, "@ 2 €"),
        ("٢ أحتاج مساعدة 😀".encode("utf-16-be"), 8, "٢ أحتاج مساعدة 😀"),
        ("à l'aide".encode("latin-1"), 3, "à l'aide"),
        ("помощь".encode("iso8859_5"), 6, "помощь"),
        (b"", 0, ""),
        (b"2\x1b", 0, "2 "),
    ],
    ids=["gsm", "ucs2", "latin1", "cyrillic", "empty", "cut escape"],
)
def test_a_text_comes_in_its_alphabet(smsc, connect, octets, data_coding, body):
    server = smsc()
    side = connect(server.port).bind()
    sequence = server.session.deliver(text(PHONE, octets, data_coding))
    assert answered(side, server, sequence) == [OK]
    (one,) = side.shelf.texts
    assert (one.sender, one.to, one.body, one.missing) == (PHONE, "+218910000000", body, ())
    assert one.message_id.startswith("mo-")


def test_a_text_in_message_payload_comes_too(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.deliver(text(PHONE, b"", tlvs=((pdus.TLV_MESSAGE_PAYLOAD, b"help " * 100),)))
    side.drive(lambda: side.shelf.texts)
    assert side.shelf.texts[0].body == "help " * 100


def test_an_operators_default_alphabet_can_be_latin_1(smsc, connect):
    server = smsc()
    side = connect(server.port, default_is_latin_1=True).bind()
    server.session.deliver(text(PHONE, b"\xe0 l'aide @", 0))
    side.drive(lambda: side.shelf.texts)
    assert side.shelf.texts[0].body == "à l'aide @"


def test_parts_in_any_order_are_one_text_confirmed_together(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    body = "نحن أربعة أشخاص في الفندق " * 9 + "😀 2"
    parts = parts_of(body, 3)
    first = [server.session.deliver(parts[n]) for n in (2, 0)]
    wait_idle(side, 0.1)
    assert server.answers() == {}
    last = server.session.deliver(parts[1])
    assert answered(side, server, *first, last) == [OK] * 3
    (one,) = side.shelf.texts
    assert (one.body, one.parts, one.missing) == (body, 3, ())


def test_two_people_with_the_same_reference_are_not_mixed(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    mine, theirs = parts_of("a" * 100, 2), parts_of("b" * 100, 2)
    theirs = [text("+218925550000", one.short_message, 8, 0x40) for one in theirs]
    for one in (mine[0], theirs[0], theirs[1], mine[1]):
        server.session.deliver(one)
    side.drive(lambda: len(side.shelf.texts) == 2)
    assert {one.sender: one.body for one in side.shelf.texts} == {PHONE: "a" * 100, "+218925550000": "b" * 100}


def deliver_at_once(server, *messages):
    """All of them in one read; their sequence numbers."""
    frames = {next(server.sequences): message for message in messages}
    server.session.write(b"".join(frame_of(Command.DELIVER_SM, n, one.encode()) for n, one in frames.items()))
    return list(frames)


def test_the_next_text_may_begin_under_the_same_reference_in_the_same_read(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    one, two = parts_of("a" * 100, 2), parts_of("b" * 100, 2)
    first = server.session.deliver(one[0])
    wait_idle(side, 0.05)
    at_once = deliver_at_once(server, one[1], two[0])
    assert answered(side, server, first, at_once[0]) == [OK] * 2
    last = server.session.deliver(two[1])
    assert answered(side, server, at_once[1], last) == [OK] * 2
    assert [one.body for one in side.shelf.texts] == ["a" * 100, "b" * 100]


def test_a_part_whose_rest_never_came_is_stored_when_another_text_takes_its_reference(smsc, connect):
    server = smsc()
    side = connect(server.port, part_hold_seconds=3.0).bind()
    one, two = parts_of("a" * 100, 2), parts_of("b" * 100, 2)
    sequences = deliver_at_once(server, one[0], *two)
    assert answered(side, server, *sequences) == [OK] * 3
    assert [(one.body, one.missing) for one in side.shelf.texts] == [("a" * 50 + "…", (2,)), ("b" * 100, ())]


def test_a_server_that_waits_for_each_answer_still_brings_the_whole_text(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    parts = parts_of("I am safe for now but we " + "need help " * 12, 2)
    assert answered(side, server, server.session.deliver(parts[0])) == [OK]
    (half,) = side.shelf.texts
    assert half.missing == (2,)
    assert half.body.endswith("…")
    assert answered(side, server, server.session.deliver(parts[1])) == [OK]
    whole = side.shelf.texts[-1]
    assert (whole.missing, whole.body) == ((), "I am safe for now but we " + "need help " * 12)
    assert whole.message_id != half.message_id


def test_what_could_not_be_stored_is_asked_for_again_and_is_then_the_same_text(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    side.shelf.failures = 1
    assert answered(side, server, server.session.deliver(text(PHONE, b"2"))) == [AGAIN]
    assert side.shelf.kept == []
    assert answered(side, server, server.session.deliver(text(PHONE, b"2"))) == [OK]
    assert [one.body for one in side.shelf.texts] == ["2"]


def test_parts_that_could_not_be_stored_come_again_whole(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    side.shelf.failures = 1
    parts = parts_of("z" * 100, 2)
    assert answered(side, server, *map(server.session.deliver, parts)) == [AGAIN, AGAIN]
    assert answered(side, server, *map(server.session.deliver, parts)) == [OK, OK]
    assert [one.body for one in side.shelf.texts] == ["z" * 100]


def test_a_mistake_of_the_caller_comes_out_of_poll_and_nothing_is_confirmed_or_lost(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    side.shelf.failures, side.shelf.error = 1, ZeroDivisionError
    request = sms()
    side.gateway.submit(request)
    sequence = server.session.deliver(text(PHONE, b"2"))
    with pytest.raises(ZeroDivisionError):
        side.drive(lambda: False)
    assert answered(side, server, sequence) == [AGAIN]
    side.drive(lambda: request.attempt_id in side.results)
    assert side.results[request.attempt_id].outcome is SendOutcome.ACCEPTED


def test_a_person_who_writes_the_same_twice_is_heard_twice(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    for _ in range(2):
        assert answered(side, server, server.session.deliver(text(PHONE, b"2"))) == [OK]
    assert len({one.message_id for one in side.shelf.texts}) == 2


def test_a_text_whose_answer_was_lost_with_the_link_is_the_same_text_again(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    assert answered(side, server, server.session.deliver(text(PHONE, b"2"))) == [OK]
    server.session.cut()
    side.drive(lambda: len(server.binds) == 2 and side.gateway.is_bound)
    server.session.deliver(text(PHONE, b"2"))
    side.drive(lambda: len(side.shelf.texts) == 2)
    assert len({one.message_id for one in side.shelf.texts}) == 1


def test_held_parts_come_again_in_the_next_session(smsc, connect):
    server = smsc()
    side = connect(server.port, part_hold_seconds=5.0).bind()
    parts = parts_of("y" * 100, 2)
    server.session.deliver(parts[0])
    wait_idle(side, 0.1)
    server.session.cut()
    side.drive(lambda: len(server.binds) == 2 and side.gateway.is_bound)
    assert answered(side, server, *(server.session.deliver(one) for one in parts)) == [OK, OK]
    assert [one.body for one in side.shelf.texts] == ["y" * 100]


ODD_ENDS = {
    "one padding octet": b"\0",
    "padding": b"\0\0\0",
    "half a header": b"\x02\x04",
    "a length beyond the end": b"\x14\x01\x00\x09abc",
    "a padding octet before a sound one": b"\0\x02\x04\x00\x02\x00\x07",
    "a sound one before an unsound one": b"\x02\x04\x00\x02\x00\x07\x14\x01\x00\x09abc",
}


@pytest.mark.parametrize("rest", ODD_ENDS.values(), ids=ODD_ENDS)
def test_a_text_with_an_unreadable_optional_parameter_is_read_and_nothing_of_it_is_thrown_away(smsc, connect, rest):
    server = smsc()
    side = connect(server.port).bind()
    assert answered(side, server, server.session.deliver(text(PHONE, b"2", rest=rest))) == [OK]
    (one,) = side.shelf.texts
    assert (one.sender, one.body) == (PHONE, "2")
    kept = "".join(value for name, value in one.raw if name == "unread" or name.startswith("tlv_"))
    assert rest[-2:].hex() in kept or not rest.strip(b"\0")


@pytest.mark.parametrize("rest", [b"\0", b"\x14\x01\x00\x09abc"])
def test_a_receipt_with_an_unreadable_optional_parameter_finds_its_attempt(smsc, connect, rest):
    server = smsc()
    side = connect(server.port)
    request = sms()
    (result,) = side.send(request)
    sequence = server.session.deliver(receipt(result.provider_message_id, PHONE, rest=rest))
    assert answered(side, server, sequence) == [OK]
    assert [(one.attempt_id, one.status) for one in side.shelf.receipts] == [(request.attempt_id, "DELIVRD")]


@pytest.mark.parametrize("kind", [0x08, 0x10, 0x18], ids=["delivery answer", "a person's answer", "abort"])
def test_what_a_phone_itself_answers_is_a_text_and_no_receipt(smsc, connect, kind):
    server = smsc()
    side = connect(server.port).bind()
    assert answered(side, server, server.session.deliver(text(PHONE, b"2", 0, kind))) == [OK]
    assert ([one.body for one in side.shelf.texts], side.shelf.receipts) == (["2"], [])


def test_of_two_places_with_words_the_longer_is_read_and_not_believed_whole(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    tlvs = ((pdus.TLV_MESSAGE_PAYLOAD, b"I am safe but my son is not"),)
    for message in (text(PHONE, b"I am safe", tlvs=tlvs), text(PHONE, tlvs[0][1], tlvs=tlvs)):
        assert answered(side, server, server.session.deliver(message)) == [OK]
    assert [(one.body, one.missing) for one in side.shelf.texts] == [
        ("I am safe but my son is not", (1,)),
        ("I am safe but my son is not", ()),
    ]


CUT = {
    "the length of the text is too short": (
        text(PHONE, b"I am safe", rest=b" but my son is not").encode(),
        "I am safe",
    ),
    "the length of the text is too long": (text(PHONE, b"1", rest=b"").encode()[:-2] + b"\x091", "1"),
    "the payload ends early": (text(PHONE, b"", rest=b"\x04\x24\x00\x09help").encode(), "help"),
    "it ends after the sender": (b"\0\1\x01218912345678\0\1\x01218910000000", ""),
}


@pytest.mark.parametrize(("body", "words"), CUT.values(), ids=CUT)
def test_what_may_be_half_a_text_is_kept_and_said_to_be_half(smsc, connect, body, words):
    server = smsc()
    side = connect(server.port).bind()
    server.session.write(frame_of(Command.DELIVER_SM, 900, body))
    assert answered(side, server, 900) == [OK]
    (one,) = side.shelf.texts
    assert (one.sender, one.body, one.parts, one.missing) == (PHONE, words, 1, (1,))


def test_a_part_that_may_be_half_makes_the_whole_half(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    first, last = parts_of("a" * 100, 2)
    odd = text(PHONE, last.short_message, 8, 0x40, rest=b" and more")
    sequences = [server.session.deliver(one) for one in (first, odd)]
    assert answered(side, server, *sequences) == [OK] * 2
    assert [(one.body, one.missing) for one in side.shelf.texts] == [("a" * 100, (2,))]
    again = [server.session.deliver(one) for one in (first, last)]
    assert answered(side, server, *again) == [OK] * 2
    assert side.shelf.texts[-1].missing == ()


def test_a_deliver_sm_nobody_can_read_is_refused_for_good_and_the_session_goes_on(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    server.session.write(frame_of(Command.DELIVER_SM, 900, b"\0\1\1no end"))
    assert answered(side, server, 900) == [NEVER]
    assert answered(side, server, server.session.deliver(text(PHONE, b"1"))) == [OK]


def test_much_at_once_is_stored_in_few_calls(smsc, connect):
    server = smsc()
    side = connect(server.port).bind()
    message = text(PHONE, b"1")
    server.session.write(b"".join(frame_of(Command.DELIVER_SM, n, message.encode()) for n in range(1000, 1300)))
    side.drive(lambda: len(side.shelf.texts) == 300)
    assert len(side.shelf.batches) < 30


def test_texts_are_heard_while_nothing_is_sent_and_while_closing(connect):
    server = Smsc()
    try:
        side = connect(server.port).bind()
        server.session.deliver(text(PHONE, b"1"))
        side.gateway.close()
        assert len(side.shelf.texts) == 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("ton", "digits", "home", "sender"),
    [
        (1, "218912345678", "", PHONE),
        (0, "218912345678", "218", PHONE),
        (0, "00218912345678", "218", PHONE),
        (2, "0912345678", "218", PHONE),
        (0, "912345678", "218", PHONE),
        (0, "8888", "218", "8888"),
        (5, "Operator", "218", "Operator"),
        (1, "+218912345678", "", PHONE),
    ],
)
def test_senders_are_spelled_as_by_the_other_gateways(smsc, connect, ton, digits, home, sender):
    server = smsc()
    side = connect(server.port, home_code=home).bind()
    server.session.deliver(text(PHONE, b"1", source=pdus.Address(ton, 1, digits)))
    side.drive(lambda: side.shelf.texts)
    assert side.shelf.texts[0].sender == sender
