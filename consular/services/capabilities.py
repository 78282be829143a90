"""Administrators' changes to the table of what each gateway can do in each country."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from consular.errors import ConflictError, NotFoundError
from consular.models.capabilities import GatewayCapability
from consular.queries import capabilities
from consular.services import audit
from consular.services.transactions import unit_of_work

CHANGED_MEANWHILE = "Somebody else changed this row meanwhile. It is shown as it is now: look at it and decide again."
IS_THERE = "There is a row for this gateway and country already: change that one."
IS_DELIVERED = "This row came with the release: it cannot be removed. Change it where it is wrong."


def save(
    gateway: str, country: str, facts: Mapping[str, Any], seen_revision: int, officer_id: UUID, now: datetime
) -> None:
    """Write all facts of a row; seen_revision 0: a new one. Raises ConflictError when it changed since it was seen."""
    with unit_of_work() as session:
        before = capabilities.find(session, gateway, country)
        changed = _changes(before, facts)
        if not capabilities.save(
            session, gateway, country, facts, seen_revision=seen_revision, officer_id=officer_id, now=now
        ):
            raise ConflictError(IS_THERE if seen_revision == 0 else CHANGED_MEANWHILE)
        act = "capability_added" if seen_revision == 0 else "capability_changed"
        _record(session, now, act, gateway, country, officer_id, changed)


def remove(gateway: str, country: str, seen_revision: int, officer_id: UUID, now: datetime) -> None:
    """Remove a row that an administrator made or changed. What a release delivers comes back with the next one.

    Raises NotFoundError, ConflictError when it changed since it was seen.
    """
    with unit_of_work() as session:
        row = session.get(GatewayCapability, (gateway, country), populate_existing=True, with_for_update=True)
        if row is None:
            raise NotFoundError("There is no such row any more.")
        if row.edited_by is None:
            raise ConflictError(IS_DELIVERED)
        if row.revision != seen_revision:
            raise ConflictError(CHANGED_MEANWHILE)
        before = {name: _plain(getattr(row, name)) for name in capabilities.FACTS}
        session.delete(row)
        _record(session, now, "capability_removed", gateway, country, officer_id, before)


def _changes(before: GatewayCapability | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is new, by column."""
    return {
        name: _plain(value)
        for name, value in facts.items()
        if name in capabilities.FACTS and (before is None or getattr(before, name) != value)
    }


def _record(
    session: capabilities.AnySession,
    now: datetime,
    act: str,
    gateway: str,
    country: str,
    officer_id: UUID,
    facts: dict[str, Any],
) -> None:
    subject = f"{gateway}:{country}"
    audit.record(session, now, act, "gateway_capability", subject, officer_id=officer_id, detail=facts)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else str(value)
