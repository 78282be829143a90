"""What an answer means by the profile's rules: a pure function from exchange to result (ADR 0003)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from consular.domain.ports import FailureReason, RefusalScope, SendOutcome, SmsResult
from consular.providers.exchange import Answer
from consular.providers.http_gateway.profile import AnswerRule

LONGEST_READ = 4096
SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 120.0

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CODE = re.compile(r"[A-Za-z_.-]{0,16}[0-9]{0,6}")
_WHOLE_ACCOUNT = frozenset({401, 403, 404, 405, 407, 410})


def judge(answer: Answer, rules: Sequence[AnswerRule], attempt_id: UUID) -> SmsResult:
    """The result of one exchange. Only what certainly was not processed is NOT_SENT or REFUSED; all doubt is UNKNOWN.

    Without a rule that fits, 429 is NOT_SENT, 401, 403, 404, 405, 407 and 410 refuse the whole account, another 4xx but
    408 refuses this number, everything else is UNKNOWN. provider_message_id is the operator's, or where its answer has
    none the attempt's id in 32 hexadecimal signs. error_code is the operator's when it is short and cannot be a phone
    number, else "http-<status>" or "transport-<libcurl code>".
    """
    result = SmsResult(attempt_id, SendOutcome.UNKNOWN, answer.status, latency_seconds=answer.latency_seconds)
    if answer.status is None or not answer.is_written:
        outcome = SendOutcome.UNKNOWN if answer.is_written else SendOutcome.NOT_SENT
        return replace(result, outcome=outcome, error_code=f"transport-{answer.transport_error}")
    words = answer.body[: LONGEST_READ * 4].decode("utf-8", "replace")[:LONGEST_READ]
    for rule in rules:
        found = rule.body.search(words) if rule.body else None
        if answer.status in rule.statuses and (found or rule.body is None):
            return _by_rule(result, rule, found, answer)
    return _by_status(result, answer)


def _by_rule(result: SmsResult, rule: AnswerRule, found: re.Match[str] | None, answer: Answer) -> SmsResult:
    if rule.means is SendOutcome.ACCEPTED:
        named = _group(found, "id")
        own_id = named if _ID.fullmatch(named) else result.attempt_id.hex
        return replace(result, outcome=rule.means, provider_message_id=own_id, provider_status="accepted")
    named = _group(found, "code")
    code = named if named and _CODE.fullmatch(named) else _http(answer)
    refused = replace(result, outcome=rule.means, error_code=code)
    if rule.means is SendOutcome.NOT_SENT:
        return replace(refused, retry_after_seconds=_wait(answer, rule.wait_seconds))
    if rule.means is SendOutcome.REFUSED:
        return replace(refused, failure_reason=rule.reason, scope=rule.scope)
    return refused


def _by_status(result: SmsResult, answer: Answer) -> SmsResult:
    result = replace(result, error_code=_http(answer))
    if answer.status == 429:
        return replace(result, outcome=SendOutcome.NOT_SENT, retry_after_seconds=_wait(answer, None))
    if answer.status == 408 or answer.status is None or not 400 <= answer.status < 500:
        return result
    scope = RefusalScope.ACCOUNT if answer.status in _WHOLE_ACCOUNT else RefusalScope.NUMBER
    return replace(result, outcome=SendOutcome.REFUSED, failure_reason=FailureReason.PROVIDER_ERROR, scope=scope)


def _group(found: re.Match[str] | None, name: str) -> str:
    return (found.groupdict().get(name) or "") if found else ""


def _http(answer: Answer) -> str:
    return f"http-{answer.status}"


def _wait(answer: Answer, default: float | None) -> float | None:
    wait = default if answer.retry_after_seconds is None else answer.retry_after_seconds
    return None if wait is None else min(max(wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
