"""Requests that a human must read or act on: calls for help and texts nobody could read by rule."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import MaybeMoment, MaybeSealed, Moment, UuidKey, enum_column


class RequestKind(StrEnum):
    """Why a human is needed; needs_help comes first in the queue."""

    NEEDS_HELP = "needs_help"
    UNCLEAR = "unclear"
    UNKNOWN_SENDER = "unknown_sender"
    WRONG_PERSON = "wrong_person"
    OPTED_OUT = "opted_out"


class AssistanceRequest(Base):
    """One open question to the officers. One per inbound text or link answer (source_key). note_sealed:
    "assistance_requests.note".

    Without a crisis it is shown in every open one of its kind: is_exercise says whether a practice gateway played it.
    person_id is empty when nobody on record, or more than one person, is behind the phone.
    """

    __tablename__ = "assistance_requests"
    __table_args__ = (
        Index(
            "ix_assistance_requests_open", "crisis_id", "kind", "opened_at", postgresql_where=text("closed_at is null")
        ),
        Index("ix_assistance_requests_person_id", "person_id"),
    )

    id: Mapped[UuidKey]
    source_key: Mapped[str] = mapped_column(String(64), unique=True)
    is_exercise: Mapped[bool] = mapped_column(server_default=text("false"))
    crisis_id: Mapped[UUID | None] = mapped_column(ForeignKey("crises.id"))
    kind: Mapped[RequestKind] = enum_column(RequestKind)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    inbound_id: Mapped[UUID | None] = mapped_column(ForeignKey("inbound_messages.id"))
    opened_at: Mapped[Moment]
    closed_at: Mapped[MaybeMoment]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id"))
    outcome: Mapped[str | None] = mapped_column(String(32))
    note_sealed: Mapped[MaybeSealed]
