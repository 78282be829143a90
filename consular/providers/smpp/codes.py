"""SMPP's words as data: what an answer to submit_sm or bind means, what a receipt's word means.

Source: SMPP 3.4, tables 5-2 (command_status) and 5-6 (message states), appendix B (receipt text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome

ESME_ROK = 0x00
ESME_RINVCMDLEN = 0x02
ESME_RINVCMDID = 0x03
ESME_RX_T_APPN = 0x64
ESME_RX_P_APPN = 0x65

PARTIAL = "PARTIAL"
"""Our own word in a receipt: a part of a long text reached the phone, not yet all of them."""


@dataclass(frozen=True, slots=True)
class StatusRule:
    """One row: the name in the standard, the outcome class, and, for a refusal, its reason and how far it reaches."""

    name: str
    outcome: SendOutcome
    reason: FailureReason | None = None
    scope: RefusalScope | None = None


_R = FailureReason


def _refused(name: str, reason: FailureReason, scope: RefusalScope = RefusalScope.ACCOUNT) -> StatusRule:
    return StatusRule(name, SendOutcome.REFUSED, reason, scope)


def _not_sent(name: str, reason: FailureReason = _R.QUOTA) -> StatusRule:
    return StatusRule(name, SendOutcome.NOT_SENT, reason)


def _doubt(name: str) -> StatusRule:
    return StatusRule(name, SendOutcome.UNKNOWN, _R.PROVIDER_ERROR)


_NUMBER = RefusalScope.NUMBER

STATUS_RULES: Mapping[int, StatusRule] = MappingProxyType(
    {
        0x01: _refused("ESME_RINVMSGLEN", _R.CONTENT_REJECTED, _NUMBER),
        0x02: _refused("ESME_RINVCMDLEN", _R.PROVIDER_ERROR),
        0x03: _refused("ESME_RINVCMDID", _R.PROVIDER_ERROR),
        0x04: _not_sent("ESME_RINVBNDSTS", _R.PROVIDER_ERROR),
        0x05: _not_sent("ESME_RALYBND", _R.PROVIDER_ERROR),
        0x06: _refused("ESME_RINVPRTFLG", _R.PROVIDER_ERROR),
        0x07: _refused("ESME_RINVREGDLVFLG", _R.PROVIDER_ERROR),
        0x08: _doubt("ESME_RSYSERR"),
        0x0A: _refused("ESME_RINVSRCADR", _R.SENDER_REJECTED),
        0x0B: _refused("ESME_RINVDSTADR", _R.INVALID_NUMBER, _NUMBER),
        0x0D: _refused("ESME_RBINDFAIL", _R.SENDER_REJECTED),
        0x0E: _refused("ESME_RINVPASWD", _R.SENDER_REJECTED),
        0x0F: _refused("ESME_RINVSYSID", _R.SENDER_REJECTED),
        0x14: _not_sent("ESME_RMSGQFUL"),
        0x15: _refused("ESME_RINVSERTYP", _R.PROVIDER_ERROR),
        0x43: _refused("ESME_RINVESMCLASS", _R.PROVIDER_ERROR),
        0x45: _refused("ESME_RSUBMITFAIL", _R.PROVIDER_ERROR, _NUMBER),
        0x48: _refused("ESME_RINVSRCTON", _R.SENDER_REJECTED),
        0x49: _refused("ESME_RINVSRCNPI", _R.SENDER_REJECTED),
        0x50: _refused("ESME_RINVDSTTON", _R.PROVIDER_ERROR),
        0x51: _refused("ESME_RINVDSTNPI", _R.PROVIDER_ERROR),
        0x53: _refused("ESME_RINVSYSTYP", _R.PROVIDER_ERROR),
        0x54: _refused("ESME_RINVREPFLAG", _R.PROVIDER_ERROR),
        0x58: _not_sent("ESME_RTHROTTLED"),
        0x61: _refused("ESME_RINVSCHED", _R.PROVIDER_ERROR),
        0x62: _refused("ESME_RINVEXPIRY", _R.PROVIDER_ERROR),
        0xC0: _refused("ESME_RINVOPTPARSTREAM", _R.PROVIDER_ERROR),
        0xC1: _refused("ESME_ROPTPARNOTALLWD", _R.PROVIDER_ERROR),
        0xC2: _refused("ESME_RINVPARLEN", _R.PROVIDER_ERROR),
        0xC3: _refused("ESME_RMISSINGOPTPARAM", _R.PROVIDER_ERROR),
        0xC4: _refused("ESME_RINVOPTPARAMVAL", _R.PROVIDER_ERROR),
        0xFE: _doubt("ESME_RDELIVERYFAILURE"),
        0xFF: _doubt("ESME_RUNKNOWNERR"),
    }
)

MESSAGE_STATES: Mapping[str, MessageState] = MappingProxyType(
    {
        "ENROUTE": MessageState.SENT,
        PARTIAL: MessageState.SENT,
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
)
"""UNKNOWN: the operator took the text and lost sight of it, which proves neither delivery nor failure."""

_REASONS = {
    "EXPIRED": _R.EXPIRED,
    "UNDELIV": _R.UNREACHABLE,
    "UNDELIVERABLE": _R.UNREACHABLE,
    "REJECTD": _R.BLOCKED,
    "REJECTED": _R.BLOCKED,
    "DELETED": _R.PROVIDER_ERROR,
}


class StateOctet(IntEnum):
    """message_state, the optional parameter that says in a number what stat says in a word."""

    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8


def rule_for(status: int) -> StatusRule:
    """The row of a command_status other than ESME_ROK; one without a row is doubt, named by its number."""
    return STATUS_RULES.get(status) or _doubt(f"smpp-0x{status:08x}")


def map_status(status: str) -> MessageState | None:
    """Our state for a receipt's word in capitals, None for one we do not know: the event is kept and moves nothing."""
    return MESSAGE_STATES.get(status)


def is_failure(stat: str) -> bool:
    """Whether a receipt's word says that the text will never arrive."""
    return map_status(stat) in (MessageState.FAILED, MessageState.UNDELIVERED)


def failure_reason(code: str | None) -> FailureReason | None:
    """The shared reason of an error code of this adapter: a name of the table above, or "STAT:err" of a receipt.

    PROVIDER_ERROR for a code without a row, None without a code. An operator's own err numbers have no common meaning.
    """
    if not code:
        return None
    named = next((rule.reason for rule in STATUS_RULES.values() if rule.name == code), None)
    return named or _REASONS.get(code.partition(":")[0], _R.PROVIDER_ERROR)
