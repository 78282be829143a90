"""Opening and closing a crisis."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from consular.domain.audience import AudienceRule, rule_to_dict
from consular.domain.cap import AlertStatus
from consular.domain.rendering import clean_text
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.models.crises import Crisis
from consular.services import audit
from consular.services.transactions import unit_of_work

ACTUAL_WORDS = "THIS IS REAL"
"""What an officer types to open an Actual crisis: a drill must never become real by a wrong click."""


def open_crisis(
    title: str, status: AlertStatus, audience: AudienceRule, officer_id: UUID, now: datetime, *, confirmation: str = ""
) -> UUID:
    """A new crisis; its id. Its status is fixed for all that follows.

    audience: the rule its alerts start from. confirmation: ACTUAL_WORDS for an Actual one. Raises InvalidInputError
    (fields title, confirmation).
    """
    title = " ".join(clean_text(title).split())
    problems = {}
    if not 3 <= len(title) <= 200:
        problems["title"] = "Give the crisis a title of 3 to 200 characters: what happened, where, when."
    if status is AlertStatus.ACTUAL and confirmation.strip().upper() != ACTUAL_WORDS:
        problems["confirmation"] = f"Type {ACTUAL_WORDS} to open a real crisis, or choose Exercise."
    if problems:
        raise InvalidInputError(" ".join(problems.values()), problems)
    crisis_id = uuid4()
    with unit_of_work() as session:
        session.add(
            Crisis(
                id=crisis_id,
                title=title,
                status=status,
                audience=rule_to_dict(audience),
                opened_at=now,
                opened_by=officer_id,
            )
        )
        audit.record(
            session,
            now,
            "crisis_opened",
            "crisis",
            crisis_id,
            officer_id=officer_id,
            detail={"status": status.value},
        )
    return crisis_id


def close_crisis(crisis_id: UUID, officer_id: UUID, now: datetime) -> None:
    """No new alerts in this crisis; texts under way and answers go on. Raises NotFoundError, ConflictError."""
    with unit_of_work() as session:
        crisis = session.get(Crisis, crisis_id, with_for_update={"key_share": True})
        if crisis is None:
            raise NotFoundError("There is no such crisis.")
        if crisis.closed_at is not None:
            raise ConflictError("This crisis is already closed.")
        crisis.closed_at = now
        audit.record(session, now, "crisis_closed", "crisis", crisis_id, officer_id=officer_id)
