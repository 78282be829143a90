"""What each gateway can do in each country: facts that administrators keep, from which routes are chosen."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.domain.routing import Capability, SenderKind
from consular.extensions import Base
from consular.models.columns import CountryCode, MaybeMoment, enum_column


class GatewayCapability(Base):
    """One gateway in one country; "*" stands for every country that has no row of its own.

    source, as_of: who says so, and when that was known. last_test_result: of the path, in short words. edited_by: None
    while the row is as it was delivered with a release, which then may renew it. revision: counts every change, so
    that nobody overwrites what they have not seen.
    """

    __tablename__ = "gateway_capabilities"
    __table_args__ = (
        CheckConstraint("country = '*' or country ~ '^([A-Z]{2}|[0-9]{3})$'", name="country"),
        CheckConstraint("rate > 0", name="rate"),
        CheckConstraint("cost_cents >= 0 and currency is not null or cost_cents is null", name="cost"),
    )

    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    country: Mapped[CountryCode] = mapped_column(primary_key=True)
    is_usable: Mapped[bool]
    sender_kind: Mapped[SenderKind] = enum_column(SenderKind)
    sender_note: Mapped[str | None] = mapped_column(String(200))
    is_two_way: Mapped[bool]
    allows_links: Mapped[bool]
    receipts_believable: Mapped[bool]
    rate: Mapped[float | None] = mapped_column(Float)
    cost_cents: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    currency: Mapped[str | None] = mapped_column(String(3))
    source: Mapped[str] = mapped_column(String(300))
    as_of: Mapped[date]
    last_tested_at: Mapped[MaybeMoment]
    last_test_result: Mapped[str | None] = mapped_column(String(64))
    edited_by: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id"))
    edited_at: Mapped[MaybeMoment]
    revision: Mapped[int] = mapped_column(server_default=text("1"))

    @property
    def capability(self) -> Capability:
        """The row as the rules take it."""
        return Capability(
            gateway=self.gateway,
            country=self.country,
            is_usable=self.is_usable,
            sender_kind=self.sender_kind,
            is_two_way=self.is_two_way,
            allows_links=self.allows_links,
            receipts_believable=self.receipts_believable,
            rate=self.rate,
            cost_cents=self.cost_cents,
            currency=self.currency,
        )
