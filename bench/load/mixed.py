"""L7: a shortened mixed hour with Valkey wiped after a third of it and PostgreSQL crashed after two thirds.

The catalogue wants CATALOGUE_MINUTES; the default is shorter, so that a whole run takes half an hour, and says so."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import requests
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from bench import crowd, webhooks
from bench.load.faults import FAULTS
from bench.load.outcome import Line, Sizes, promises
from bench.officers import Polls
from bench.open_loop import Heard, blow
from bench.processes import megabytes
from bench.stage import Stage, stage
from consular.drill import enrolment, scenario
from consular.drill.pages import PageError
from consular.extensions import db
from consular.queries import drills
from consular.services.transactions import unit_of_work

NAMES = ("L7",)
CATALOGUE_MINUTES = 20.0
RATE = 100.0
BACK_SECONDS = 10.0
"""So long after the database is back, looks may still fail."""
REPLIES_PER_SECOND = 30
FORM_EVERY_SECONDS = 0.5
SAMPLE_EVERY_SECONDS = 3.0
DATABASE_AWAY_SECONDS = 3.0
PATIENCE_SECONDS = 480.0


@dataclass(slots=True)
class Hour:
    """What was noted while it ran; times in seconds after the start."""

    seconds: float
    crashed_at: float = 0.0
    away: float = 0.0
    memory: list[tuple[float, float]] = field(default_factory=list)
    connections: list[tuple[float, int]] = field(default_factory=list)
    registered: int = 0
    refused: int = 0


def run(sizes: Sizes) -> Iterator[Line]:
    """Registrations, texts, receipts and replies of simulated people, more replies, officers; everything at once."""
    seconds = sizes.mixed_minutes * 60
    people = int(seconds * 0.6 * RATE / 2)
    chosen = scenario.load("libya-2011")
    with stage("mixed", {"LY": people}, scenario=chosen.name, speed=chosen.speed, rate=RATE, faults=FAULTS) as world:
        crisis = world.open_crisis(chosen.title, "LY")
        calls = webhooks.replies(
            world.running, crowd.phones("LY", people), int(seconds * REPLIES_PER_SECOND), 0.1, first=1 << 64
        )
        hour = Hour(seconds)
        with world.polled(f"{crisis}/board/fragment", min(20, sizes.officers)) as polls:
            world.approve(world.submit(crisis, "LY", asks=True))
            said = blow(webhooks.address(world.running), calls, seconds)
            began = time.monotonic()
            _pass(world, hour, chosen)
            said.result()
        is_over = world.wait(lambda: _is_quiet(world), PATIENCE_SECONDS)
        yield _beginning(hour, people, is_over)
        yield _looked(hour, polls, began)
        yield _said(said.result())
        yield _registered(hour)
        yield from _leaks(hour, sizes)
        answers = [row for row in world.gateway("answers") if row["sid"] and row["acked_at"] is not None]
        acknowledged = {row["sid"] for row in answers} | said.result().taken
        yield from promises("L7", world, acknowledged, rates={"exercise": RATE})


def _pass(world: Stage, hour: Hour, chosen: scenario.Scenario) -> None:
    started = time.monotonic()
    stop = threading.Event()
    registrar = threading.Thread(target=_register, args=(world.running.web_url, hour, chosen, stop))
    registrar.start()
    acts = [
        (hour.seconds / 3, lambda: _wipe_valkey(world)),
        (hour.seconds * 2 / 3, lambda: _crash(world, hour, started)),
    ]
    while (now := time.monotonic() - started) < hour.seconds:
        if acts and now >= acts[0][0]:
            acts.pop(0)[1]()
        _sample(world, hour, now)
        time.sleep(SAMPLE_EVERY_SECONDS)
    stop.set()
    registrar.join()


def _wipe_valkey(world: Stage) -> None:
    world.servers.stop_valkey()
    world.servers.start_valkey()


def _crash(world: Stage, hour: Hour, started: float) -> None:
    """As `pg_ctl stop -m immediate`: no checkpoint, every connection cut, recovery from the log at the next start."""
    hour.crashed_at = time.monotonic() - started
    postgres = world.servers._group["postgres"].popen
    postgres.send_signal(signal.SIGQUIT)
    postgres.wait(30)
    time.sleep(DATABASE_AWAY_SECONDS)
    world.servers.start_postgres()
    hour.away = time.monotonic() - started - hour.crashed_at
    db.session.remove()
    db.engine.dispose()


def _sample(world: Stage, hour: Hour, now: float) -> None:
    ours = [world.running.group[name].pid for name in world.running.names if name != "gateway"]
    hour.memory.append((now, megabytes(ours)))
    hour.connections.append((now, _connections()))


def _connections() -> int:
    statement = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    with unit_of_work() as session:
        return int(session.execute(text(statement)).scalar_one())


def _register(url: str, hour: Hour, chosen: scenario.Scenario, stop: threading.Event) -> None:
    """One person after the other fills in the form; a page that fails is not tried again."""
    most = int(hour.seconds / FORM_EVERY_SECONDS) + 1
    by_form, _ = enrolment.split(10 * most, most, 11, chosen)
    for citizen in by_form:
        if stop.wait(FORM_EVERY_SECONDS):
            return
        try:
            refused = enrolment.fill_in_forms([citizen], url, lambda _: None)
        except (PageError, requests.RequestException):
            refused = 1
        hour.refused += refused
        hour.registered += 1 - refused


def _is_quiet(world: Stage) -> bool:
    try:
        with unit_of_work():
            waiting = drills.waiting()
    except OperationalError:
        return False
    return world.gateway("stats")["pending"] == 0 and not any(waiting.values())


def _length(hour: Hour) -> str:
    minutes = hour.seconds / 60
    if minutes >= CATALOGUE_MINUTES:
        return f"{minutes:g} min"
    return f"{minutes:g} min (not the {CATALOGUE_MINUTES:g} of the catalogue: --mixed-minutes {CATALOGUE_MINUTES:g})"


def _beginning(hour: Hour, people: int, is_over: bool) -> Line:
    share = round(sum(FAULTS.values()) * 100, 1)
    conditions = (
        f"{_length(hour)}: {people:,} texts at {RATE:g} parts/s with {share:g} % faults, answers"
        f" and receipts of simulated people, {REPLIES_PER_SECOND} replies/s more,"
        f" a registration every {FORM_EVERY_SECONDS:g} s"
    )
    told = f"Valkey wiped at {hour.seconds / 3:.0f} s; PostgreSQL crashed at {hour.crashed_at:.0f} s, "
    told += f"{hour.away:.1f} s away"
    return Line("L7", conditions, "all settled", told + ("" if is_over else "; NOT ALL SETTLED"), is_over)


def _looked(hour: Hour, polls: Polls, began: float) -> Line:
    """Looks may fail from the crash until the database has been back for BACK_SECONDS, and at no other time."""
    back_at = hour.crashed_at + hour.away
    failed = [(at - began, at - began + ms / 1000) for at, ms, status in polls.seen if status not in (200, 304)]
    others = [one for one in failed if one[1] < hour.crashed_at or one[0] > back_at + BACK_SECONDS]
    last = max([begun - back_at for begun, _ in failed], default=0.0)
    told = f"{len(failed)} of {len(polls.seen):,} looks failed, the last {last:.1f} s after the database was back, "
    told += f"{len(others)} at other times"
    return Line("L7", "officers look on", f"back within {BACK_SECONDS:g} s of the database", told, not others)


def _said(heard: Heard) -> Line:
    with unit_of_work() as session:
        stored = set(session.execute(text("select provider_message_id from inbound_messages")).scalars())
    lost = len(heard.taken - stored)
    told = f"{len(heard.taken):,} acknowledged, {lost} of them lost, {heard.failures} answered by an error; "
    return Line("L7", "replies", "0 lost", f"{told}p50 {heard.ms(50):,}, p99 {heard.ms(99):,} ms", lost == 0)


def _registered(hour: Hour) -> Line:
    with unit_of_work() as session:
        statement = "select count(*) from registrations where source = 'web_form'"
        stored = int(session.execute(text(statement)).scalar_one())
    told = f"{hour.registered} saw the page that says so, {stored} are stored, {hour.refused} were refused"
    return Line("L7", "registrations by form", "0 lost", told, stored >= hour.registered)


def _leaks(hour: Hour, sizes: Sizes) -> Iterator[Line]:
    third = hour.seconds / 3
    early = [mb for at, mb in hour.memory if third <= at < third * 1.5][:5]
    late = [mb for _, mb in hour.memory][-5:]
    growth = (sum(late) / len(late)) / (sum(early) / len(early)) - 1 if early and late else 0.0
    is_long = hour.seconds >= 180
    told = f"{growth:+.1%}, {sum(late) / len(late):,.0f} MB at the end" + ("" if is_long else " (too short to judge)")
    ok = growth < 0.05 if is_long else None
    yield Line("L7", "memory of all processes, first third to end", "< 5 % more", told, ok)
    before = max(number for at, number in hour.connections if at < third * 2)
    after = hour.connections[-1][1]
    told = f"{after} at the end, {before} at most before the crash"
    yield Line("L7", "connections to PostgreSQL", "no more than before", told, after <= before)
