"""What may still be sent to a number whose owner wrote STOP.

The stop holds for text messages from us, from the moment it is received until the same number writes START. It is
never taken as an answer to an alert: the person stays on the board as silent, an officer sees the stop and may use
another way (mail, voice, a companion). A life-saving text is no exception, for two reasons: gateways refuse it
(Twilio's error 21610) and a promise that is broken in a crisis is not trusted in the next one.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from consular.domain.replies import ReplyKind

STOPPABLE_CHANNELS: Final = frozenset({"sms"})
"""STOP ends these; mail and voice have their own ways to refuse."""


class Purpose(StrEnum):
    """Why a text would be sent."""

    ALERT = "alert"
    RECEIPT = "receipt"
    OFFICER_MESSAGE = "officer_message"
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"
    OPT_IN_CONFIRMATION = "opt_in_confirmation"


class Verdict(StrEnum):
    """Whether a text may go out; every value but ALLOWED is a reason to show to an officer."""

    ALLOWED = "allowed"
    OPTED_OUT = "opted_out"
    ALREADY_CONFIRMED = "already_confirmed"
    BLOCKED_BY_GATEWAY = "blocked_by_gateway"
    NOTHING_TO_CONFIRM = "nothing_to_confirm"


@dataclass(frozen=True, slots=True)
class Consent:
    """The state of one number. `opted_out_at` is aware UTC; all defaults together mean "never said stop"."""

    opted_out_at: datetime | None = None
    is_confirmed: bool = False
    is_blocked_by_gateway: bool = False
    wrote_at: datetime | None = None
    """When the owner last wrote something other than STOP or START."""

    @property
    def has_opted_out(self) -> bool:
        return self.opted_out_at is not None


def after_reply(consent: Consent, kind: ReplyKind, received_at: datetime) -> Consent:
    """The state once a reply of this kind has come in at `received_at` (aware UTC).

    A second STOP changes nothing, so the first is confirmed once. A START older than the stop does not lift it.
    """
    if kind is ReplyKind.OPT_OUT:
        return consent if consent.has_opted_out else replace(consent, opted_out_at=received_at, is_confirmed=False)
    if kind is ReplyKind.OPT_IN:
        return _after_start(consent, received_at)
    if consent.wrote_at is not None and consent.wrote_at >= received_at:
        return consent
    return replace(consent, wrote_at=received_at)


def after_confirmation(consent: Consent) -> Consent:
    """The state once the one confirmation of a stop has been handed to the gateway."""
    return replace(consent, is_confirmed=True)


def after_gateway_block(consent: Consent, refused_at: datetime) -> Consent:
    """The state once the gateway refused a text because of a stop it knows of: its list and ours must agree."""
    return replace(
        consent, opted_out_at=consent.opted_out_at or refused_at, is_confirmed=True, is_blocked_by_gateway=True
    )


def may_send(consent: Consent, purpose: Purpose, channel: str = "sms") -> Verdict:
    """Whether a text for this purpose may go to the number.

    After STOP only two things may: one confirmation that says how to start again, and an officer's answer to something
    the person wrote after the stop. Nothing may where the gateway blocks the number.
    """
    if channel not in STOPPABLE_CHANNELS:
        return Verdict.ALLOWED
    if not consent.has_opted_out:
        return Verdict.NOTHING_TO_CONFIRM if purpose is Purpose.OPT_OUT_CONFIRMATION else Verdict.ALLOWED
    if consent.is_blocked_by_gateway:
        return Verdict.BLOCKED_BY_GATEWAY
    if purpose is Purpose.OPT_OUT_CONFIRMATION:
        return Verdict.ALREADY_CONFIRMED if consent.is_confirmed else Verdict.ALLOWED
    if purpose is Purpose.OFFICER_MESSAGE and _wrote_since_stop(consent):
        return Verdict.ALLOWED
    return Verdict.OPTED_OUT


def _after_start(consent: Consent, received_at: datetime) -> Consent:
    if consent.opted_out_at is not None and received_at < consent.opted_out_at:
        return consent
    return Consent(wrote_at=consent.wrote_at)


def _wrote_since_stop(consent: Consent) -> bool:
    return consent.wrote_at is not None and consent.opted_out_at is not None and consent.wrote_at > consent.opted_out_at
