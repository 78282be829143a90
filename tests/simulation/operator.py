"""The operator's side of the simulation: takes, refuses, hangs, lists late, reports early, twice and in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from consular.domain.delivery import message_number
from consular.domain.ports import (
    FailureReason,
    GatewayError,
    NoListError,
    RefusalScope,
    RemoteMessage,
    SendOutcome,
    SmsRequest,
    SmsResult,
)
from tests.simulation.rows import Receipt

if TYPE_CHECKING:
    from tests.simulation.world import Worker, World

TOTAL_TIMEOUT = 15.0
LEASE_NEEDED = TOTAL_TIMEOUT + 1.0
PAUSE_BEFORE_WRITE = 14.0
"""The longest simulated pause between the lease check and the write: what the check leaves of a lease. A longer one is
the declared window (docs/adr/0003)."""
LONGEST_PAUSE = 150.0

KINDS = (
    "refused",
    "opted_out",
    "country_refused",
    "account_refused",
    "throttled",
    "unreachable",
    "5xx_before_accept",
    "5xx_after_accept",
    "reset_before_accept",
    "reset_after_accept",
    "hang_before_accept",
    "hang_after_accept",
    "accepts_after_hang",
    "slow",
)
TAKEN_KINDS = ("5xx_after_accept", "reset_after_accept", "hang_after_accept", "slow")

LISTS = ("lag 0", "lag 5", "lag 60", "never", "none")
LAGS = {"lag 0": 0.0, "lag 5": 5.0, "lag 60": 60.0}

STORIES: tuple[tuple[str, ...], ...] = (
    ("sent", "delivered"),
    ("delivered",),
    ("sent",),
    (),
    ("sent", "undelivered"),
    ("failed", "delivered"),
    ("delivered", "undelivered"),
    ("failed",),
)


class Taken(NamedTuple):
    """A text that the operator took."""

    number: int
    attempt_id: UUID
    to: str
    body: str
    sid: str
    at: float


class Write(NamedTuple):
    """A request that reached the socket; paused: so long between the check of its lease and the write."""

    at: float
    number: int
    paused: float


class Operator:
    """The far side of one gateway. list_mode: one of LISTS; skew: its clock against ours, in seconds."""

    def __init__(self, world: World, list_mode: str, skew: float, share_bad: float) -> None:
        self.world = world
        self.list_mode = list_mode
        self.skew = timedelta(seconds=skew)
        self.share_bad = share_bad
        self.taken: list[Taken] = []
        self.writes: list[Write] = []
        self.seen: Counter[str] = Counter()

    def receive(self, request: SmsRequest, client: Client, paused: float) -> None:
        """A request arrives: what becomes of it is drawn by lot while faults last."""
        world, rng = self.world, self.world.rng
        kind = rng.choice(KINDS) if world.has_faults and rng.random() < self.share_bad else "accepted"
        if kind != "accepted":
            self.seen[kind] += 1
        if kind != "unreachable":
            self.writes.append(Write(world.t, message_number(request.attempt_id), paused))
        delay = 0.02 + 0.3 * rng.random()
        if kind == "slow":
            delay = 3.0 + 11.0 * rng.random()
        elif kind in ("hang_before_accept", "hang_after_accept", "accepts_after_hang"):
            delay = TOTAL_TIMEOUT
        if kind == "accepts_after_hang":
            world.at(world.t + 5.0 + 35.0 * rng.random(), lambda: self.take(request))
        sid = self.take(request) if kind == "accepted" or kind in TAKEN_KINDS else None
        client.flying.append((world.t + delay, _answer(kind, request, sid, rng.random())))
        if kind != "accepted":
            world.fault_until(world.t + delay)

    def take(self, request: SmsRequest) -> str:
        """Accept a text and plan its receipts."""
        sid = f"SM{len(self.taken)}"
        number = message_number(request.attempt_id)
        self.taken.append(Taken(number, request.attempt_id, request.to, request.body, sid, self.world.t))
        self._plan_receipts(request.attempt_id, sid)
        return sid

    def _plan_receipts(self, attempt_id: UUID, sid: str) -> None:
        world, rng = self.world, self.world.rng
        story = rng.choice(STORIES)
        moment = world.t + rng.choice((0.001, 0.2, 2.0, 20.0)) * (1.0 + rng.random())
        if moment < world.t + 0.02:
            self.seen["early_callbacks"] += 1
        if len(story) == 2 and story[0] != "sent":
            self.seen["contradicting_callbacks"] += 1
        for status in story:
            if rng.random() < 0.05:
                self.seen["lost_callbacks"] += 1
                continue
            if rng.random() < 0.1:
                self.seen["late_callbacks"] += 1
                moment += 3600.0 * rng.random()
            named = attempt_id if self.list_mode != "none" or rng.random() < 0.5 else None
            world.at(moment, lambda status=status, named=named: world.call_back(sid, named, status))  # type: ignore[misc]
            if rng.random() < 0.2:
                self.seen["repeated_callbacks"] += 1
                again = moment + 5.0 * rng.random()
                world.at(again, lambda status=status, named=named: world.call_back(sid, named, status))  # type: ignore[misc]
            moment += (rng.random() - 0.3) * 4.0
        if world.has_faults and rng.random() < 0.05:
            self.seen["foreign_callbacks"] += 1
            world.at(world.t + 1.0, lambda: world.call_back("SMforeign", UUID(int=1 << 120), "delivered"))

    def find(self, to: str, since: datetime) -> list[RemoteMessage]:
        """The list as it is shown now."""
        if self.list_mode == "none":
            raise NoListError
        if self.list_mode == "never":
            raise GatewayError
        world = self.world
        if world.has_faults and world.rng.random() < 0.1:
            self.seen["list_error"] += 1
            raise GatewayError
        latest = world.t - LAGS[self.list_mode]
        shown = [one for one in self.taken if one.to == to and one.at <= latest]
        listed = [_remote(one, world.true_moment(one.at) + self.skew) for one in shown]
        return [message for message in listed if message.created_at >= since]


class Client:
    """One worker's adapter: domain.ports.SmsGateway with the lease check of the real ones."""

    concurrency = 100

    def __init__(self, name: str, operator: Operator, worker: Worker) -> None:
        self.name = name
        self.operator = operator
        self.worker = worker
        self.flying: list[tuple[float, SmsResult]] = []
        self.unwritten = 0

    @property
    def in_flight(self) -> int:
        return len(self.flying) + self.unwritten

    def has_lease(self, request: SmsRequest) -> bool:
        """The check immediately before the write."""
        return request.lease_ends_at - self.operator.world.t >= LEASE_NEEDED

    def submit(self, request: SmsRequest) -> None:
        world = self.operator.world
        pause = world.pause_at_write(self.worker, "before lease check", LONGEST_PAUSE)
        if not pause:
            self._start(request, 0.0)
            return
        self.unwritten += 1
        world.at(world.t + pause, lambda: self._go_on(request, pause, self._start))

    def _start(self, request: SmsRequest, paused: float) -> None:
        world = self.operator.world
        if not self.has_lease(request):
            world.seen["lease_refused"] += 1
            self.flying.append((world.t, SmsResult(request.attempt_id, SendOutcome.NOT_SENT, error_code="lease")))
            return
        pause = world.pause_at_write(self.worker, "before write", PAUSE_BEFORE_WRITE)
        if not pause:
            self.operator.receive(request, self, paused)
            return
        self.unwritten += 1
        world.at(world.t + pause, lambda: self._go_on(request, paused + pause, self._write))

    def _write(self, request: SmsRequest, paused: float) -> None:
        self.operator.receive(request, self, paused)

    def _go_on(self, request: SmsRequest, paused: float, what: Callable[[SmsRequest, float], None]) -> None:
        """What the process does next when it goes on, unless it was killed meanwhile."""
        if self.worker.client is self:
            self.unwritten -= 1
            what(request, paused)

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]:
        now = self.operator.world.t
        ready = [result for at, result in self.flying if at <= now]
        if ready:
            self.flying = [one for one in self.flying if one[0] > now]
        return ready

    def next_at(self) -> float:
        """When the next answer comes."""
        return min((at for at, _ in self.flying), default=0.0)

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]:
        return self.operator.find(to, since)

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]:
        return []

    def close(self) -> None:
        self.flying.clear()


