"""The states of one message and the only ways between them (docs/adr/0003)."""

from enum import StrEnum
from uuid import UUID


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


def message_number(attempt_id: UUID) -> int:
    """The number of the message an attempt belongs to: the upper 64 bits of the attempt's id."""
    return attempt_id.int >> 64
