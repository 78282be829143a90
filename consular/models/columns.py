"""Column types that every aggregate shares."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Identity, LargeBinary, String
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """timestamptz that refuses naive datetimes instead of guessing their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a time zone was given")
        return value


def enum_type(values: type[StrEnum]) -> Enum:
    """An enumeration stored by value with a CHECK, never as a native PostgreSQL type."""
    return Enum(
        values,
        native_enum=False,
        create_constraint=True,
        length=32,
        name=values.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
        validate_strings=True,
    )


def enum_column(values: type[StrEnum], **options: Any) -> Any:
    """mapped_column() of enum_type(values)."""
    return mapped_column(enum_type(values), **options)


UuidKey = Annotated[UUID, mapped_column(primary_key=True, default=uuid4)]
NumberKey = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]
MaybeMoment = Annotated[datetime | None, mapped_column(UtcDateTime)]
Sealed = Annotated[bytes, mapped_column(LargeBinary)]
MaybeSealed = Annotated[bytes | None, mapped_column(LargeBinary)]
BlindIndex = Annotated[bytes, mapped_column(LargeBinary(32))]
CountryCode = Annotated[str, mapped_column(String(3))]
LanguageTag = Annotated[str, mapped_column(String(16))]
