"""Keeping in mind when each path was last proven, by real texts as well as by test texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from consular.domain.readiness import LastTest, Proof, failed_since
from consular.domain.routing import EVERYWHERE
from consular.queries import operations, proofs
from consular.queries.capabilities import CapabilityRow
from consular.services.canaries import last_tests
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


@dataclass(frozen=True, slots=True)
class PathSeen:
    """What is known of a path: what it proved, and its last test text."""

    gateway: str
    country: str
    proof: Proof = field(default_factory=Proof)
    test: LastTest | None = None

    @property
    def at(self) -> datetime | None:
        """The newest thing known of it."""
        tested_at = self.test.at if self.test is not None else None
        return max((at for at in (self.proof.proven_at, self.proof.accepted_at, tested_at) if at), default=None)


def seen_paths() -> dict[tuple[str, str], PathSeen]:
    """Every path (gateway, country) that was used or tested. Call it inside a unit of work or a page's own session."""
    known, tests = all_proofs(), last_tests()
    return {path: PathSeen(*path, known.get(path, Proof()), tests.get(path)) for path in known.keys() | tests.keys()}


def seen_by_row(rows: Iterable[CapabilityRow]) -> dict[tuple[str, str], list[PathSeen]]:
    """For each row (gateway, country) the paths it holds for and what is known of each, the newest first.

    rows: the whole table, since "*" holds for the countries that have no row of their own.
    """
    table, known = {(row.gateway, row.country): row for row in rows}, seen_paths()
    found: dict[tuple[str, str], list[PathSeen]] = {key: [] for key in table}
    for key, row in table.items():
        seen = known.get(key, PathSeen(*key))
        if row.last_tested_at is not None and seen.test is None:
            known[key] = replace(seen, test=LastTest(row.last_test_result or "no result", row.last_tested_at))
    for (gateway, country), seen in known.items():
        holder = (gateway, country) if (gateway, country) in table else (gateway, EVERYWHERE)
        if holder in found:
            found[holder].append(seen)
    return {key: sorted(paths, key=_newest_first) for key, paths in found.items()}


def _newest_first(seen: PathSeen) -> tuple[float, str]:
    return (-seen.at.timestamp() if seen.at is not None else 0.0, seen.country)


def unproven(paths: Iterable[tuple[str, str]], now: datetime) -> list[Unproven]:
    """For each tested path (gateway, country) the time since its last proof."""
    known = seen_paths()
    return [_unproven(known.get(path, PathSeen(*path)), now) for path in sorted(set(paths))]


def _unproven(seen: PathSeen, now: datetime) -> Unproven:
    proven_at, failed_at = seen.proof.proven_at, failed_since(seen.proof, seen.test)
    if failed_at is not None:
        return Unproven(seen.gateway, seen.country, float("inf"), failed_at)
    if proven_at is None:
        return Unproven(seen.gateway, seen.country, float("inf"), None)
    return Unproven(seen.gateway, seen.country, max(0.0, (now - proven_at).total_seconds()), proven_at)


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
