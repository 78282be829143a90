"""Rows of the store in memory, with the names that the columns have."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID


class Message:
    """A row of `messages`, as far as the core knows it."""

    __slots__ = (
        "accepted_at",
        "attempt_id",
        "country",
        "deaths",
        "delivered_at",
        "endpoint_index",
        "error_code",
        "event_id",
        "expires_at",
        "failure_reason",
        "gateway",
        "id",
        "lease_until",
        "not_before",
        "not_found_at",
        "possible_duplicate",
        "priority",
        "provider_message_id",
        "sending_at",
        "state",
        "tries",
        "worker",
    )

    def __init__(self, number: int, event_id: UUID | None, endpoint: bytes, country: str | None, **values: Any) -> None:
        self.id = number
        self.event_id = event_id
        self.endpoint_index = endpoint
        self.country = country
        self.gateway: str = values["gateway"]
        self.priority: int = values["priority"]
        self.not_before: datetime = values["not_before"]
        self.expires_at: datetime = values["expires_at"]
        self.state = "queued"
        self.tries = self.deaths = 0
        self.possible_duplicate = False
        self.attempt_id: UUID | None = None
        self.lease_until: datetime | None = None
        self.sending_at: datetime | None = None
        self.not_found_at: datetime | None = None
        self.accepted_at: datetime | None = None
        self.delivered_at: datetime | None = None
        self.worker: str | None = None
        self.error_code: str | None = None
        self.failure_reason: str | None = None
        self.provider_message_id: str | None = None


class Changed(NamedTuple):
    """What note_changes takes."""

    id: int
    event_id: UUID | None
    before: str
    after: str


class Claimed(NamedTuple):
    """A row of the claim."""

    id: int
    attempt_id: UUID
    event_id: UUID | None
    inbound_id: None
    template: str
    language: str
    country: str | None
    tries: int
    deaths: int
    canary_id: None = None


class Unknown(NamedTuple):
    """A row of the looks."""

    id: int
    attempt_id: UUID
    event_id: UUID | None
    sending_at: datetime
    not_found_at: datetime | None
    expires_at: datetime
    stopped_at: datetime | None
    unknowns: int
    canary_id: None = None


class Attempt(NamedTuple):
    """A row of `message_attempts`."""

    recorded_at: datetime
    id: UUID
    message_id: int
    gateway: str
    worker: str | None
    outcome: str
    provider_message_id: str | None
    parts: int | None = None


class Receipt(NamedTuple):
    """A row of `receipt_events` that was not processed yet."""

    id: UUID
    gateway: str
    provider_message_id: str
    attempt_id: UUID | None
    status: str
    error_code: str
    received_at: datetime
    result: str | None = None
