"""One test per row of Twilio's codes and statuses: what a refusal becomes, and what a receipt moves a message to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason as Reason
from consular.domain.ports import RefusalScope as Scope
from consular.domain.ports import SendOutcome
from consular.providers.exchange import Answer
from consular.providers.twilio.answers import judge
from consular.providers.twilio.codes import (
    CODE_RULES,
    MESSAGE_STATES,
    UnmappedStatus,
    failure_reason,
    map_status,
    message_state,
    rule_for,
)
from consular.providers.twilio.codes import (
    RetryPolicy as Retry,
)

ACCOUNT = "AC" + "1" * 32
SID = "SM" + "f" * 32

ROWS = {
    "20003": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "20005": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "20008": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "20404": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "20429": (Reason.QUOTA, Scope.ACCOUNT, Retry.REQUEUE),
    "20500": (Reason.PROVIDER_ERROR, Scope.NUMBER, Retry.UNKNOWN),
    "20503": (Reason.PROVIDER_ERROR, Scope.NUMBER, Retry.UNKNOWN),
    "21211": (Reason.INVALID_NUMBER, Scope.NUMBER, Retry.ANOTHER_WAY),
    "21212": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "21408": (Reason.SENDER_REJECTED, Scope.COUNTRY, Retry.FIX_ROUTE),
    "21606": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "21608": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "21610": (Reason.OPTED_OUT, Scope.NUMBER, Retry.ANOTHER_WAY),
    "21611": (Reason.QUOTA, Scope.ACCOUNT, Retry.REQUEUE),
    "21612": (Reason.SENDER_REJECTED, Scope.ROUTE, Retry.FIX_ROUTE),
    "21614": (Reason.INVALID_NUMBER, Scope.NUMBER, Retry.ANOTHER_WAY),
    "21617": (Reason.CONTENT_REJECTED, Scope.NUMBER, Retry.ANOTHER_WAY),
    "21701": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "21703": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "30001": (Reason.QUOTA, Scope.NUMBER, Retry.RESEND),
    "30002": (Reason.SENDER_REJECTED, Scope.ACCOUNT, Retry.STOP_LINE),
    "30003": (Reason.UNREACHABLE, Scope.NUMBER, Retry.LATER),
    "30004": (Reason.BLOCKED, Scope.NUMBER, Retry.ANOTHER_WAY),
    "30005": (Reason.INVALID_NUMBER, Scope.NUMBER, Retry.ANOTHER_WAY),
    "30006": (Reason.UNREACHABLE, Scope.NUMBER, Retry.ANOTHER_WAY),
    "30007": (Reason.CONTENT_REJECTED, Scope.NUMBER, Retry.ANOTHER_WAY),
    "30008": (Reason.PROVIDER_ERROR, Scope.NUMBER, Retry.RESEND),
    "30036": (Reason.EXPIRED, Scope.NUMBER, Retry.ANOTHER_WAY),
    "30500": (Reason.PROVIDER_ERROR, Scope.NUMBER, Retry.RESEND),
    "63016": (Reason.CONTENT_REJECTED, Scope.NUMBER, Retry.ANOTHER_WAY),
    "63017": (Reason.QUOTA, Scope.ACCOUNT, Retry.REQUEUE),
    "63018": (Reason.QUOTA, Scope.ACCOUNT, Retry.REQUEUE),
}

STATES = {
    "accepted": MessageState.ACCEPTED,
    "scheduled": MessageState.ACCEPTED,
    "queued": MessageState.ACCEPTED,
    "sending": MessageState.ACCEPTED,
    "sent": MessageState.SENT,
    "partially_delivered": MessageState.SENT,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.READ,
    "undelivered": MessageState.UNDELIVERED,
    "failed": MessageState.FAILED,
    "canceled": MessageState.FAILED,
}


def refusal(code, status=400):
    return Answer(is_written=True, status=status, body=json.dumps({"code": code, "status": status}).encode())


@pytest.mark.parametrize("code", CODE_RULES)
def test_row(code):
    rule = rule_for(int(code))
    assert (rule.reason, rule.scope, rule.retry) == ROWS[code]
    assert rule.meaning


@pytest.mark.parametrize("code", CODE_RULES)
def test_refusal_with_this_code(code):
    reason, scope, retry = ROWS[code]
    verdict = judge(refusal(int(code)), ACCOUNT)
    assert verdict.error_code == code
    if retry is Retry.REQUEUE:
        assert (verdict.outcome, verdict.failure_reason) == (SendOutcome.NOT_SENT, None)
        assert 1 <= verdict.retry_after_seconds <= 120
    elif retry is Retry.UNKNOWN:
        assert verdict.outcome is SendOutcome.UNKNOWN
    else:
        assert verdict.outcome is SendOutcome.REFUSED
        assert (verdict.failure_reason, verdict.scope) == (reason, scope)


def test_no_row_is_missing():
    assert (set(CODE_RULES), set(MESSAGE_STATES)) == (set(ROWS), set(STATES))


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_status(status, state):
    assert (map_status(status), message_state(status)) == (state, state)


@pytest.mark.parametrize("status", ["receiving", "received", "teleported", "", "DELIVERED", " delivered"])
def test_unknown_status_is_never_guessed(status):
    assert map_status(status) is None
    with pytest.raises(UnmappedStatus, match="no mapping"):
        message_state(status)


@pytest.mark.parametrize("code", [None, "", 99999, "21211 ", "abc", -1])
def test_unknown_code_has_no_row(code):
    assert rule_for(code) is None


@pytest.mark.parametrize("code", CODE_RULES)
def test_reason_of_a_receipt(code):
    assert failure_reason(code) is ROWS[code][0]


@pytest.mark.parametrize(("code", "reason"), [(None, None), ("", None), ("99999", Reason.PROVIDER_ERROR)])
def test_reason_of_a_receipt_without_a_row(code, reason):
    assert failure_reason(code) is reason


def test_unknown_code_of_a_400_is_refused_for_this_number_alone():
    verdict = judge(refusal(21999), ACCOUNT)
    assert (verdict.outcome, verdict.scope, verdict.error_code) == (SendOutcome.REFUSED, Scope.NUMBER, "21999")


@given(status=st.integers(100, 599), body=st.binary(max_size=200), wait=st.none() | st.floats(0, 1e6))
def test_no_answer_without_a_sid_is_ever_accepted_and_5xx_is_never_refused(status, body, wait):
    verdict = judge(Answer(is_written=True, status=status, body=body, retry_after_seconds=wait), ACCOUNT)
    assert verdict.outcome is not SendOutcome.ACCEPTED
    if not 400 <= status < 500 or status == 408:
        assert verdict.outcome is SendOutcome.UNKNOWN
    if verdict.retry_after_seconds is not None:
        assert 1 <= verdict.retry_after_seconds <= 120


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


ANSWER_FIELDS = dict.fromkeys(("sid", "status", "code", "account_sid", "error_code"), json_values)


@given(status=st.integers(200, 599), fields=st.fixed_dictionaries({}, optional=ANSWER_FIELDS))
def test_no_shape_of_answer_raises(status, fields):
    judge(Answer(is_written=True, status=status, body=json.dumps(fields).encode()), ACCOUNT)


@pytest.mark.parametrize("error", [6, 7, 28, 35, 42, 60])
def test_what_was_not_written_is_not_sent_and_what_was_is_unknown(error):
    assert judge(Answer(is_written=False, transport_error=error), ACCOUNT).outcome is SendOutcome.NOT_SENT
    assert judge(Answer(is_written=True, transport_error=error), ACCOUNT).outcome is SendOutcome.UNKNOWN


def test_accepted_keeps_what_twilio_says_of_it():
    body = json.dumps({"sid": SID, "status": "failed", "error_code": 30002}).encode()
    verdict = judge(Answer(is_written=True, status=201, body=body), ACCOUNT)
    assert (verdict.outcome, verdict.provider_message_id) == (SendOutcome.ACCEPTED, SID)
    assert (verdict.provider_status, verdict.error_code) == ("failed", "30002")
