"""Who did or read what; append-only, no personal data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import MaybeMoment, Moment, NumberKey, Sealed, UuidKey


class AuditEntry(Base):
    """One act. officer_id is empty for the system. subject_type and subject_id name the row that was changed or
    read."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_subject", "subject_type", "subject_id"),)

    id: Mapped[NumberKey]
    at: Mapped[Moment]
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id"))
    action: Mapped[str] = mapped_column(String(48))
    subject_type: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class KeyCheck(Base):
    """A known text sealed with each data key, so that a wrong key is noticed before anything is written with it."""

    __tablename__ = "key_checks"

    id: Mapped[UuidKey]
    sealed: Mapped[Sealed]
    index_sample: Mapped[Sealed]
    created_at: Mapped[Moment]
    retired_at: Mapped[MaybeMoment]
