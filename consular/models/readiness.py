"""How many people on record stay where with which kind of phone, counted beforehand: a million take seconds."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import CountryCode, enum_type


class PhonePart(StrEnum):
    """What a person's phone is worth before any gateway is looked at. OPTED_OUT: of texts of real alerts."""

    USABLE = "usable"
    NO_PHONE = "no_phone"
    UNUSABLE_PHONE = "unusable_phone"
    OPTED_OUT = "opted_out"


class ReadinessCount(Base):
    """People with a stay in `country` now, by the country of the phone that a text would go to ("" without a phone).

    Somebody with stays in two countries counts in both. Replaced whole by the clock; heartbeats "readiness" says when.
    """

    __tablename__ = "readiness_counts"

    country: Mapped[CountryCode] = mapped_column(primary_key=True)
    phone_country: Mapped[str] = mapped_column(String(3), primary_key=True)
    part: Mapped[PhonePart] = mapped_column(enum_type(PhonePart), primary_key=True)
    people: Mapped[int]
