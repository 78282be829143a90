"""Receipts: what gateways reported about our messages, kept raw; the message's state is derived from them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import MaybeMoment, Moment, Sealed, UuidKey


class ReceiptEvent(Base):
    """One report. The same report again is the same row. raw_sealed: place "receipt_events.raw", JSON list of [name,
    value].

    result: what became of it: "applied", "stale" (nothing new), "unmatched" (no such message), "unknown_status".
    """

    __tablename__ = "receipt_events"
    __table_args__ = (
        UniqueConstraint(
            *("gateway", "provider_message_id", "status", "error_code", "attempt_id"),
            name="uq_receipt_events_identity",
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_receipt_events_waiting", "received_at", postgresql_where=text("processed_at is null")),
        Index("ix_receipt_events_applied", "processed_at", postgresql_where=text("result = 'applied'")),
    )

    id: Mapped[UuidKey]
    gateway: Mapped[str] = mapped_column(String(32))
    provider_message_id: Mapped[str] = mapped_column(String(64))
    attempt_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(String(64))
    error_code: Mapped[str] = mapped_column(String(32), server_default="")
    raw_sealed: Mapped[Sealed]
    received_at: Mapped[Moment]
    processed_at: Mapped[MaybeMoment]
    result: Mapped[str | None] = mapped_column(String(16))
