"""Keeping in mind when each path was last proven, by real texts as well as by test texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from consular.domain.canaries import CanaryResult, result_of
from consular.domain.delivery import MessageState
from consular.domain.readiness import Proof
from consular.queries import canaries, operations, proofs
from consular.services.transactions import unit_of_work

TASK = "proofs"
EVERY = timedelta(seconds=30)
OVERLAP = timedelta(seconds=30)
"""A row is dated when its transaction begins and seen when it ends: what is looked at begins so long before."""

_SLACK = timedelta(seconds=2)
_BEGINNING = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Unproven:
    """How long a tested path is without a proof; infinite when it never had one or its newest test failed. since: the
    last proof or the failed test, where there was one."""

    gateway: str
    country: str
    seconds: float
    since: datetime | None


def unproven(paths: Iterable[tuple[str, str]], now: datetime) -> list[Unproven]:
    """For each tested path (gateway, country) the time since its last proof."""
    known, failed = all_proofs(), _failed()
    return [_unproven(path, known.get(path, Proof()).proven_at, failed.get(path), now) for path in sorted(set(paths))]


def _unproven(path: tuple[str, str], proven_at: datetime | None, failed_at: datetime | None, now: datetime) -> Unproven:
    if failed_at is not None and (proven_at is None or proven_at < failed_at):
        return Unproven(*path, float("inf"), failed_at)
    if proven_at is None:
        return Unproven(*path, float("inf"), None)
    return Unproven(*path, max(0.0, (now - proven_at).total_seconds()), proven_at)


def _failed() -> dict[tuple[str, str], datetime]:
    """Paths of which the newest test text failed, and when that was known."""
    newest: dict[tuple[str, str], Row[Any]] = {}
    for row in sorted(canaries.latest(), key=lambda row: row.created_at):
        newest[row.gateway, row.country] = row
    return {
        path: row.updated_at
        for path, row in newest.items()
        if result_of(MessageState(row.state), row.answered_at) is CanaryResult.FAILED
    }


def update(now: datetime) -> bool:
    """Note what is new since the last look, when it is due; False when it is not, or another process does it."""
    with unit_of_work() as session:
        run = operations.begin(session, TASK, now, now - EVERY + _SLACK)
    if run is None:
        return False
    with unit_of_work() as session:
        proofs.note_new(session, (run.done_at or now - _BEGINNING) - OVERLAP)
        operations.succeed(session, TASK, now)
    return True


def all_proofs() -> Mapping[tuple[str, str], Proof]:
    """By (gateway, country). Call it inside a unit of work or a page's own session."""
    return {
        (row.gateway, row.country): Proof(row.accepted_at, row.delivered_at, row.heard_at, row.receipts_believable)
        for row in proofs.all_proofs()
    }
