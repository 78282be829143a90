"""Messages: one row per event, endpoint and channel before anything is sent, and every attempt to hand it over.

What a fan-out writes by the million has no foreign keys: it is selected from the tables it names in the same
transaction, and
checking each reference again costs more than the rows themselves. Whoever deletes people must delete these rows with
them.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, Index, SmallInteger, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, SendOutcome
from consular.extensions import Base
from consular.models.columns import (
    BlindIndex,
    CountryCode,
    LanguageTag,
    MaybeMoment,
    Moment,
    NumberKey,
    UuidKey,
    enum_column,
)
from consular.models.people import Channel


class MessageKind(StrEnum):
    """What a message is: the alert itself, the automatic receipt for one reply, or a test text to our own handset."""

    ALERT = "alert"
    ACKNOWLEDGEMENT = "acknowledgement"
    CANARY = "canary"


class Exclusion(StrEnum):
    """Why a selected person gets no message."""

    NO_PHONE = "no_phone"
    UNUSABLE_PHONE = "unusable_phone"
    OPTED_OUT = "opted_out"
    NO_GATEWAY = "no_gateway"


class Message(Base):
    """One text to one phone. The body is not stored: it is rendered from the frozen event when it is sent.

    endpoint_index: blind index of the phone; a shared phone has one row per event. attempt_id: its upper 64 bits are
    `id`, so a
    receipt finds its row by primary key (domain.delivery.message_number). template: which acknowledgement, with
    inbound_id.
    tries: how often it was claimed. deaths: how often its worker died while it was claimed.
    not_found_at: when the gateway's list first did not show the text of an `unknown` row.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index(
            "uq_messages_event_endpoint",
            "event_id",
            "endpoint_index",
            "channel",
            "step",
            unique=True,
            postgresql_where=text("event_id is not null"),
        ),
        Index("uq_messages_inbound", "inbound_id", unique=True, postgresql_where=text("inbound_id is not null")),
        Index(
            "ix_messages_queued",
            "gateway",
            text("priority desc"),
            "not_before",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index(
            "ix_messages_open",
            "state",
            "lease_until",
            postgresql_where=text("state in ('claimed', 'sending', 'unknown', 'held')"),
        ),
        Index(
            "ix_messages_provider_id", "provider_message_id", postgresql_where=text("provider_message_id is not null")
        ),
        CheckConstraint(
            "(kind = 'alert') = (event_id is not null) and (kind = 'acknowledgement') = (inbound_id is not null)",
            name="kind",
        ),
    )

    id: Mapped[NumberKey]
    kind: Mapped[MessageKind] = enum_column(MessageKind)
    event_id: Mapped[UUID | None]
    crisis_id: Mapped[UUID | None]
    inbound_id: Mapped[UUID | None]
    template: Mapped[str | None] = mapped_column(String(32))
    channel: Mapped[Channel] = enum_column(Channel)
    step: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    contact_point_id: Mapped[UUID | None]
    endpoint_index: Mapped[BlindIndex]
    country: Mapped[CountryCode | None]
    language: Mapped[LanguageTag]
    gateway: Mapped[str] = mapped_column(String(32))
    priority: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[MessageState] = enum_column(MessageState)
    not_before: Mapped[Moment] = mapped_column(server_default=func.now())
    expires_at: Mapped[Moment]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    deaths: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    attempt_id: Mapped[UUID | None]
    worker: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[MaybeMoment]
    sending_at: Mapped[MaybeMoment]
    not_found_at: Mapped[MaybeMoment]
    provider_message_id: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None] = mapped_column(String(32))
    failure_reason: Mapped[FailureReason | None] = enum_column(FailureReason)
    possible_duplicate: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())
    accepted_at: Mapped[MaybeMoment]
    delivered_at: Mapped[MaybeMoment]
    updated_at: Mapped[Moment] = mapped_column(server_default=func.now())


class MessageAttempt(Base):
    """One try to hand a message to a gateway; append-only, written when its outcome is known or its lease is over.

    parts: how many SMS parts the text had, the unit of a sender's rate; null for a try whose worker could not tell.
    """

    __tablename__ = "message_attempts"
    __table_args__ = (
        Index("ix_message_attempts_message_id", "message_id"),
        Index(
            "ix_message_attempts_provider_id",
            "provider_message_id",
            postgresql_where=text("gateway in ('smpp', 'http') and provider_message_id is not null"),
        ),
        Index(
            "ix_message_attempts_recorded_at",
            "recorded_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": True},
        ),
    )

    id: Mapped[UuidKey]
    message_id: Mapped[int] = mapped_column(BigInteger)
    gateway: Mapped[str] = mapped_column(String(32))
    worker: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[MaybeMoment]
    outcome: Mapped[SendOutcome] = enum_column(SendOutcome)
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    provider_message_id: Mapped[str | None] = mapped_column(String(64))
    error_code: Mapped[str | None] = mapped_column(String(32))
    latency_seconds: Mapped[float | None] = mapped_column(Float)
    parts: Mapped[int | None] = mapped_column(SmallInteger)
    recorded_at: Mapped[Moment] = mapped_column(server_default=func.now())


class Recipient(Base):
    """A person chosen for an event: with the message that goes to their phone, or the reason why none does."""

    __tablename__ = "recipients"
    __table_args__ = (
        Index("ix_recipients_message_id", "message_id", postgresql_where=text("message_id is not null")),
        CheckConstraint("(message_id is null) <> (exclusion is null)", name="message_or_reason"),
    )

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    exclusion: Mapped[Exclusion | None] = enum_column(Exclusion)


class Sender(Base):
    """The pace of one sender, shared by all workers: the next part may leave at next_free_at; nothing before
    paused_until.

    pause_reason: why the line is stopped (account refused, throttled), for the operator.
    """

    __tablename__ = "senders"

    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    next_free_at: Mapped[Moment]
    paused_until: Mapped[MaybeMoment]
    pause_reason: Mapped[str | None] = mapped_column(String(64))


class CountryPause(Base):
    """A country that a gateway refuses as a whole: its rows stay queued until then instead of failing one by one."""

    __tablename__ = "country_pauses"

    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    country: Mapped[CountryCode] = mapped_column(primary_key=True)
    error_code: Mapped[str] = mapped_column(String(32))
    refusals: Mapped[int]
    paused_until: Mapped[MaybeMoment]
