"""What a gateway's text was read from says it again, whatever the settings are by now; anything else is told apart."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import HttpGatewayConfig
from consular.providers.http_gateway.calls import WebhookCall
from consular.providers.http_gateway.doorway import HttpDoorway
from consular.providers.http_gateway.keys import inbound_url
from consular.providers.http_gateway.profile import InboundRules
from consular.providers.http_gateway.profile_files import ready_profile
from consular.providers.http_gateway.settings import HttpSettings
from consular.providers.kept_texts import is_kept_by_http, is_kept_by_smpp, readers
from consular.providers.smpp.pdus import Address, ShortMessage
from consular.providers.smpp.reassembly import Arrived, Reassembly, Ticket
from consular.providers.smpp.received import phone, raw_fields, text_part
from tests.providers.smpp.conftest import PHONE
from tests.providers.smpp.smsc import OURS

SECRET = b"a secret of thirty-two signs....."
KANNEL = HttpSettings("http", ready_profile("kannel"), "http://127.0.0.1:9", {"username": "u", "password": "p"})
RULES = KANNEL.profile.inbound
assert RULES is not None


def called(rules: InboundRules = RULES, **fields: str):
    """What the doorway reads in an operator's call."""
    settings = dataclasses.replace(KANNEL, profile=dataclasses.replace(KANNEL.profile, inbound=rules))
    query = urlsplit(inbound_url("https://consular.example", SECRET, settings)).query
    form = urlencode({"id": "1", "to": "1", **fields})
    return HttpDoorway({"http": settings}, SECRET).inbound("http", WebhookCall(f"{query}&{form}".encode()))


@given(st.text(max_size=70), st.sampled_from(["utf-8", "utf-16be"]))
def test_what_an_operator_called_with_is_kept(words, charset):
    text = called(**{"from": "+218912345678"}, charset="utf-8", text=words)
    assert is_kept_by_http(RULES, text.pairs, text.sender, text.body) is True
    assert is_kept_by_http(RULES, text.pairs, text.sender, text.body + "!") is False
    assert is_kept_by_http(RULES, text.pairs, "+218912345679", text.body) is False


def test_a_named_charset_is_the_only_one():
    text = called(**{"from": "+218912345678"}, charset="utf-8", text="é")
    assert is_kept_by_http(RULES, text.pairs, text.sender, "Ã©") is False


def test_a_profile_that_was_changed_since_breaks_no_promise():
    then = dataclasses.replace(RULES, charset=None, default_charset="iso-8859-6", country_code="218")
    text = called(then, **{"from": "0912345678"}, text="é")
    assert text.sender == "+218912345678"
    now = dataclasses.replace(RULES, charset=None, default_charset="utf-8")
    assert is_kept_by_http(now, text.pairs, text.sender, text.body) is True
    other_names = dataclasses.replace(RULES, text="words")
    assert is_kept_by_http(other_names, text.pairs, text.sender, text.body) is None


def test_a_short_code_is_kept_as_it_came():
    text = called(**{"from": "1234"}, text="hi")
    assert is_kept_by_http(RULES, text.pairs, "1234", "hi") is True
    assert is_kept_by_http(RULES, text.pairs, "1235", "hi") is False


def delivered(*messages: ShortMessage, home_code: str = "", is_latin: bool = False):
    """What the inbox makes of one text's deliver_sm, in this order; of some of its parts when others are missing."""
    parts = Reassembly(hold_seconds=1.0)
    ready = None
    for number, message in enumerate(messages):
        part = text_part(message, default_is_latin_1=is_latin)
        arrived = Arrived(part, phone(message.source, home_code), "us", raw_fields(message), Ticket(1, number))
        ready = parts.add(arrived, 0.0)
    return (ready or next(parts.due(2.0))).text


def part(number: int, total: int, words: str) -> ShortMessage:
    octets = bytes((5, 0, 3, 7, total, number)) + words.encode("utf-16-be")
    return ShortMessage(Address(1, 1, PHONE.removeprefix("+")), OURS, octets, esm_class=0x40, data_coding=8)


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 1, 2), (1, 3), (2,)])
def test_what_an_smsc_delivered_is_kept(numbers):
    text = delivered(*(part(number, 3, f"نحن {number} ") for number in numbers))
    assert is_kept_by_smpp(text.raw, text.sender, text.body) is True
    assert is_kept_by_smpp(text.raw, text.sender, text.body.replace("نحن", "")) is False
    assert is_kept_by_smpp(text.raw, text.sender, text.body.replace("…", "") + " ") is False
    assert is_kept_by_smpp(text.raw, PHONE[:-1], text.body) is False


@pytest.mark.parametrize("is_latin", [False, True])
@pytest.mark.parametrize("octets", [b"\x00\x11\x1b\x65", bytes(range(128))])
def test_what_an_smscs_default_alphabet_meant_then(octets, is_latin):
    text = delivered(ShortMessage(Address(2, 1, "0912345678"), OURS, octets), home_code="218", is_latin=is_latin)
    assert text.sender == "+218912345678"
    assert is_kept_by_smpp(text.raw, text.sender, text.body) is True


def test_a_long_text_in_an_optional_parameter():
    octets = ("help " * 100).encode()
    text = delivered(ShortMessage(Address(1, 1, "218912345678"), OURS, tlvs=((0x0424, octets),), data_coding=3))
    assert text.body == octets.decode()
    assert is_kept_by_smpp(text.raw, text.sender, text.body) is True


@pytest.mark.parametrize("raw", [[], [("From", "x"), ("Body", "y")], [("source", "nobody"), ("esm_class", "0")]])
def test_what_no_smsc_delivered_is_not_compared(raw):
    assert is_kept_by_smpp(raw, "x", "y") is None


def test_which_gateways_can_be_read(config):
    assert set(readers(config)) == {"smpp"}
    http = HttpGatewayConfig(
        profile="kannel", url="http://127.0.0.1:9", secrets={}, sender="1", rate=1.0, concurrency=1
    )
    assert set(readers(dataclasses.replace(config, http_gateway=http))) == {"smpp", "http"}
    with pytest.raises(ValueError, match="profile"):
        readers(dataclasses.replace(config, http_gateway=dataclasses.replace(http, profile="/nowhere")))
