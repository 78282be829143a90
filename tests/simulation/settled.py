"""Whether a run has come to rest, and which rows have no reason to wait (I8)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from consular.domain.alerts import MessageClass
from consular.domain.delivery import TERMINAL
from tests.simulation.rows import Message

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE = 30.0
SETTLED = frozenset({state.value for state in TERMINAL} | {"accepted", "sent", "held"})


def is_settled(world: World) -> bool:
    """Whether nothing is left to be done."""
    return all(m.state in SETTLED for m in world.store.messages.values())


def unexplained(world: World) -> list[str]:
    """Rows that are not settled and have no reason to wait."""
    return [f"{m.id}:{m.state}" for m in world.store.messages.values() if m.state not in SETTLED and not _why(world, m)]


def _why(world: World, m: Message) -> str | None:
    """Why a row may wait."""
    now = world.database_now()
    kind = world.events[m.event_id].message_class if m.event_id is not None else None
    if m.state == "unknown":
        is_patient = kind is MessageClass.NORMAL or world.plan.list_mode in ("none", "never")
        return "may still arrive" if is_patient and m.not_before > now - timedelta(seconds=30) else None
    sender = world.store.senders.get(world.gateway)
    if m.state == "queued" and sender and sender.paused_until and sender.paused_until > now - timedelta(seconds=5):
        return "sender paused"
    country = world.store.country_pauses.get((m.gateway, m.country or ""))
    if m.state == "queued" and country and country.paused_until > now - timedelta(seconds=5):
        return "country paused"
    if m.lease_until is not None and m.lease_until > now + timedelta(seconds=LEASE - 5.0):
        return "at work on it"
    return "to be tried again" if m.state == "queued" and m.not_before > now - timedelta(seconds=30) else None
