"""The trace of what officers do to an alert: a decision with its note, and the audit entry beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from consular.domain.alerts import AlertAction
from consular.extensions import cipher
from consular.models.alerts import Alert, AlertDecision
from consular.services import audit
from consular.services.audit import AnySession


def decide(
    session: AnySession,
    alert: Alert,
    action: AlertAction,
    officer_id: UUID,
    now: datetime,
    *,
    note: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Append the decision and its audit entry to the running transaction; the alert must be flushed. The note is
    sealed; detail: JSON, never personal data."""
    decision_id = uuid4()
    session.add(
        AlertDecision(
            id=decision_id,
            alert_id=alert.id,
            action=action,
            officer_id=officer_id,
            content_hash=alert.submitted_hash,
            note_sealed=cipher.seal(note, "alert_decisions.note", decision_id) if note else None,
            decided_at=now,
        )
    )
    state = {"state": alert.state.value, "revision": alert.revision}
    audit.record(
        session, now, f"alert_{action.value}", "alert", alert.id, officer_id=officer_id, detail=state | (detail or {})
    )
