"""Alerts: the draft officers work on, every decision on it, and the frozen event that was transmitted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from consular.domain.alerts import AlertAction, AlertState, MessageClass
from consular.domain.cap import AlertStatus, Category, Certainty, MsgType, ResponseType, Severity, Urgency
from consular.extensions import Base
from consular.models.columns import (
    LanguageTag,
    MaybeMoment,
    Moment,
    NumberKey,
    Sealed,
    UuidKey,
    enum_column,
)
from consular.models.crises import Crisis

_NOWHERE = text("'[]'::jsonb")


class Alert(Base):
    """What officers write and approve. revision rises with every edit (optimistic lock).

    submitted_hash and submitted_count: what the approver was shown; they are checked again at release.
    message_class: what to do with a text of which nobody knows whether it left (docs/adr/0003). accepts_no_answer_from:
    countries of phones ("": unknown) where people get the text without its question, because nobody there can answer
    (docs/adr/0008).
    """

    __tablename__ = "alerts"

    id: Mapped[UuidKey]
    crisis_id: Mapped[UUID] = mapped_column(ForeignKey("crises.id"), index=True)
    state: Mapped[AlertState] = enum_column(AlertState)
    category: Mapped[Category] = enum_column(Category)
    urgency: Mapped[Urgency] = enum_column(Urgency)
    severity: Mapped[Severity] = enum_column(Severity)
    certainty: Mapped[Certainty] = enum_column(Certainty)
    response_type: Mapped[ResponseType] = enum_column(ResponseType)
    event: Mapped[str] = mapped_column(String(200))
    message_class: Mapped[MessageClass] = enum_column(MessageClass)
    asks_for_reply: Mapped[bool] = mapped_column(default=True)
    accepts_no_answer_from: Mapped[list[str]] = mapped_column(JSONB, default=list, server_default=_NOWHERE)
    validity_minutes: Mapped[int] = mapped_column(default=360)
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    last_editor_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    created_at: Mapped[Moment]
    edited_at: Mapped[Moment]
    revision: Mapped[int] = mapped_column(default=1)
    submitted_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    submitted_count: Mapped[int | None]

    infos: Mapped[list[AlertInfo]] = relationship(back_populates="alert", cascade="all, delete-orphan")
    crisis: Mapped[Crisis] = relationship()

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy reads it so


class AlertInfo(Base):
    """The words of an alert in one language. headline_sealed, text_sealed: places "alert_infos.headline",
    "alert_infos.text"."""

    __tablename__ = "alert_infos"
    __table_args__ = (UniqueConstraint("alert_id", "language"),)

    id: Mapped[UuidKey]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"))
    language: Mapped[LanguageTag]
    headline_sealed: Mapped[Sealed]
    text_sealed: Mapped[Sealed]

    alert: Mapped[Alert] = relationship(back_populates="infos")


class AlertDecision(Base):
    """Who did what to an alert, in order of number; append-only. note_sealed: place "alert_decisions.note"."""

    __tablename__ = "alert_decisions"

    number: Mapped[NumberKey]
    id: Mapped[UUID] = mapped_column(unique=True)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"), index=True)
    action: Mapped[AlertAction] = enum_column(AlertAction)
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    note_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    decided_at: Mapped[Moment]


class AlertEvent(Base):
    """One immutable instruction: exactly what was approved and transmitted.

    content_sealed: place "alert_events.content", JSON {"texts": {language: {"headline", "text"}}}. A person whose
    language has
    no text gets default_language's. content_hash covers texts, audience rule, count. The approver is never the author
    or the last editor.
    """

    __tablename__ = "alert_events"
    __table_args__ = (
        UniqueConstraint("alert_id", "msg_type"),
        CheckConstraint("approved_by <> author_id and approved_by <> last_editor_id", name="four_eyes"),
    )

    id: Mapped[UuidKey]
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id"))
    crisis_id: Mapped[UUID] = mapped_column(ForeignKey("crises.id"), index=True)
    msg_type: Mapped[MsgType] = enum_column(MsgType)
    status: Mapped[AlertStatus] = enum_column(AlertStatus)
    message_class: Mapped[MessageClass] = enum_column(MessageClass)
    asks_for_reply: Mapped[bool]
    accepts_no_answer_from: Mapped[list[str]] = mapped_column(JSONB, default=list, server_default=_NOWHERE)
    validity_seconds: Mapped[int]
    default_language: Mapped[LanguageTag]
    content_sealed: Mapped[Sealed]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    people: Mapped[int]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    last_editor_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    approved_by: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    approved_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    stopped_at: Mapped[MaybeMoment]
    stopped_by: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id"))
