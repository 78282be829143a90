"""One simulated run: workers that are interleaved, frozen and killed, an operator, officers, and a clock that jumps.

Everything is drawn from one random.Random(seed); nothing depends on the machine, so a seed replays a whole run.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy.exc import OperationalError

from consular.domain.alerts import MessageClass
from consular.domain.delivery import ACKNOWLEDGEMENT_PRIORITY, ALERT_PRIORITIES
from consular.domain.references import reference_of
from consular.domain.routing import EVERY_WAY, Way
from consular.services import sweeping
from consular.services.delivery import Drain, Pace
from consular.services.lag import Lag
from consular.services.ports import Point, Ports, Steps
from consular.services.sweeping import Reconciliation
from tests.simulation.memory import MemoryStore
from tests.simulation.operator import Client, Operator
from tests.simulation.plan import Plan
from tests.simulation.rows import Message
from tests.simulation.settled import LEASE, is_settled, unexplained
from tests.simulation.trouble import EVENTS, Facts, Trouble

EPOCH = datetime(2011, 2, 20, 12, 0, tzinfo=UTC)
RECOVERY = 150.0
"""I8: so long after the last fault everything is settled, or there is a reason why not."""
LONGEST = 12 * 3600.0
MOST_STEPS = 20_000
PHONES = tuple(f"+2189100000{n:02d}" for n in range(10))
REFERENCES = {n: f"Stay indoors. Ref {reference_of(n)}" for n in range(1, 10)}


@dataclass(slots=True, eq=False)
class Worker:
    """One process: it drains, reconciles, and sleeps until it is woken."""

    name: str
    client: Any
    steps: Steps | None = None
    phase: str = "asleep"
    frozen_until: float = 0.0
    is_stopping: bool = False
    is_doomed: bool = False
    token: int = 0
    born: int = 0
    lag: Lag = field(default_factory=Lag)


@dataclass(slots=True)
class Kinds:
    """The pieces of the product and of the simulation that a planted bug replaces."""

    store: type[MemoryStore] = MemoryStore
    client: type[Client] = Client
    drain: type[Drain] = Drain
    reconciliation: type[Reconciliation] = Reconciliation


class World(Trouble):
    """A run; run() it once. trace: called with a line for everything that happens."""

    gateway = "twilio"

    def __init__(
        self,
        seed: int,
        kinds: Kinds | None = None,
        trace: Callable[[str], None] | None = None,
        plan: Plan | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.kinds = kinds or Kinds()
        self.trace = trace
        self.plan = plan or Plan.draw(self.rng)
        self.t = 0.0
        self.jump = timedelta(0)
        self.heap: list[tuple[float, int, Callable[[], object]]] = []
        self.serial = 0
        self.seen: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.facts = Facts()
        self.down_until = -1.0
        self.lost_commits = 0.0
        self.reports: list[tuple[int, str]] = []
        self.operator = Operator(self, self.plan.list_mode, self.plan.skew, self.plan.share_bad)
        self.store = self.kinds.store(self.database_now, self.rng)
        self.store.fail = self._database
        self.ports = Ports(self.store, self, self.address_of, self, self.rng)
        self.pace = Pace(self.plan.rate, LEASE)
        self.workers: list[Worker] = []
        self.tick_at = LONGEST * 3
        self._populate()

    # time

    def monotonic(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        """Waiting is done between two steps."""

    def true_moment(self, t: float) -> datetime:
        return EPOCH + timedelta(seconds=t)

    def database_now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.t) + self.jump

    def at(self, moment: float, act: Callable[[], object]) -> None:
        self.serial += 1
        heappush(self.heap, (max(moment, self.t), self.serial, act))

    def fault_until(self, moment: float) -> None:
        self.facts.last_fault = max(self.facts.last_fault, moment)

    # the book

    def event(self, event_id: UUID) -> Any:
        return self.events[event_id]

    def rule(self, event_id: UUID) -> tuple[MessageClass, timedelta]:
        event = self.events[event_id]
        return event.message_class, timedelta(seconds=event.validity_seconds)

    def way(self, gateway: str, country: str | None) -> Way:
        return EVERY_WAY

    def alert(self, event_id: UUID, language: str, number: int, way: Way = EVERY_WAY) -> str:
        self._read(number)
        return REFERENCES[number]

    def acknowledgement(self, template: str, language: str, number: int, *, is_exercise: bool) -> str | None:
        self._read(number)
        return REFERENCES[number]

    def address_of(self, row: Any) -> str:
        return self.phones[row.id]

    def _read(self, number: int) -> None:
        if number == self.plan.poisoned and self.now_running is not None:
            self.now_running.is_doomed = True

    # the beginning

    def _populate(self) -> None:
        plan, rng = self.plan, self.rng
        self.now_running: Worker | None = None
        self.phones: dict[int, str] = {}
        validity = timedelta(seconds=plan.validity)
        self.events = {
            event_id: SimpleNamespace(message_class=kind, validity_seconds=plan.validity, is_exercise=False)
            for event_id, kind in zip(EVENTS, plan.classes, strict=True)
        }
        for event in EVENTS:
            self.store.add_event(event, EPOCH + validity)
        for number in range(1, plan.messages + 1):
            is_reply = plan.has_reply and number == plan.messages
            event_id: UUID | None = None if is_reply else EVENTS[rng.random() < 0.3]
            kind = None if event_id is None else self.events[event_id].message_class
            phone = number if rng.random() < 0.8 else 1 + rng.randrange(number)
            taken = {(m.event_id, m.endpoint_index) for m in self.store.messages.values()}
            if (event_id, bytes([phone])) in taken:
                phone = number
            self.phones[number] = PHONES[phone]
            message = Message(
                number,
                event_id,
                bytes([phone]),
                "LY" if phone % 2 else "FR",
                gateway=self.gateway,
                priority=ACKNOWLEDGEMENT_PRIORITY if kind is None else ALERT_PRIORITIES[kind],
                not_before=EPOCH,
                expires_at=EPOCH + (validity if kind is not None else timedelta(hours=1)),
            )
            self.store.add_message(message)
        for place in range(plan.workers):
            self._start(Worker(f"worker-{place}", None), 0.01 * rng.random())
        self._plan_faults()

    # workers

    def _start(self, worker: Worker, delay: float) -> None:
        worker.client = self.kinds.client(self.gateway, self.operator, worker)
        worker.phase, worker.steps = "asleep", None
        worker.is_stopping = worker.is_doomed = False
        worker.frozen_until = 0.0
        worker.lag = Lag()
        worker.born += 1
        worker.name = f"{worker.name.split('.')[0]}.{worker.born}"
        if worker not in self.workers:
            self.workers.append(worker)
        self._wake(worker, delay)

    def _wake(self, worker: Worker, delay: float) -> None:
        worker.phase = "drain"
        pace = replace(self.pace, lag=worker.lag)
        drain = self.kinds.drain(worker.client, self.ports, pace, worker.name, lambda: worker.is_stopping)
        worker.steps = drain.steps(25.0)
        self._go_on(worker, delay)

    def _go_on(self, worker: Worker, delay: float) -> None:
        worker.token += 1
        token = worker.token
        self.at(self.t + delay, lambda: self._step(worker, token))

    def _step(self, worker: Worker, token: int) -> None:
        """Let a worker do its work up to its next point, where it may be killed or frozen."""
        if token != worker.token or worker.steps is None:
            return
        if worker.frozen_until > self.t:
            self._go_on(worker, worker.frozen_until - self.t)
            return
        self.now_running = worker
        try:
            point = next(worker.steps, None)
        except OperationalError:
            self._tell(worker.name, "gives up: the database is away")
            self._sleep(worker)
            self.at(self.t + 1.0, lambda: self._rouse(worker))
            return
        finally:
            self.now_running = None
        if point is None:
            self._next_phase(worker)
            return
        if self.trace is not None and not point.wait:
            self._tell(worker.name, point.name)
        if worker.is_doomed:
            self.seen["poison"] += 1
            self._kill(worker, point.name)
            return
        chance = self.rng.random()
        if chance < self.plan.share_fault and self.has_faults and self._break(worker, point.name):
            return
        self._go_on(worker, self._idle(worker, point) if point.wait else 0.004 * chance)

    def _idle(self, worker: Worker, point: Point) -> float:
        """Nothing happens to a worker that waits until an answer comes or its next work is due; at most it is told to
        stop."""
        moments = [at for at in (worker.client.next_at(), point.due) if at]
        return max(point.wait, min(moments, default=0.0) - self.t)

    def _break(self, worker: Worker, name: str) -> bool:
        """A fault at a point; True when the worker does not go on from there."""
        chance = self.rng.random()
        if chance < 0.4:
            self._kill(worker, name)
            return True
        if chance < 0.8:
            length = self.rng.choice((1.0, 20.0, 300.0)) * self.rng.random()
            worker.frozen_until = self.t + length
            self.seen["freeze"] += 1
            self.points["freeze at " + name] += 1
            self.fault_until(worker.frozen_until)
            self._tell(worker.name, f"frozen at {name} for {length:.1f} s")
        else:
            worker.is_stopping = True
            self.seen["stop signal"] += 1
        return False

    def _kill(self, worker: Worker, name: str) -> None:
        self.seen["kill"] += 1
        self.points["kill at " + name] += 1
        self.fault_until(self.t)
        self._tell(worker.name, f"killed at {name}")
        self._start(worker, 0.5 + 2.0 * self.rng.random())

    def _next_phase(self, worker: Worker) -> None:
        if worker.is_stopping:
            self._start(worker, 1.0)
        elif worker.phase == "drain":
            worker.phase = "reconcile"
            worker.steps = self.kinds.reconciliation(worker.client, self.ports).steps(10.0)
            self._go_on(worker, 0.001)
        else:
            self._sleep(worker)
            self._tick_soon()

    def _sleep(self, worker: Worker) -> None:
        worker.phase, worker.steps = "asleep", None

    def _rouse(self, worker: Worker) -> None:
        if worker.phase == "asleep":
            self._wake(worker, 0.0)

    # the clock process

    def _tick_soon(self, delay: float = 1.0) -> None:
        """It ticks every second; ticks at which nothing can happen are left out."""
        moment = self.t + delay
        if moment < self.tick_at:
            self.tick_at = moment
            self.at(moment, lambda: self._tick(moment))

    def _tick(self, moment: float) -> None:
        """Sweep and wake, as workers.clock does."""
        if moment != self.tick_at:
            return
        self.tick_at = LONGEST * 3
        try:
            sweeping.sweep(self.store)
        except OperationalError:
            self._tick_soon(1.0)
            return
        now = self.database_now()
        due = self._next_due()
        if due is not None and due <= now:
            for worker in self.workers:
                if worker.phase == "asleep":
                    self._wake(worker, 0.5 * self.rng.random())
        if due is not None:
            self._tick_soon(min(max(1.0, (due - now).total_seconds()), 30.0 if self.has_faults else LONGEST))
        elif self.has_faults:
            self._tick_soon(5.0)

    def _next_due(self) -> datetime | None:
        """The moment at which the next row needs somebody, by the database's clock."""
        sender = self.store.senders.get(self.gateway)
        paused = (sender.paused_until if sender else None) or EPOCH
        moments = []
        for m in self.store.messages.values():
            if m.state == "queued":
                country = self.store.country_pauses.get((m.gateway, m.country or ""))
                moment = max(m.not_before, paused, country.paused_until if country else EPOCH)
                moments.append(min(moment, m.expires_at + timedelta(seconds=1)))
            elif m.state == "unknown":
                moments.append(m.not_before)
            elif m.lease_until is not None:
                moments.append(m.lease_until + timedelta(seconds=0.5))
        return min(moments, default=None)

    # the whole

    def run(self) -> World:
        """Until nothing happens any more. The limit of I8 is judged on the way."""
        self._tick_soon(1.0)
        heap, steps, deadline = self.heap, 0, None
        while heap and steps < MOST_STEPS:
            moment, _, act = heappop(heap)
            if moment > LONGEST * 2:
                break
            if not self.has_faults and deadline is None:
                if is_settled(self):
                    deadline, self.facts.settled_at = moment, self.t
                elif moment > max(self.facts.last_fault, self.plan.faults_end) + RECOVERY + self.facts.back_jumps:
                    deadline = moment
                    self.facts.unexplained = unexplained(self)
            self.t = moment
            act()
            steps += 1
        self.seen["steps"] += steps
        if steps == MOST_STEPS:
            self.facts.unexplained.append("the run does not end")
        return self

    def _tell(self, who: str, what: str) -> None:
        if self.trace is not None:
            states = " ".join(f"{m.id}:{m.state}" for m in self.store.messages.values())
            self.trace(f"{self.t:9.3f} {who:12} {what:40} {states}")
