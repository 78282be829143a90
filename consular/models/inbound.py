"""Texts from people, stored before anything else is done with them."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import BlindIndex, MaybeMoment, Moment, Sealed, UuidKey, enum_column


class InboundPath(StrEnum):
    """How an answer reached us."""

    WEBHOOK = "webhook"
    POLLER = "poller"


class InboundMessage(Base):
    """One text as it came. sender_sealed, body_sealed, raw_sealed: places "inbound_messages.sender", ".body", ".raw".

    sender_index: blind index of the sender's phone as it was written. kind and the rest are filled in when it is
    processed;
    people_matched: how many people on record the phone belongs to. missing_parts: how many parts of a long text had not
    come when it had to be kept.
    """

    __tablename__ = "inbound_messages"
    __table_args__ = (
        UniqueConstraint("gateway", "provider_message_id"),
        Index("ix_inbound_messages_waiting", "received_at", postgresql_where=text("processed_at is null")),
        Index("ix_inbound_messages_processed", "processed_at", postgresql_where=text("processed_at is not null")),
        Index("ix_inbound_messages_gap_filled", "gateway", "received_at", postgresql_where=text("path = 'poller'")),
        Index("ix_inbound_messages_sender_index", "sender_index"),
    )

    id: Mapped[UuidKey]
    gateway: Mapped[str] = mapped_column(String(32))
    provider_message_id: Mapped[str] = mapped_column(String(64))
    path: Mapped[InboundPath] = enum_column(InboundPath)
    sender_sealed: Mapped[Sealed]
    sender_index: Mapped[BlindIndex]
    body_sealed: Mapped[Sealed]
    raw_sealed: Mapped[Sealed]
    received_at: Mapped[Moment]
    missing_parts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    processed_at: Mapped[MaybeMoment]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    kind: Mapped[str | None] = mapped_column(String(16))
    count: Mapped[int | None]
    classifier_version: Mapped[str | None] = mapped_column(String(16))
    crisis_id: Mapped[UUID | None] = mapped_column(ForeignKey("crises.id"))
    event_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_events.id"))
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    people_matched: Mapped[int | None]
