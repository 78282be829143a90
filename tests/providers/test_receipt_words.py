"""One reader for the receipts of every kind of gateway: no kind's words are lost or turned by another's."""

import pytest

from consular.domain.ports import FailureReason
from consular.providers.http_gateway.profile import REPORTABLE
from consular.providers.receipt_words import read_reason, read_status
from consular.providers.smpp import codes as smpp
from consular.providers.twilio import codes as twilio


@pytest.mark.parametrize("state", sorted(REPORTABLE))
def test_the_http_gateways_words_are_our_own(state):
    assert read_status(state.value) is state


@pytest.mark.parametrize("codes", [twilio, smpp], ids=["twilio", "smpp"])
def test_every_word_of_a_kind_keeps_its_meaning(codes):
    assert {word: read_status(word) for word in codes.MESSAGE_STATES} == dict(codes.MESSAGE_STATES)


@pytest.mark.parametrize("word", ["", "other:DELIVRD", "other:delivered", "delivrd", "Delivered", "1", "teleported"])
def test_a_word_that_no_kind_has_moves_nothing(word):
    assert read_status(word) is None


@pytest.mark.parametrize("reason", list(FailureReason))
def test_a_shared_reason_is_itself(reason):
    assert read_reason(reason.value) is reason


def test_every_code_of_twilio_and_smpp_keeps_its_reason():
    assert {code: read_reason(code) for code in twilio.CODE_RULES} == {
        code: rule.reason for code, rule in twilio.CODE_RULES.items()
    }
    words = [f"{word}:011" for word in smpp.MESSAGE_STATES] + [rule.name for rule in smpp.STATUS_RULES.values()]
    assert {word: read_reason(word) for word in words} == {word: smpp.failure_reason(word) for word in words}


@pytest.mark.parametrize("code", ["99999", "http-500", "smpp-0x00000400", "OTHER:000"])
def test_a_code_without_a_row_is_the_gateways_trouble(code):
    assert read_reason(code) is FailureReason.PROVIDER_ERROR


def test_without_a_code_there_is_no_reason():
    assert read_reason("") is None
