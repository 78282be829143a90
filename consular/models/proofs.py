"""How we know that a path works: its last proofs, and the daily test texts to the mission's own handsets."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import BlindIndex, CountryCode, MaybeMoment, Moment, Sealed, UuidKey


class PathProof(Base):
    """One path: a gateway to the phones of a country. When it last took a text, reported one as delivered, and brought
    a reply to one that went by it; None: never seen.

    delivered_at is what the gateway said. Whether that can be believed is in the table of capabilities and may change:
    queries.proofs leaves it out where it cannot.
    """

    __tablename__ = "path_proofs"

    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    country: Mapped[CountryCode] = mapped_column(primary_key=True)
    accepted_at: Mapped[MaybeMoment]
    delivered_at: Mapped[MaybeMoment]
    heard_at: Mapped[MaybeMoment]


class Canary(Base):
    """One test text to a handset of the mission, with the message that carries it.

    phone_sealed: place "canaries.phone"; text_sealed: place "canaries.text". endpoint_index: blind index of the phone.
    country: of the number. run: 0 is the daily one, 1 and on were asked for, by the officer `asked_by` or a command.
    answered_at: the handset wrote back through the same gateway.
    """

    __tablename__ = "canaries"
    __table_args__ = (
        UniqueConstraint("day", "gateway", "endpoint_index", "run"),
        UniqueConstraint("message_id"),
        Index("ix_canaries_endpoint_index", "endpoint_index", "gateway", "created_at"),
        CheckConstraint("gateway <> 'exercise'", name="gateway_is_actual"),
    )

    id: Mapped[UuidKey]
    day: Mapped[date]
    run: Mapped[int] = mapped_column(SmallInteger)
    gateway: Mapped[str] = mapped_column(String(32))
    endpoint_index: Mapped[BlindIndex]
    country: Mapped[CountryCode]
    phone_sealed: Mapped[Sealed]
    text_sealed: Mapped[Sealed]
    message_id: Mapped[int] = mapped_column(BigInteger)
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id"))
    created_at: Mapped[Moment]
    answered_at: Mapped[MaybeMoment]
