"""The offline gazetteer: places of the world with their names in many scripts (GeoNames, CC BY 4.0)."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import CountryCode


class Place(Base):
    """A populated place. id: GeoNames id. timezone: IANA name."""

    __tablename__ = "places"
    __table_args__ = (Index("ix_places_country_population", "country", text("population desc")),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(200))
    country: Mapped[CountryCode]
    latitude: Mapped[float]
    longitude: Mapped[float]
    population: Mapped[int] = mapped_column(BigInteger)
    timezone: Mapped[str] = mapped_column(String(64))


class PlaceName(Base):
    """One spelling of a place, folded for comparison, within its country."""

    __tablename__ = "place_names"
    __table_args__ = (Index("ix_place_names_country_key", "country", "key"),)

    place_id: Mapped[int] = mapped_column(ForeignKey("places.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200, collation="C"), primary_key=True)
    country: Mapped[CountryCode]
