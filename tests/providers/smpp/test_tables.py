"""The tables of codes.py, row by row, and the settings an operator may get wrong."""

from __future__ import annotations

import pytest

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome
from consular.providers.smpp import codes
from consular.providers.twilio import codes as twilio
from tests.providers.smpp.conftest import settings_for

A, N = RefusalScope.ACCOUNT, RefusalScope.NUMBER
R, O = FailureReason, SendOutcome  # noqa: E741

ROWS = {
    0x01: ("ESME_RINVMSGLEN", O.REFUSED, R.CONTENT_REJECTED, N),
    0x02: ("ESME_RINVCMDLEN", O.REFUSED, R.PROVIDER_ERROR, A),
    0x03: ("ESME_RINVCMDID", O.REFUSED, R.PROVIDER_ERROR, A),
    0x04: ("ESME_RINVBNDSTS", O.NOT_SENT, R.PROVIDER_ERROR, None),
    0x05: ("ESME_RALYBND", O.NOT_SENT, R.PROVIDER_ERROR, None),
    0x06: ("ESME_RINVPRTFLG", O.REFUSED, R.PROVIDER_ERROR, A),
    0x07: ("ESME_RINVREGDLVFLG", O.REFUSED, R.PROVIDER_ERROR, A),
    0x08: ("ESME_RSYSERR", O.UNKNOWN, R.PROVIDER_ERROR, None),
    0x0A: ("ESME_RINVSRCADR", O.REFUSED, R.SENDER_REJECTED, A),
    0x0B: ("ESME_RINVDSTADR", O.REFUSED, R.INVALID_NUMBER, N),
    0x0D: ("ESME_RBINDFAIL", O.REFUSED, R.SENDER_REJECTED, A),
    0x0E: ("ESME_RINVPASWD", O.REFUSED, R.SENDER_REJECTED, A),
    0x0F: ("ESME_RINVSYSID", O.REFUSED, R.SENDER_REJECTED, A),
    0x14: ("ESME_RMSGQFUL", O.NOT_SENT, R.QUOTA, None),
    0x15: ("ESME_RINVSERTYP", O.REFUSED, R.PROVIDER_ERROR, A),
    0x43: ("ESME_RINVESMCLASS", O.REFUSED, R.PROVIDER_ERROR, A),
    0x45: ("ESME_RSUBMITFAIL", O.REFUSED, R.PROVIDER_ERROR, N),
    0x48: ("ESME_RINVSRCTON", O.REFUSED, R.SENDER_REJECTED, A),
    0x49: ("ESME_RINVSRCNPI", O.REFUSED, R.SENDER_REJECTED, A),
    0x50: ("ESME_RINVDSTTON", O.REFUSED, R.PROVIDER_ERROR, A),
    0x51: ("ESME_RINVDSTNPI", O.REFUSED, R.PROVIDER_ERROR, A),
    0x53: ("ESME_RINVSYSTYP", O.REFUSED, R.PROVIDER_ERROR, A),
    0x54: ("ESME_RINVREPFLAG", O.REFUSED, R.PROVIDER_ERROR, A),
    0x58: ("ESME_RTHROTTLED", O.NOT_SENT, R.QUOTA, None),
    0x61: ("ESME_RINVSCHED", O.REFUSED, R.PROVIDER_ERROR, A),
    0x62: ("ESME_RINVEXPIRY", O.REFUSED, R.PROVIDER_ERROR, A),
    0xC0: ("ESME_RINVOPTPARSTREAM", O.REFUSED, R.PROVIDER_ERROR, A),
    0xC1: ("ESME_ROPTPARNOTALLWD", O.REFUSED, R.PROVIDER_ERROR, A),
    0xC2: ("ESME_RINVPARLEN", O.REFUSED, R.PROVIDER_ERROR, A),
    0xC3: ("ESME_RMISSINGOPTPARAM", O.REFUSED, R.PROVIDER_ERROR, A),
    0xC4: ("ESME_RINVOPTPARAMVAL", O.REFUSED, R.PROVIDER_ERROR, A),
    0xFE: ("ESME_RDELIVERYFAILURE", O.UNKNOWN, R.PROVIDER_ERROR, None),
    0xFF: ("ESME_RUNKNOWNERR", O.UNKNOWN, R.PROVIDER_ERROR, None),
}


