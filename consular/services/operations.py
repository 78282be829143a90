"""How the service itself is doing: figures, and the alarms that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from consular.domain.alarms import Raised, Reading, evaluate
from consular.domain.delivery import ACCOUNT_REFUSED, NO_ANSWER, NOT_CONNECTED, UNREACHABLE
from consular.domain.gateways import GATEWAYS_WITH_A_LIST, SMPP
from consular.extensions import db
from consular.queries import operations
from consular.queueing import QUEUES
from consular.services.canaries import Plan
from consular.services.proofs import Unproven, unproven
from consular.services.restoring import closed_since
from consular.services.routing import stranded
from consular.services.texts import is_readable
from consular.services.transactions import unit_of_work
from consular.workforce import alive_workers

if TYPE_CHECKING:
    from config import Config

log = structlog.get_logger(__name__)

Beats = Mapping[str, Row[Any]]

CLOCK = "clock"
_ALWAYS_STAFFED = ("inbound", "receipts", "social")
_LEASE_GRACE = timedelta(seconds=15)
_LATELY = timedelta(hours=1)
_FORGOTTEN_AFTER = timedelta(seconds=60)
_BIND_GRACE = timedelta(seconds=30)
_TRIAL = timedelta(seconds=20)
"""After a pause a silent gateway is tried with one text: so long that takes, and the alarm stands meanwhile."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What this installation has: the names of its gateways, and where Redis is, if it has one. tested: the paths
    (gateway, country) that daily test texts are to prove."""

    gateways: frozenset[str]
    redis_url: str | None = field(repr=False)
    tested: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, config: Config) -> Installation:
        """What the settings name."""
        return cls(frozenset(config.gateways), config.redis_url, frozenset(Plan.of(config).paths))

    @property
    def queues(self) -> list[str]:
        """Queues that need a worker."""
        return [*sorted(self.gateways & set(QUEUES)), *_ALWAYS_STAFFED]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows wait for work, and since when the oldest does."""

    number: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class BindSeen:
    """A gateway that is one lasting connection. since: when the present one began; seen_at: when it last stood, None if
    it never did; failure: why it does not stand now."""

    since: datetime | None = None
    seen_at: datetime | None = None
    failure: str | None = None

    def stands(self, now: datetime) -> bool:
        """Whether the connection stands, as far as its process told."""
        return self.failure is None and self.seen_at is not None and now - self.seen_at < _BIND_GRACE


@dataclass(slots=True)
class Line:
    """One gateway. due_since: of the oldest text that may leave now. free_at: end of the time that was handed out last,
    in the past when nobody sends. is_silent: it does not answer or cannot be reached, also while it is tried again.
    stalled: texts whose lease is over. gap_filled: texts that webhooks missed, of them gaps_lately in the last hour.
    list_read_at: when its list of inbound texts was read; list_failure: why not since. bind: of a gateway that is one.
    """

    gateway: str
    due_since: datetime | None = None
    free_at: datetime | None = None
    paused_until: datetime | None = None
    pause_reason: str | None = None
    is_silent: bool = False
    unknown: Waiting = Waiting()
    held: Waiting = Waiting()
    stalled: Waiting = Waiting()
    gap_filled: int = 0
    gaps_lately: Waiting = Waiting()
    list_read_at: datetime | None = None
    list_failing_since: datetime | None = None
    list_failure: str | None = None
    bind: BindSeen | None = None

    @property
    def has_list(self) -> bool:
        """Whether it can be asked which texts came in."""
        return self.gateway in GATEWAYS_WITH_A_LIST


@dataclass(frozen=True, slots=True)
class CountryPause:
    """A country that a gateway refuses."""

    gateway: str
    country: str
    error_code: str
    refusals: int
    paused_until: datetime


class RefusedAtDoor(NamedTuple):
    """Calls that nobody of ours signed: in all, and in the last hour."""

    total: int
    lately: int


