"""The states of one message and the only ways between them (docs/adr/0003)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from consular.domain.alerts import MessageClass
from consular.domain.ports import RefusalScope, SendOutcome, SmsResult


class MessageState(StrEnum):
    """One row per event, endpoint and channel is in exactly one of these."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    HELD = "held"


class Reach(StrEnum):
    """What we know of a person's phone in a crisis; silence after DELIVERED is not shown as anything else."""

    NO_PHONE = "no_phone"
    WAITING = "waiting"
    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"
    NOT_DELIVERED = "not_delivered"


TERMINAL = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.READ,
        MessageState.UNDELIVERED,
        MessageState.REFUSED,
        MessageState.FAILED,
        MessageState.CANCELLED,
        MessageState.EXPIRED,
    }
)

RANK: dict[MessageState, int] = {
    MessageState.QUEUED: 0,
    MessageState.CLAIMED: 0,
    MessageState.SENDING: 0,
    MessageState.UNKNOWN: 0,
    MessageState.HELD: 0,
    MessageState.CANCELLED: 0,
    MessageState.EXPIRED: 0,
    MessageState.REFUSED: 0,
    MessageState.ACCEPTED: 1,
    MessageState.SENT: 2,
    MessageState.FAILED: 3,
    MessageState.UNDELIVERED: 4,
    MessageState.DELIVERED: 5,
    MessageState.READ: 6,
}
"""A receipt moves a message only to a higher rank. Rank 0 is all we know by ourselves: any receipt proves more than
that.

No two states that a receipt can report share a rank, so that the order of receipts never matters.
"""

ACKNOWLEDGEMENT_PRIORITY = 4
"""Receipts for replies come after every alert."""

ACKNOWLEDGEMENT_VALIDITY = timedelta(hours=1)
"""A receipt for a reply that comes later than this confuses more than it helps."""

ALERT_PRIORITIES = {MessageClass.LIFE_SAFETY: 9, MessageClass.NORMAL: 5, MessageClass.SENSITIVE: 5}

MOST_DEATHS = 3
"""A row whose worker died this often while it was claimed is held for an officer: it may be what kills them."""

SUSPECT_DEATHS = MOST_DEATHS - 1
"""From here on a row is claimed alone, so that innocent rows do not die with it a third time."""

MOST_UNKNOWNS = 3
"""A text whose fate was unknown this often is not sent again without an officer."""

FIRST_CALLBACK_GRACE = timedelta(seconds=60)
"""Two empty list answers must be this far apart before a text counts as not found."""

SILENCE_BEFORE_RESEND = timedelta(minutes=3)
"""Where no list can be asked, so long must no receipt have come before a text counts as probably lost."""

NO_TRACE = "no_trace"
"""Error code of what was decided without a word from the gateway: any report proves more than that."""

ACCOUNT_REFUSED = "account_refused"
"""Why a line is paused whose gateway refused our account; a colon and the gateway's code follow."""

THROTTLED = "throttled"
"""Why a line is paused whose gateway told us to come again later."""

NO_ANSWER = "no_answer"
"""Why a line is paused whose gateway leaves one request after the other without an answer."""

NOT_CONNECTED = "not_connected"
"""Why a line pauses for a moment that could not reach its gateway just now."""

UNREACHABLE = "unreachable"
"""Why a line is paused that could not reach its gateway again after that: texts need not wait for it."""

VALIDITY_MARGIN = timedelta(minutes=5)
"""After validity plus this, a text without trace can no longer arrive."""


def message_number(attempt_id: UUID) -> int:
    """The number of the message an attempt belongs to: the upper 64 bits of the attempt's id."""
    return attempt_id.int >> 64


def forward(current: MessageState, reported: MessageState) -> MessageState:
    """The state after a receipt: never back, whatever the order or number of receipts."""
    return reported if RANK[reported] > RANK[current] else current


def counted_as(state: MessageState) -> str:
    """The counter a state belongs to: what workers do in between is still "queued" to an officer."""
    waiting = (MessageState.CLAIMED, MessageState.SENDING)
    return MessageState.QUEUED.value if state in waiting else state.value