def _remote(one: Taken, at: datetime) -> RemoteMessage:
    return RemoteMessage(one.sid, one.to, "+15005550006", one.body, "queued", None, at, is_inbound=False)


_ACCEPTED = ("accepted", "slow")
_REFUSALS = {
    "refused": (400, "21211", RefusalScope.NUMBER),
    "opted_out": (400, "21610", RefusalScope.NUMBER),
    "country_refused": (400, "21408", RefusalScope.COUNTRY),
    "account_refused": (401, "20003", RefusalScope.ACCOUNT),
}


def _answer(kind: str, request: SmsRequest, sid: str | None, chance: float) -> SmsResult:
    """What the client hears of it."""
    attempt_id = request.attempt_id
    if kind in _ACCEPTED:
        return SmsResult(attempt_id, SendOutcome.ACCEPTED, 201, sid, "queued")
    if kind in _REFUSALS:
        status, code, scope = _REFUSALS[kind]
        reason = FailureReason.OPTED_OUT if kind == "opted_out" else None
        return SmsResult(attempt_id, SendOutcome.REFUSED, status, error_code=code, failure_reason=reason, scope=scope)
    if kind == "throttled":
        wait = 20.0 * chance
        return SmsResult(attempt_id, SendOutcome.NOT_SENT, 429, error_code="20429", retry_after_seconds=wait)
    if kind == "unreachable":
        return SmsResult(attempt_id, SendOutcome.NOT_SENT, error_code="transport-7")
    code = "http-500" if kind.startswith("5xx") else "transport-28"
    return SmsResult(attempt_id, SendOutcome.UNKNOWN, error_code=code)


def receipt(world: World, sid: str, attempt_id: UUID | None, status: str, at: datetime) -> Receipt:
    """What a webhook stores."""
    return Receipt(UUID(int=world.rng.getrandbits(128)), world.gateway, sid, attempt_id, status, "", at)
