"""What goes wrong in a run beside the operator, and what people do meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from sqlalchemy.exc import OperationalError

from consular.providers.twilio.codes import failure_reason, map_status
from consular.services import receipts
from tests.simulation.operator import receipt
from tests.simulation.plan import Plan

if TYPE_CHECKING:
    from tests.simulation.world import Worker, World

EVENTS = tuple(UUID(int=n + 1) for n in range(2))


@dataclass(slots=True)
class Facts:
    """What the officers did and what went wrong, for the invariants."""

    stopped_at: dict[UUID, float] = field(default_factory=dict)
    opted_out_at: dict[bytes, float] = field(default_factory=dict)
    back_jumps: float = 0.0
    has_jumped: bool = False
    settled_at: float | None = None
    last_fault: float = 0.0
    unexplained: list[str] = field(default_factory=list)


class Trouble:
    """A part of World: outages, clocks that jump, pauses, officers, and callbacks on their way."""

    gateway: str
    t: float
    jump: timedelta
    down_until: float
    lost_commits: float
    rng: random.Random
    plan: Plan
    store: Any
    seen: Counter[str]
    facts: Facts
    now_running: Worker | None
    at: Callable[[float, Callable[[], object]], None]
    fault_until: Callable[[float], None]
    database_now: Callable[[], datetime]
    _tell: Callable[[str, str], None]

    @property
    def has_faults(self) -> bool:
        """Whether things still go wrong."""
        return self.t < self.plan.faults_end

    def _plan_faults(self) -> None:
        plan, rng = self.plan, self.rng
        end = plan.faults_end
        if rng.random() < 0.25:
            self.at(end * rng.random(), lambda: self._stop(EVENTS[rng.random() < 0.3]))
        if rng.random() < 0.2:
            phone = bytes([rng.randint(1, plan.messages)])
            self.at(end * rng.random(), lambda: self._opt_out(phone))
        if plan.share_fault and rng.random() < 0.3:
            length = rng.choice((1.0, 8.0, 40.0)) * rng.random()
            self.at(end * rng.random(), lambda: self._take_down(length))
        if plan.share_fault and rng.random() < 0.2:
            self.lost_commits = 0.02
        if plan.share_fault and rng.random() < 0.15:
            seconds = rng.choice((-3600.0, -90.0, 45.0, 3600.0)) * rng.random()
            self.at(end * rng.random(), lambda: self._jump(seconds))

    def _take_down(self, length: float) -> None:
        self.seen["database_outage"] += 1
        self.down_until = max(self.down_until, self.t + length)
        self.fault_until(self.down_until)
        self._tell("database", f"is away for {length:.1f} s")

    def _jump(self, seconds: float) -> None:
        self.seen["clock_jump"] += 1
        self.jump += timedelta(seconds=seconds)
        self.facts.has_jumped = True
        self.facts.back_jumps += max(0.0, -seconds)
        self.fault_until(self.t)
        self._tell("database", f"clock jumps by {seconds:.0f} s")

    def _stop(self, event_id: UUID) -> None:
        if self.t < self.down_until:
            return
        self.seen["stop"] += 1
        self.facts.stopped_at[event_id] = self.t
        self.store.stop(event_id)
        self._tell("officer", f"stops {event_id.int}")

    def _opt_out(self, endpoint: bytes) -> None:
        if self.t < self.down_until:
            return
        self.seen["opt_out"] += 1
        self.facts.opted_out_at[endpoint] = self.t
        self.store.opt_out(endpoint, self.gateway)
        self._tell("person", f"{endpoint[0]} opts out")

    def _database(self, place: str) -> None:
        """Raises while the database is away; now and then after a commit, so that nobody knows of it."""
        if place == "begin":
            if self.t < self.down_until:
                raise OperationalError("away", {}, Exception("away"))
        elif self.lost_commits and self.now_running and self.has_faults and self.rng.random() < self.lost_commits:
            self.seen["lost_commit"] += 1
            self.fault_until(self.t)
            self._tell("database", "commits, but nobody hears of it")
            raise OperationalError("lost", {}, Exception("lost"))

    def pause_at_write(self, worker: Worker, place: str, longest: float) -> float:
        """How long a process stands still just before its lease check, or between that and the write."""
        if not self.has_faults or self.rng.random() >= self.plan.share_fault:
            return 0.0
        self.seen["pause " + place] += 1
        pause = longest * self.rng.random()
        worker.frozen_until = self.t + pause
        self.fault_until(worker.frozen_until)
        self._tell(worker.name, f"stands still {place} for {pause:.1f} s")
        return pause

    def call_back(self, sid: str, attempt_id: UUID | None, status: str, tries: int = 1) -> None:
        """The operator reports: stored by a web process whose clock may be wrong. It tries once more, then never."""
        if self.t < self.down_until:
            if tries:
                self.at(self.t + 5.0, lambda: self.call_back(sid, attempt_id, status, tries - 1))
            return
        offset = self.rng.choice((0.0, 0.0, 0.0, -3600.0, 3600.0))
        self.seen["callbacks"] += 1
        self.seen["web_clock_wrong"] += bool(offset)
        at = self.database_now() + timedelta(seconds=offset)
        self.store.store_receipt(receipt(cast("World", self), sid, attempt_id, status, at))
        self._tell("callback", f"{sid} {status}")
        self.at(self.t + 2.0 * self.rng.random(), self._hear)

    def _hear(self) -> None:
        try:
            while receipts.process(map_status, failure_reason, self.store):
                pass
        except OperationalError:
            self.at(self.t + 1.0, self._hear)
            return
        if self.store.waiting:
            self.at(self.t + max(1.0, min(map(self.store.looked_at_in, self.store.waiting))), self._hear)
