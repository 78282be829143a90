"""What an answer of Twilio's "create message" means: a pure function from exchange to outcome class (ADR 0003)."""

import json
import re
from dataclasses import dataclass
from typing import Any

from consular.domain.ports import FailureReason, RefusalScope, SendOutcome
from consular.providers.exchange import Answer
from consular.providers.twilio.codes import RetryPolicy, rule_for

MESSAGE_SID = re.compile(r"(?:SM|MM)[0-9a-f]{32}")

SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, FULL_QUEUE_WAIT_SECONDS = 1.0, 120.0, 60.0
_WORD = re.compile(r"[a-z_]{1,32}")
_WHOLE_ACCOUNT = frozenset({401, 403, 404, 405, 407, 410})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome class of one exchange and what goes with it; the fields mean the same as in ports.SmsResult."""

    outcome: SendOutcome
    provider_message_id: str | None = None
    provider_status: str | None = None
    error_code: str | None = None
    failure_reason: FailureReason | None = None
    scope: RefusalScope | None = None
    retry_after_seconds: float | None = None


def judge(answer: Answer, account_sid: str) -> Verdict:
    """The class of an exchange. Only what certainly was not processed is NOT_SENT or REFUSED; all doubt is UNKNOWN.

    A redirect is never followed and counts as doubt: it does not say whether the text was taken. error_code is Twilio's
    code, else "http-<status>" or "transport-<libcurl code>"; retry_after_seconds is within 1..120.
    """
    if not answer.is_written:
        return Verdict(SendOutcome.NOT_SENT, error_code=f"transport-{answer.transport_error}")
    if answer.status is None:
        return Verdict(SendOutcome.UNKNOWN, error_code=f"transport-{answer.transport_error}")
    if 200 <= answer.status < 300:
        return _judge_success(answer, account_sid)
    if answer.status == 408 or not 400 <= answer.status < 500:
        return Verdict(SendOutcome.UNKNOWN, error_code=_code(_fields(answer.body)) or f"http-{answer.status}")
    return _judge_refusal(answer)


def _judge_success(answer: Answer, account_sid: str) -> Verdict:
    fields = _fields(answer.body)
    sid, status = fields.get("sid"), fields.get("status")
    is_ours = fields.get("account_sid", account_sid) == account_sid
    if not (isinstance(sid, str) and MESSAGE_SID.fullmatch(sid) and is_ours):
        return Verdict(SendOutcome.UNKNOWN, error_code=f"http-{answer.status}")
    word = status if isinstance(status, str) and _WORD.fullmatch(status) else None
    return Verdict(SendOutcome.ACCEPTED, sid, word, _number(fields.get("error_code")))


def _judge_refusal(answer: Answer) -> Verdict:
    code = _code(_fields(answer.body))
    rule = rule_for(code)
    label = code or f"http-{answer.status}"
    if answer.status == 429 or (rule and rule.retry is RetryPolicy.REQUEUE):
        wait = answer.retry_after_seconds
        if wait is None and answer.status != 429:
            wait = FULL_QUEUE_WAIT_SECONDS
        bounded = None if wait is None else min(max(wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
        return Verdict(SendOutcome.NOT_SENT, error_code=label, retry_after_seconds=bounded)
    if rule is None:
        scope = RefusalScope.ACCOUNT if answer.status in _WHOLE_ACCOUNT else RefusalScope.NUMBER
        return Verdict(SendOutcome.REFUSED, None, None, label, FailureReason.PROVIDER_ERROR, scope)
    if rule.retry is RetryPolicy.UNKNOWN:
        return Verdict(SendOutcome.UNKNOWN, error_code=label)
    return Verdict(SendOutcome.REFUSED, None, None, label, rule.reason, rule.scope)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _code(fields: dict[str, Any]) -> str | None:
    return _number(fields.get("code"))


def _number(value: object) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000
    return str(value) if is_number else None
