"""The record of who did or read what. Entries are written in the transaction of the act itself and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session, scoped_session

from consular.models.audit import AuditEntry

AnySession = Session | scoped_session[Any]


def record(
    session: AnySession,
    now: datetime,
    action: str,
    subject_type: str,
    subject_id: object,
    *,
    officer_id: UUID | None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add one entry to the running transaction. officer_id None: the system. detail: JSON, never personal data."""
    session.add(
        AuditEntry(
            at=now,
            officer_id=officer_id,
            action=action,
            subject_type=subject_type,
            subject_id=str(subject_id),
            detail=detail,
        )
    )