@dataclass(frozen=True, slots=True)
class State:
    """The figures of one moment. workers: None when Redis does not answer or there is none (has_redis). stranded:
    countries by gateway whose texts wait and have no other way. refused_calls: by door of our webhooks. closed_at:
    since when nothing is sent, because the database is a restored copy. unreadable: how many texts wait of alerts whose
    text cannot be read."""

    at: datetime
    has_redis: bool
    workers: Mapping[str, int] | None
    clock_at: datetime | None
    lines: Sequence[Line]
    countries: Sequence[CountryPause]
    messages: Mapping[str, int]
    texts: Waiting
    receipts: Waiting
    stranded: Sequence[str] = ()
    unreadable: Mapping[UUID, int] = field(default_factory=dict)
    unproven: Sequence[Unproven] = ()
    refused_calls: Mapping[str, RefusedAtDoor] = field(default_factory=dict)
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """state: None when the database does not answer."""

    state: State | None
    alarms: Sequence[Raised]


def look(installation: Installation, now: datetime) -> Report:
    """The figures and alarms of this moment. Never raises: a database that does not answer is an alarm."""
    try:
        with unit_of_work():
            state = _state(installation, now)
            standing = operations.standing_alarms()
    except SQLAlchemyError:
        return Report(None, evaluate([Reading("database_unreachable", 1)], {}, now))
    return Report(state, evaluate(_readings(state, installation), standing, now))


def watch(installation: Installation, now: datetime) -> Sequence[Raised]:
    """Look, remember since when each alarm stands, and log what is new and what is over; the clock does it."""
    report = look(installation, now)
    if report.state is None:
        return report.alarms
    rows = [
        {"alarm": one.alarm.name, "subject": one.subject, "value": one.value, "since": one.since}
        for one in report.alarms
    ]
    with unit_of_work() as session:
        known = operations.standing_alarms()
        ended = operations.note_alarms(session, rows, now, now - _FORGOTTEN_AFTER)
    for one in report.alarms:
        if (one.alarm.name, one.subject) not in known:
            log.warning("alarm_raised", alarm=one.alarm.name, subject=one.subject, value=one.value)
    for row in ended:
        log.info("alarm_over", alarm=row.alarm, subject=row.subject)
    return report.alarms


def beat(task: str, now: datetime) -> None:
    """Note that a regular task did its work."""
    with unit_of_work() as session:
        operations.succeed(session, task, now)


def _state(installation: Installation, now: datetime) -> State:
    beats = operations.heartbeats()
    has_redis = installation.redis_url is not None
    return State(
        at=now,
        has_redis=has_redis,
        workers=alive_workers(installation.redis_url) if installation.redis_url is not None else None,
        clock_at=beats[CLOCK].done_at if CLOCK in beats else None,
        lines=_lines(installation, beats, now),
        countries=[CountryPause(**row._mapping) for row in operations.country_pauses(now)],
        messages=operations.messages_by_state(),
        texts=Waiting(*operations.waiting("inbound_messages")),
        receipts=Waiting(*operations.waiting("receipt_events")),
        unproven=unproven(installation.tested, now) if installation.tested else (),
        refused_calls={door: RefusedAtDoor(*found) for door, found in operations.refused_calls(now).items()},
        closed_at=closed_since(),
        unreadable={row.alert_id: row.number for row in operations.unsent_events(now) if not is_readable(row.event_id)},
        stranded=[f"{country or 'others'} by {name}" for name, country in stranded(db.session, installation.gateways)],
    )


def _lines(installation: Installation, beats: Beats, now: datetime) -> Sequence[Line]:
    senders = {row.gateway: row for row in operations.senders()}
    lines = {name: Line(name) for name in sorted({*installation.gateways, *senders})}
    for name, since in operations.due_since(list(lines), now).items():
        lines[name].due_since = since
    for name, sender in senders.items():
        _add_sender(lines[name], sender, now)
    _add_open(lines, now)
    _add_gaps(lines, beats, now)
    if SMPP in installation.gateways:
        row = beats.get(SMPP)
        lines[SMPP].bind = BindSeen(row.ran_at, row.done_at, row.failure) if row is not None else BindSeen()
    return list(lines.values())


def _add_sender(line: Line, sender: Row[Any], now: datetime) -> None:
    line.free_at = sender.next_free_at
    if sender.paused_until is None:
        return
    line.is_silent = sender.pause_reason in (NO_ANSWER, UNREACHABLE) and sender.paused_until > now - _TRIAL
    if sender.paused_until > now:
        line.paused_until, line.pause_reason = sender.paused_until, sender.pause_reason


