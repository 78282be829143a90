"""People on record: who they are, how to reach them, where they said they are."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from consular.extensions import Base
from consular.models.columns import (
    BlindIndex,
    CountryCode,
    LanguageTag,
    MaybeMoment,
    MaybeSealed,
    Moment,
    Sealed,
    UuidKey,
    enum_column,
)


class Channel(StrEnum):
    """The medium of a contact point or a message."""

    SMS = "sms"
    EMAIL = "email"


class RegistrationSource(StrEnum):
    """Which door a record came through."""

    WEB_FORM = "web_form"
    OFFICER = "officer"
    IMPORT = "import"


class Person(Base):
    """A citizen on record. name_sealed: place "people.name"."""

    __tablename__ = "people"

    id: Mapped[UuidKey]
    name_sealed: Mapped[Sealed]
    home_country: Mapped[CountryCode]
    language: Mapped[LanguageTag]
    created_at: Mapped[Moment]

    contact_points: Mapped[list[ContactPoint]] = relationship(back_populates="person")
    registrations: Mapped[list[Registration]] = relationship(back_populates="person")
    stays: Mapped[list[Stay]] = relationship(back_populates="person")


class ContactPoint(Base):
    """One phone (E.164) or e-mail address of one person. Never changed: a new address is a new row.

    value_sealed: place "contact_points.value". value_index: blind index with place "phone" or "email"; a family that
    shares a
    phone shares the index. country: of the number ("001" for satellite), None for e-mail.
    """

    __tablename__ = "contact_points"
    __table_args__ = (
        UniqueConstraint("person_id", "channel", "value_index"),
        Index("ix_contact_points_value_index", "value_index"),
    )

    id: Mapped[UuidKey]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    channel: Mapped[Channel] = enum_column(Channel)
    value_sealed: Mapped[Sealed]
    value_index: Mapped[BlindIndex]
    country: Mapped[CountryCode | None]
    is_valid: Mapped[bool] = mapped_column(default=True)
    unusable_since: Mapped[MaybeMoment]
    unusable_reason: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[Moment]

    person: Mapped[Person] = relationship(back_populates="contact_points")


class OptOut(Base):
    """A phone that asked for no more texts, for all people behind it. ended_at: it asked for them again.

    gateway: "exercise", or "actual" for all real ones together (domain.gateways.opt_out_list): who said STOP to the
    ministry said it to whatever carries its texts; a STOP in an exercise never silences a real warning.
    """

    __tablename__ = "opt_outs"

    value_index: Mapped[BlindIndex] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    opted_out_at: Mapped[Moment]
    ended_at: Mapped[MaybeMoment]


class Registration(Base):
    """One form a person gave us. submission_key: one per form shown, so that sending it twice makes one record."""

    __tablename__ = "registrations"
    __table_args__ = (CheckConstraint("people_count between 1 and 500", name="people_count"),)

    id: Mapped[UuidKey]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), index=True)
    submission_key: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[RegistrationSource] = enum_column(RegistrationSource)
    people_count: Mapped[int]
    consent_version: Mapped[str] = mapped_column(String(16))
    consented_at: Mapped[Moment]
    created_at: Mapped[Moment]

    person: Mapped[Person] = relationship(back_populates="registrations")


class Stay(Base):
    """Where a person is and when. Open ends are allowed; a resident's stay has no dates.

    country, place and position stay readable, because an alert selects by them. place_name: as the gazetteer spells
    it or as
    the citizen typed it (then place_id is None and there is no position). address_sealed: place "stays.address".
    """

    __tablename__ = "stays"
    __table_args__ = (
        Index("ix_stays_country", "country"),
        CheckConstraint("until_date is null or from_date is null or until_date >= from_date", name="dates"),
    )

    id: Mapped[UuidKey]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), index=True)
    country: Mapped[CountryCode]
    place_id: Mapped[int | None] = mapped_column(ForeignKey("places.id"))
    place_name: Mapped[str | None] = mapped_column(String(200))
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    is_resident: Mapped[bool]
    from_date: Mapped[date | None]
    until_date: Mapped[date | None]
    address_sealed: Mapped[MaybeSealed]
    created_at: Mapped[Moment]

    person: Mapped[Person] = relationship(back_populates="stays")
