"""Frames and bodies: what goes in comes out, in whatever pieces it travels, and rubbish raises only CodecError."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.providers.smpp.pdus import (
    Address,
    BindTransceiver,
    ShortMessage,
    decode_message_id,
    encode_message_id,
)
from consular.providers.smpp.received import phone, raw_fields, receipt_words, text_part
from consular.providers.smpp.wire import (
    LONGEST_PDU,
    CodecError,
    Command,
    Framer,
    FramingError,
    Pdu,
    frame,
    frame_of,
)
from tests.providers.smpp.strategies import ascii_sign, binds, short_messages

number = st.integers(0, 0xFFFFFFFF)
pdus = st.builds(Pdu, number, number, number, st.binary(max_size=400))


@given(st.lists(pdus, max_size=6), st.data())
def test_a_stream_in_any_pieces_gives_the_same_pdus(sent, data):
    stream = b"".join(map(frame, sent))
    framer, got = Framer(), []
    while stream:
        step = data.draw(st.integers(1, len(stream)))
        got += framer.feed(stream[:step])
        stream = stream[step:]
    assert got == sent


@given(st.binary(max_size=500))
def test_any_bytes_are_framed_or_refused(data):
    try:
        for pdu in Framer().feed(data):
            assert frame(pdu) in data
    except FramingError:
        pass


@pytest.mark.parametrize("length", [0, 15, LONGEST_PDU + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_stream_after_the_pdus_before_it(length):
    good = frame_of(Command.ENQUIRE_LINK, 1)
    got = []
    with pytest.raises(FramingError):
        for pdu in Framer().feed(good + length.to_bytes(4, "big") + b"\0" * 12):
            got.append(pdu)
    assert [pdu.sequence for pdu in got] == [1]


def test_a_header_is_four_big_endian_words():
    assert frame_of(Command.SUBMIT_SM, 7, b"ab", 0x58) == bytes.fromhex("00000012 00000004 00000058 00000007 6162")


@given(short_messages())
def test_a_short_message_comes_back_as_it_was(message):
    assert ShortMessage.decode(message.encode()) == message


@given(short_messages(), st.binary(max_size=40))
def test_whatever_follows_the_mandatory_part_the_words_and_the_sound_parameters_are_read(message, more):
    read = ShortMessage.decode(message.encode() + more)
    assert (read.source, read.destination, read.short_message) == (
        message.source,
        message.destination,
        message.short_message,
    )
    assert read.tlvs[: len(message.tlvs)] == message.tlvs
    assert sum(4 + len(value) for _, value in read.tlvs[len(message.tlvs) :]) + len(read.rest) in (
        len(more),
        len(more) - more.startswith(b"\0"),
    )


@given(binds())
def test_a_bind_comes_back_as_it_was(bind):
    assert BindTransceiver.decode(bind.encode()) == bind


@given(st.text(ascii_sign, max_size=64))
def test_a_message_id_comes_back_as_it_was(message_id):
    assert decode_message_id(encode_message_id(message_id)) == message_id


@given(st.binary(max_size=300))
def test_any_body_is_read_or_refused(body):
    for read in (ShortMessage.decode, BindTransceiver.decode, decode_message_id):
        try:
            read(body)
        except CodecError as error:
            assert len(str(error)) < 80


@given(short_messages())
def test_whatever_is_delivered_can_be_looked_at(message):
    receipt_words(message)
    text_part(message)
    phone(message.source, "218")
    assert all(isinstance(value, str) for _, value in raw_fields(message))


@pytest.mark.parametrize(
    "make",
    [
        lambda: BindTransceiver("a" * 16, "b"),
        lambda: BindTransceiver("a", "b" * 9),
        lambda: BindTransceiver("a\0b", "c"),
        lambda: ShortMessage(Address(0, 0, "1" * 21), Address()),
        lambda: ShortMessage(Address(256, 0, "1"), Address()),
        lambda: ShortMessage(Address(0, 0, "سفارة"), Address()),
        lambda: ShortMessage(Address(), Address(), b"x" * 255),
        lambda: ShortMessage(Address(), Address(), tlvs=((0x10000, b""),)),
    ],
)
def test_what_fits_into_no_field_is_refused_without_showing_it(make):
    with pytest.raises(CodecError) as raised:
        make().encode()
    assert "1111" not in str(raised.value)


def test_the_text_may_stand_in_message_payload():
    message = ShortMessage(Address(), Address(), tlvs=((0x0424, b"long"), (0x0424, b"again")))
    assert ShortMessage.decode(message.encode()).payload == b"long"


def test_nothing_personal_shows():
    shown = repr(BindTransceiver("id", "geheim")) + repr(
        ShortMessage(Address(1, 1, "218912345678"), Address(), b"hush")
    )
    assert not [word for word in ("geheim", "2189", "hush") if word in shown]
    assert "hush" not in repr(Pdu(4, 1, 0, b"hush"))
