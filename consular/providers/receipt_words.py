"""What the words of a stored receipt mean, whichever gateway it came from: the tables of all kinds, read as one."""

from __future__ import annotations

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason
from consular.providers.http_gateway.doorway import shared_reason
from consular.providers.smpp import codes as smpp
from consular.providers.twilio import codes as twilio


def read_status(status: str) -> MessageState | None:
    """Our state for Twilio's verb, the HTTP gateway's shared word or SMPP's; None for another: it moves nothing.

    SMPP's words are in capitals, and where Twilio's and the shared ones are alike they mean the same.
    """
    return twilio.map_status(status) or smpp.map_status(status)


def read_reason(code: str) -> FailureReason | None:
    """The shared reason of a code; PROVIDER_ERROR for a code without a row, None without a code."""
    if not code:
        return None
    named = shared_reason(code)
    if named is not None:
        return named
    return twilio.failure_reason(code) if twilio.rule_for(code) else smpp.failure_reason(code)