@pytest.mark.parametrize("status", ROWS, ids=[row[0] for row in ROWS.values()])
def test_each_status_has_its_row(status):
    rule = codes.rule_for(status)
    assert (rule.name, rule.outcome, rule.reason, rule.scope) == ROWS[status]
    assert codes.failure_reason(rule.name) is rule.reason


def test_no_row_is_untested():
    assert set(codes.STATUS_RULES) == set(ROWS)


STATES = {
    "ENROUTE": MessageState.SENT,
    "PARTIAL": MessageState.SENT,
    "DELIVRD": MessageState.DELIVERED,
    "DELIVERED": MessageState.DELIVERED,
    "EXPIRED": MessageState.UNDELIVERED,
    "UNDELIV": MessageState.UNDELIVERED,
    "UNDELIVERABLE": MessageState.UNDELIVERED,
    "DELETED": MessageState.FAILED,
    "REJECTD": MessageState.FAILED,
    "REJECTED": MessageState.FAILED,
    "ACCEPTD": MessageState.ACCEPTED,
    "ACCEPTED": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.ACCEPTED,
}


@pytest.mark.parametrize("word", STATES)
def test_each_word_has_its_state(word):
    assert codes.map_status(word) is STATES[word]
    assert codes.is_failure(word) == (STATES[word] in (MessageState.FAILED, MessageState.UNDELIVERED))


def test_no_word_is_untested_and_an_unknown_one_moves_nothing():
    assert set(codes.MESSAGE_STATES) == set(STATES)
    assert codes.map_status("SOMETHING") is None
    assert codes.map_status("delivrd") is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("UNDELIV:011", R.UNREACHABLE),
        ("EXPIRED:000", R.EXPIRED),
        ("REJECTD:255", R.BLOCKED),
        ("DELETED:000", R.PROVIDER_ERROR),
        ("ESME_RINVDSTADR", R.INVALID_NUMBER),
        ("link-lost", R.PROVIDER_ERROR),
        ("", None),
        (None, None),
    ],
)
def test_each_error_code_has_its_reason(code, reason):
    assert codes.failure_reason(code) is reason


def test_no_word_or_code_is_also_twilios():
    assert not set(codes.MESSAGE_STATES) & set(twilio.MESSAGE_STATES)
    assert not {rule.name for rule in codes.STATUS_RULES.values()} & set(twilio.CODE_RULES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": ""}, "host"),
        ({"host": "smsc.operator.ly", "is_exercise": False}, "VPN"),
        ({"host": "smsc.operator.ly", "is_protected_line": True}, "exercise"),
        ({"port": 0}, "port"),
        ({"system_id": ""}, "system id"),
        ({"system_id": "x" * 16}, "too long"),
        ({"password": "ninechars"}, "too long"),
        ({"sender": "+1"}, "sender"),
        ({"sender": "Twelve chars"}, "sender"),
        ({"home_code": "+218"}, "home code"),
        ({"window": 0}, "window"),
        ({"sender_ton": 256}, "TON"),
        ({"answer_timeout_seconds": 0.0}, "time"),
        ({"part_hold_seconds": 61.0}, "Holds"),
        ({"service_type": "toolong"}, "service type"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_wrong_settings_are_refused_in_words_without_the_secret(changes, words):
    with pytest.raises(ValueError, match=words) as raised:
        settings_for(**{"port": 2775, **changes})
    assert "secret" not in str(raised.value)
    assert "ninechars" not in str(raised.value)


def test_a_public_smsc_behind_a_vpn_is_allowed():
    assert settings_for(2775, host="198.51.100.7", is_exercise=False, is_protected_line=True).host == "198.51.100.7"
