"""A crisis: what happened, where, and whether it is real."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from consular.domain.cap import AlertStatus
from consular.extensions import Base
from consular.models.columns import MaybeMoment, Moment, UuidKey, enum_column


class Crisis(Base):
    """Alerts, answers and requests of one event. status is fixed when it is opened: Actual or Exercise for all that
    follows.

    audience: AudienceRule as its canonical dict, the default for its alerts.
    """

    __tablename__ = "crises"

    id: Mapped[UuidKey]
    title: Mapped[str] = mapped_column(String(200))
    status: Mapped[AlertStatus] = enum_column(AlertStatus)
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB)
    opened_at: Mapped[Moment]
    opened_by: Mapped[UUID] = mapped_column(ForeignKey("officers.id"))
    closed_at: Mapped[MaybeMoment]
