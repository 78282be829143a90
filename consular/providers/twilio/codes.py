"""Twilio's words as data: error codes with what follows from them, and message statuses.

Source: Twilio's error and warning dictionary, and the Messages resource's status values (API 2010-04-01).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope


class RetryPolicy(StrEnum):
    """What may be done about a message that met this code.

    REQUEUE: never processed, the same message may go again after a while. RESEND: known dead, a new attempt may
    follow. LATER: the phone cannot be reached now; try again in a quarter of an hour, an hour, three hours.
    ANOTHER_WAY: not this number on this channel. FIX_ROUTE: the settings of sender or country are wrong. STOP_LINE:
    nothing on this account will work until a person acts. UNKNOWN: it may have been processed.
    """

    REQUEUE = "requeue"
    RESEND = "resend"
    LATER = "later"
    ANOTHER_WAY = "another_way"
    FIX_ROUTE = "fix_route"
    STOP_LINE = "stop_line"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CodeRule:
    """One row: the reason shared by all providers, how far it reaches, what may be done, and why in a few words."""

    reason: FailureReason
    scope: RefusalScope
    retry: RetryPolicy
    meaning: str


_NUMBER, _COUNTRY, _ACCOUNT = RefusalScope.NUMBER, RefusalScope.COUNTRY, RefusalScope.ACCOUNT
_ROUTE = RefusalScope.ROUTE
_R, _P = FailureReason, RetryPolicy

CODE_RULES: Mapping[str, CodeRule] = MappingProxyType(
    {
        "20003": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "authentication failed"),
        "20005": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "account not active"),
        "20008": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "test credentials cannot do this"),
        "20404": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "account or resource not found"),
        "20429": CodeRule(_R.QUOTA, _ACCOUNT, _P.REQUEUE, "too many requests at once; never processed"),
        "20500": CodeRule(_R.PROVIDER_ERROR, _NUMBER, _P.UNKNOWN, "internal error; may have been processed"),
        "20503": CodeRule(_R.PROVIDER_ERROR, _NUMBER, _P.UNKNOWN, "unavailable; may have been processed"),
        "21211": CodeRule(_R.INVALID_NUMBER, _NUMBER, _P.ANOTHER_WAY, "invalid To number"),
        "21212": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "invalid From number"),
        "21408": CodeRule(_R.SENDER_REJECTED, _COUNTRY, _P.FIX_ROUTE, "sending to this country is switched off"),
        "21606": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "From cannot send to anyone or is not ours"),
        "21608": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "trial account: only verified numbers"),
        "21610": CodeRule(_R.OPTED_OUT, _NUMBER, _P.ANOTHER_WAY, "recipient sent STOP to this sender"),
        "21611": CodeRule(_R.QUOTA, _ACCOUNT, _P.REQUEUE, "queue of this sender is full"),
        "21612": CodeRule(_R.SENDER_REJECTED, _ROUTE, _P.FIX_ROUTE, "this sender cannot reach this number"),
        "21614": CodeRule(_R.INVALID_NUMBER, _NUMBER, _P.ANOTHER_WAY, "not a mobile number"),
        "21617": CodeRule(_R.CONTENT_REJECTED, _NUMBER, _P.ANOTHER_WAY, "text too long"),
        "21701": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "messaging service does not exist"),
        "21703": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "messaging service has no sender"),
        "30001": CodeRule(_R.QUOTA, _NUMBER, _P.RESEND, "queue overflow after acceptance"),
        "30002": CodeRule(_R.SENDER_REJECTED, _ACCOUNT, _P.STOP_LINE, "account suspended"),
        "30003": CodeRule(_R.UNREACHABLE, _NUMBER, _P.LATER, "handset off, roaming or without signal"),
        "30004": CodeRule(_R.BLOCKED, _NUMBER, _P.ANOTHER_WAY, "blocked by recipient or carrier"),
        "30005": CodeRule(_R.INVALID_NUMBER, _NUMBER, _P.ANOTHER_WAY, "unknown or inactive number"),
        "30006": CodeRule(_R.UNREACHABLE, _NUMBER, _P.ANOTHER_WAY, "landline or unreachable carrier"),
        "30007": CodeRule(_R.CONTENT_REJECTED, _NUMBER, _P.ANOTHER_WAY, "filtered as spam"),
        "30008": CodeRule(_R.PROVIDER_ERROR, _NUMBER, _P.RESEND, "unknown error at the carrier"),
        "30036": CodeRule(_R.EXPIRED, _NUMBER, _P.ANOTHER_WAY, "validity period over before delivery"),
        "30500": CodeRule(_R.PROVIDER_ERROR, _NUMBER, _P.RESEND, "internal error on this message; it is dead"),
        "63016": CodeRule(_R.CONTENT_REJECTED, _NUMBER, _P.ANOTHER_WAY, "WhatsApp window closed without a template"),
        "63017": CodeRule(_R.QUOTA, _ACCOUNT, _P.REQUEUE, "account rate exceeded"),
        "63018": CodeRule(_R.QUOTA, _ACCOUNT, _P.REQUEUE, "channel rate exceeded"),
    }
)

MESSAGE_STATES: Mapping[str, MessageState] = MappingProxyType(
    {
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
)


class UnmappedStatus(ValueError):
    """Twilio used a status that has no row in MESSAGE_STATES."""


def rule_for(code: str | int | None) -> CodeRule | None:
    """The row of an error code, None when there is none (then the HTTP status decides)."""
    return None if code is None else CODE_RULES.get(str(code))


def failure_reason(code: str | int | None) -> FailureReason | None:
    """The shared reason of an error code; PROVIDER_ERROR for a code without a row, None without a code."""
    if code is None or code == "":
        return None
    rule = rule_for(code)
    return rule.reason if rule else FailureReason.PROVIDER_ERROR


def map_status(status: str) -> MessageState | None:
    """Our state for Twilio's status, None for a verb we do not know: the event is kept and moves nothing."""
    return MESSAGE_STATES.get(status)


def message_state(status: str) -> MessageState:
    """Our state for Twilio's status; raises UnmappedStatus for a verb we do not know."""
    state = map_status(status)
    if state is None:
        raise UnmappedStatus("Twilio's message status has no mapping; add it to consular.providers.twilio.codes.")
    return state
