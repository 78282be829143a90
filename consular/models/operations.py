"""How the service itself is doing: when its regular tasks last ran, and since when which alarm stands."""

from __future__ import annotations

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import MaybeMoment, Moment


class Heartbeat(Base):
    """A regular task: "clock", or "gaps:<gateway>". ran_at: its last run began; done_at: the last one that succeeded
    began.

    failing_since, failure: the first run after done_at that failed, and the kind of the last failure.
    """

    __tablename__ = "heartbeats"

    task: Mapped[str] = mapped_column(String(48), primary_key=True)
    ran_at: Mapped[Moment]
    done_at: Mapped[MaybeMoment]
    failing_since: Mapped[MaybeMoment]
    failure: Mapped[str | None] = mapped_column(String(64))


class StandingAlarm(Base):
    """An alarm (domain.alarms) that stands now. subject: what it is about, a gateway, country or queue; may be
    empty."""

    __tablename__ = "standing_alarms"

    alarm: Mapped[str] = mapped_column(String(48), primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[float] = mapped_column(Float)
    since: Mapped[Moment]
    seen_at: Mapped[Moment]