def _add_open(lines: dict[str, Line], now: datetime) -> None:
    for row in operations.open_messages(now - _LEASE_GRACE):
        line = lines.setdefault(row.gateway, Line(row.gateway))
        if row.state == "unknown":
            line.unknown = Waiting(row.number, row.sent_at)
        elif row.state == "held":
            line.held = Waiting(row.number, row.moved_at)
        elif row.stalled:
            since = min(moment for moment in (line.stalled.since, row.stalled_at) if moment is not None)
            line.stalled = Waiting(line.stalled.number + row.stalled, since)


def _add_gaps(lines: dict[str, Line], beats: Beats, now: datetime) -> None:
    for name, row in operations.gap_filled(now - _LATELY).items():
        line = lines.setdefault(name, Line(name))
        line.gap_filled, line.gaps_lately = row.number, Waiting(row.lately, row.since)
    open_statuses = operations.open_statuses()
    for name, line in lines.items():
        is_open = ("Exercise" if name == "exercise" else "Actual") in open_statuses
        beat_row = beats.get(f"gaps:{name}")
        if beat_row is not None:
            line.list_read_at = beat_row.done_at
            if is_open:
                line.list_failing_since, line.list_failure = beat_row.failing_since, beat_row.failure


def _readings(state: State, installation: Installation) -> Iterator[Reading]:
    if state.closed_at is not None:
        yield Reading("restored", 1, state.closed_at)
    yield from _processes(state, installation)
    for line in state.lines:
        yield from _line(line, state.at)
    for pause in state.countries:
        yield Reading("country_refused", pause.refusals, subject=f"{pause.country} by {pause.gateway}")
    for path in state.unproven:
        yield Reading("path_unproven", path.seconds, path.since, f"{path.country} by {path.gateway}")
    for queue in state.stranded:
        yield Reading("texts_stranded", 1, subject=queue)
    for alert_id, texts in state.unreadable.items():
        yield Reading("alert_unreadable", texts, subject=str(alert_id))
    for door, refused in state.refused_calls.items():
        yield Reading("webhooks_forged", refused.lately, subject=door)
    yield _age("texts_unread", state.texts.since, state.at)
    yield _age("receipts_waiting", state.receipts.since, state.at)


def _processes(state: State, installation: Installation) -> Iterator[Reading]:
    if state.has_redis and state.workers is None:
        yield Reading("redis_unreachable", 1)
    if state.clock_at is not None:
        yield _age("clock_silent", state.clock_at, state.at)
    elif any(state.messages.values()):
        yield Reading("clock_silent", float("inf"))
    for queue in installation.queues if state.workers is not None else ():
        yield Reading("no_worker", 0 if state.workers and state.workers.get(queue) else 1, subject=queue)


def _line(line: Line, now: datetime) -> Iterator[Reading]:
    name = line.gateway
    yield from _obstacle(line, now)
    yield Reading("leases_stalled", line.stalled.number, line.stalled.since, name)
    yield Reading("messages_held", line.held.number, line.held.since, name)
    yield _age("fate_unknown", line.unknown.since, now, name)
    yield Reading("texts_gap_filled", line.gaps_lately.number, line.gaps_lately.since, name)
    yield _age("gaps_not_read", line.list_failing_since, now, name)
    if line.bind is not None:
        seen_at = line.bind.seen_at
        yield _age("smpp_not_bound", seen_at, now, name) if seen_at else Reading("smpp_not_bound", math.inf, None, name)


def _obstacle(line: Line, now: datetime) -> Iterator[Reading]:
    """Why this line sends nothing now. A connection that fails for a moment is no obstacle until texts wait for it, and
    one that does not stand has an alarm of its own."""
    name, reason = line.gateway, line.pause_reason or ""
    if line.is_silent:
        yield Reading("gateway_silent", 1, subject=name)
    elif reason.startswith(ACCOUNT_REFUSED):
        yield Reading("account_refused", 1, subject=name)
    elif line.paused_until is not None and reason != NOT_CONNECTED:
        if line.bind is None or line.bind.stands(now):
            yield Reading("sender_throttled", (line.paused_until - now).total_seconds(), subject=name)
    elif line.due_since is not None:
        yield _age("messages_waiting", max(line.due_since, line.free_at or line.due_since), now, name)


def _age(alarm: str, since: datetime | None, now: datetime, subject: str = "") -> Reading:
    seconds = (now - since).total_seconds() if since is not None else 0.0
    return Reading(alarm, max(0.0, seconds), since, subject)