@dataclass(frozen=True, slots=True)
class AfterSend:
    """What one result does to its row. retry_in_seconds only with QUEUED: full jitter is already in it."""

    state: MessageState
    retry_in_seconds: float = 0.0


def after_send(result: SmsResult, tries: int, jitter: float) -> AfterSend:
    """The row's state after one request. jitter: 0..1. tries: how often this row was claimed.

    A refusal of the whole country or account is not this row's fault: it waits while the line is stopped. What may be
    its number's or its country's fault waits longer each time.
    """
    match result.outcome:
        case SendOutcome.ACCEPTED:
            return AfterSend(MessageState.ACCEPTED)
        case SendOutcome.UNKNOWN:
            return AfterSend(MessageState.UNKNOWN)
        case SendOutcome.REFUSED if result.scope in (RefusalScope.COUNTRY, RefusalScope.ACCOUNT):
            return AfterSend(MessageState.QUEUED, 30.0 + 30.0 * jitter)
        case SendOutcome.REFUSED if result.scope is RefusalScope.ROUTE:
            return AfterSend(MessageState.QUEUED, min(600.0, 15.0 * 2 ** min(tries, 6)) * (1.0 + jitter))
        case SendOutcome.REFUSED:
            return AfterSend(MessageState.REFUSED)
        case SendOutcome.NOT_SENT:
            ceiling = min(30.0, 0.5 * 2 ** min(tries, 6))
            return AfterSend(MessageState.QUEUED, (result.retry_after_seconds or 0.0) + ceiling * jitter)


def after_not_found(
    message_class: MessageClass | None,
    now: datetime,
    sending_at: datetime,
    not_found_at: datetime | None,
    validity: timedelta,
    unknowns: int = 1,
) -> MessageState | None:
    """What to do with an `unknown` text that the gateway's list did not show just now; None: ask again later.

    not_found_at: the first such answer. unknowns: how many attempts at this text ended so. life_safety: sent again
    after two empty answers FIRST_CALLBACK_GRACE apart (declared as a
    possible duplicate). normal: only when its validity is over, so that it cannot arrive twice. sensitive: an officer
    decides. None, the receipt of a reply: not worth a second try.
    """
    if not_found_at is None or now - not_found_at < FIRST_CALLBACK_GRACE:
        return None
    if message_class is None:
        return MessageState.FAILED
    if message_class is MessageClass.SENSITIVE or unknowns >= MOST_UNKNOWNS:
        return MessageState.HELD
    if message_class is MessageClass.LIFE_SAFETY:
        return MessageState.QUEUED
    return MessageState.QUEUED if now > sending_at + validity + VALIDITY_MARGIN else None


def silence_ends_at(
    message_class: MessageClass | None, sending_at: datetime, validity: timedelta, *, is_over: bool = False
) -> datetime:
    """Until when an `unknown` text waits for a receipt at a gateway that has no list.

    Silence proves nothing. Only what is to be sent again for lives' sake, or shown to an officer, is decided on soon;
    the rest (normal ones; message_class None: the receipt of a reply; is_over: the alert ended) when it can no longer
    arrive.
    """
    is_urgent = message_class in (MessageClass.LIFE_SAFETY, MessageClass.SENSITIVE) and not is_over
    return sending_at + (SILENCE_BEFORE_RESEND if is_urgent else validity + VALIDITY_MARGIN)


def after_silence(message_class: MessageClass | None, *, is_over: bool = False, unknowns: int = 1) -> MessageState:
    """What becomes of an `unknown` text when silence_ends_at() has come without a receipt. QUEUED is declared as a
    possible duplicate. What is not to be sent again has failed as far as anybody knows."""
    if message_class is None or is_over:
        return MessageState.FAILED
    if message_class is MessageClass.SENSITIVE or unknowns >= MOST_UNKNOWNS:
        return MessageState.HELD
    return MessageState.QUEUED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an unknown text; wait in seconds, until it is looked at or sent again.

    is_absent: the gateway does not have it, so that it is cancelled or expired when its alert ended; else it may be
    under way and stays unknown.
    """

    state: MessageState
    wait: float = 0.0
    not_found_at: datetime | None = None
    provider_id: str | None = None
    error: str | None = None
    is_absent: bool = True
