"""Our bytes against the codecs of other people: smpp34 (Real Time Telecom, Rust) and smpplib. Neither is shipped."""

from __future__ import annotations

import pytest
import smpp34
from hypothesis import given
from smpplib import smpp

from consular.providers.smpp.pdus import Address, BindTransceiver, ShortMessage, encode_message_id
from consular.providers.smpp.wire import Command, Framer, frame_of
from tests.providers.smpp.strategies import short_messages

MESSAGE = ShortMessage(
    source=Address(5, 0, "Ministry FA"),
    destination=Address(1, 1, "218912345678"),
    short_message=b"\x05\x00\x03\x2a\x02\x01" + "غادروا".encode("utf-16-be"),
    esm_class=0x40,
    data_coding=8,
    registered_delivery=1,
    validity_period="000000010000000R",
    service_type="CMT",
)


class Numbers:
    """What smpplib asks its client for."""

    def next_sequence(self):
        return 21


def theirs(message: ShortMessage, sequence: int, kind=None):
    return (kind or smpp34.SubmitSm)(
        message.source.digits,
        message.destination.digits,
        message.short_message,
        service_type=message.service_type,
        source_addr_ton=message.source.ton,
        source_addr_npi=message.source.npi,
        dest_addr_ton=message.destination.ton,
        dest_addr_npi=message.destination.npi,
        esm_class=message.esm_class,
        protocol_id=message.protocol_id,
        priority_flag=message.priority_flag,
        schedule_delivery_time=message.schedule_delivery_time,
        validity_period=message.validity_period,
        registered_delivery=message.registered_delivery,
        replace_if_present_flag=message.replace_if_present_flag,
        data_coding=message.data_coding,
        sm_default_msg_id=message.sm_default_msg_id,
        tlvs=[smpp34.Tlv(tag, value) for tag, value in message.tlvs],
        sequence_number=sequence,
    )


@given(short_messages())
def test_smpp34_writes_the_same_submit_sm(message):
    assert theirs(message, 77).encode() == frame_of(Command.SUBMIT_SM, 77, message.encode())


@given(short_messages())
def test_we_read_what_smpp34_writes_and_it_reads_what_we_write(message):
    (pdu,) = Framer().feed(theirs(message, 5, smpp34.DeliverSm).encode())
    assert (pdu.command, pdu.sequence, ShortMessage.decode(pdu.body)) == (Command.DELIVER_SM, 5, message)
    read = smpp34.decode(frame_of(Command.DELIVER_SM, 5, message.encode()))
    assert (read.source_addr, read.destination_addr) == (message.source.digits, message.destination.digits)
    assert (bytes(read.short_message), read.data_coding) == (message.short_message, message.data_coding)
    assert [(tlv.tag, bytes(tlv.value)) for tlv in read.tlvs] == list(message.tlvs)


@pytest.mark.parametrize(
    "command",
    [Command.ENQUIRE_LINK, Command.UNBIND, Command.GENERIC_NACK, Command.ENQUIRE_LINK_RESP],
    ids=lambda c: c.name,
)
def test_smpp34_reads_our_bare_headers(command):
    read = smpp34.decode(frame_of(command, 9, status=3))
    assert (read.command_id, read.command_status, read.sequence_number) == (command, 3, 9)


def test_smpplib_reads_our_submit_sm():
    read = smpp.parse_pdu(
        frame_of(Command.SUBMIT_SM, 3, MESSAGE.encode()), client=Numbers(), allow_unknown_opt_params=True
    )
    assert (read.command, read.sequence) == ("submit_sm", 3)
    assert (read.source_addr, read.destination_addr) == (b"Ministry FA", b"218912345678")
    assert (read.source_addr_ton, read.dest_addr_npi, read.esm_class, read.data_coding) == (5, 1, 0x40, 8)
    assert (read.validity_period, read.service_type, read.registered_delivery) == (b"000000010000000R", b"CMT", 1)
    assert read.short_message == MESSAGE.short_message


def test_smpplib_reads_our_bind_and_our_answers():
    body = BindTransceiver("consular", "secret", "MFA", address_range="8888").encode()
    bind = smpp.parse_pdu(frame_of(Command.BIND_TRANSCEIVER, 1, body), client=Numbers())
    assert (bind.system_id, bind.password, bind.system_type) == (b"consular", b"secret", b"MFA")
    assert (bind.interface_version, bind.address_range) == (0x34, b"8888")
    answer = smpp.parse_pdu(frame_of(Command.DELIVER_SM_RESP, 8, encode_message_id(""), 0x64), client=Numbers())
    assert (answer.command, answer.sequence, answer.status) == ("deliver_sm_resp", 8, 0x64)


def test_we_read_what_smpplib_writes():
    written = smpp.make_pdu(
        "submit_sm",
        client=Numbers(),
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="218910000000",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="218912345678",
        short_message=b"Stay indoors",
        data_coding=0,
        esm_class=0,
        registered_delivery=True,
        user_message_reference=7,
    ).generate()
    (pdu,) = Framer().feed(written)
    message = ShortMessage.decode(pdu.body)
    assert (pdu.command, pdu.sequence) == (Command.SUBMIT_SM, 21)
    assert (message.source, message.destination) == (Address(1, 1, "218910000000"), Address(1, 1, "218912345678"))
    assert (message.short_message, message.registered_delivery) == (b"Stay indoors", 1)
    assert message.tlvs == ((0x0204, b"\x00\x07"),)
