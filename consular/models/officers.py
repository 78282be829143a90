"""Officers' accounts and their sign-in sessions."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from consular.extensions import Base
from consular.models.columns import MaybeMoment, Moment, UuidKey, enum_column


class Role(StrEnum):
    """What an officer may do; consular/permissions.py says it route by route."""

    VIEWER = "viewer"
    AUTHOR = "author"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"


class Officer(Base):
    """A consular officer. username: lower case, unique. password_hash: argon2id in PHC form."""

    __tablename__ = "officers"

    id: Mapped[UuidKey]
    username: Mapped[str] = mapped_column(String(80), unique=True)
    full_name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[Role] = enum_column(Role)
    created_at: Mapped[Moment]
    disabled_at: Mapped[MaybeMoment]
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[MaybeMoment]


class OfficerSession(Base):
    """One sign-in. Only the SHA-256 of the cookie's token is stored. Revoked or expired sessions are refused at
    once."""

    __tablename__ = "officer_sessions"

    id: Mapped[UuidKey]
    officer_id: Mapped[UUID] = mapped_column(ForeignKey("officers.id"), index=True)
    token_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[Moment]
    last_seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[MaybeMoment]

    officer: Mapped[Officer] = relationship()
