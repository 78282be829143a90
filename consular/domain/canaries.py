"""The daily test text to the mission's own handsets: its words, when it is due, and what its result is called."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

from consular.domain.delivery import MessageState

CANARY_PRIORITY = 1
"""After every alert and every receipt for a reply."""

CANARY_VALIDITY = timedelta(hours=1)
"""A test that did not leave by then is of no use: the line was busy with something that matters."""

CANARY_HISTORY = timedelta(days=90)

SEND_AGAIN_AFTER = timedelta(minutes=10)
"""So long after a test text another one to the same handset by the same gateway is refused: a button pressed twice."""

ANSWER_WITHIN = timedelta(hours=48)
"""A text that a handset writes later is no answer to a test."""

UNPROVEN_AFTER = timedelta(hours=36)
"""A path that was not proven for so long has missed a daily test."""


class CanaryResult(StrEnum):
    """The furthest that is known of a test text."""

    WAITING = "waiting"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ANSWERED = "answered"
    NOT_SENT = "not_sent"
    FAILED = "failed"


_RESULTS = {
    MessageState.QUEUED: CanaryResult.WAITING,
    MessageState.CLAIMED: CanaryResult.WAITING,
    MessageState.SENDING: CanaryResult.WAITING,
    MessageState.UNKNOWN: CanaryResult.UNKNOWN,
    MessageState.ACCEPTED: CanaryResult.ACCEPTED,
    MessageState.SENT: CanaryResult.ACCEPTED,
    MessageState.DELIVERED: CanaryResult.DELIVERED,
    MessageState.READ: CanaryResult.DELIVERED,
    MessageState.EXPIRED: CanaryResult.NOT_SENT,
}


def result_of(state: MessageState, answered_at: datetime | None) -> CanaryResult:
    """What became of a test text. An answer proves more than any receipt."""
    return CanaryResult.ANSWERED if answered_at is not None else _RESULTS.get(state, CanaryResult.FAILED)


def canary_text(mission_name: str, day: date, gateway: str, reference: str, *, can_reply: bool) -> str:
    """The test text: what it is, who sent it, when and by which gateway, and how to prove the way back."""
    lines = [
        "TEST of our text messages, no emergency.",
        f"{mission_name}, {day.day} {day:%b %Y}, by {gateway}.",
        "Reply 1 to prove the way back." if can_reply else "Nothing to do.",
        f"Ref {reference}",
    ]
    return "\n".join(lines)


def is_due(now: datetime, hour: int) -> bool:
    """Whether the daily test of now's day (UTC) may be sent."""
    return now.hour >= hour
