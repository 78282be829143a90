"""Officers, their sessions, and how often a device guessed wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, scoped_session

from consular.models.audit import AuditEntry
from consular.models.officers import Officer, OfficerSession

AnySession = Session | scoped_session[Any]


def find_by_username(session: AnySession, username: str, *, lock: bool = False) -> Officer | None:
    """The officer of that name, disabled or not; with lock=True locked until the transaction ends."""
    statement = select(Officer).where(Officer.username == username)
    return session.scalars(statement.with_for_update() if lock else statement).one_or_none()


def find_session(session: AnySession, token_digest: bytes) -> OfficerSession | None:
    """The session with its officer, whether or not it is still good."""
    statement = select(OfficerSession).options(joinedload(OfficerSession.officer))
    return session.scalars(statement.where(OfficerSession.token_digest == token_digest)).one_or_none()


def list_officers(session: AnySession) -> Sequence[Officer]:
    """Every account, by name."""
    return session.scalars(select(Officer).order_by(Officer.username)).all()


def names(session: AnySession, officer_ids: set[UUID]) -> dict[UUID, str]:
    """Full names by id."""
    rows = session.execute(select(Officer.id, Officer.full_name).where(Officer.id.in_(officer_ids)))
    return {row.id: row.full_name for row in rows}


def count_open_sessions(session: AnySession, now: datetime) -> dict[UUID, int]:
    """Sessions that are neither revoked nor expired, by officer."""
    rows = session.execute(
        select(OfficerSession.officer_id, func.count())
        .where(OfficerSession.revoked_at.is_(None), OfficerSession.expires_at > now)
        .group_by(OfficerSession.officer_id)
    )
    return {officer_id: count for officer_id, count in rows}


def revoke_all(session: AnySession, officer_id: UUID, now: datetime) -> int:
    """End every open session of one officer; the number of them."""
    ended = session.execute(
        update(OfficerSession)
        .where(OfficerSession.officer_id == officer_id, OfficerSession.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(OfficerSession.id)
    )
    return len(ended.all())


def count_wrong_guesses(session: AnySession, device_id: str, since: datetime) -> int:
    """Failed sign-ins from one known device after `since`."""
    statement = select(func.count()).where(
        AuditEntry.subject_type == "device",
        AuditEntry.subject_id == device_id,
        AuditEntry.action == "sign_in_failed",
        AuditEntry.at > since,
    )
    return session.scalar(statement) or 0
