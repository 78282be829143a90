"""L8: every process is restarted, one after the other, while texts go out, answers come in and officers look on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from bench import crowd, webhooks
from bench.load.outcome import Line, Sizes, promises
from bench.open_loop import Heard, blow
from bench.stage import Stage, stage
from consular.queries import drills
from consular.services.transactions import unit_of_work

NAMES = ("L8",)
RATE = 100.0
REPLIES_PER_SECOND = 50
WEB = ("web", "hooks")


def run(sizes: Sizes) -> Iterator[Line]:
    """gunicorn takes new code on SIGHUP and keeps its socket; every other process is stopped and started."""
    people = sizes.restart_people
    with stage("restart", {"LY": people}, rate=RATE) as world:
        crisis = world.open_crisis("Libya 2011", "LY")
        event, _, _ = world.approve(world.submit(crisis, "LY", asks=True))
        seconds = people / world.parts(asks=True) / RATE
        calls = webhooks.replies(
            world.running, crowd.phones("LY", people), int(seconds * REPLIES_PER_SECOND), duplicates=0.1
        )
        with world.polled(f"{crisis}/board/fragment", min(20, sizes.officers)) as polls:
            said = blow(webhooks.address(world.running), calls, seconds)
            time.sleep(5.0)
            took = _restart_all(world)
            said.result()
            is_over = world.wait(_is_quiet, seconds + 300)
        failed = f"{len(polls.failures)} of {len(polls.seen):,} looks failed, {polls.longest_outage:.1f} s at a time"
        told = f"{failed}; p50 {polls.ms(50):,.0f}, p95 {polls.ms(95):,.0f}, slowest {polls.ms(100):,.0f} ms"
        number = len(world.running.names) - 1
        conditions = f"{number} processes restarted one by one in {took:.0f} s while officers look on"
        yield Line("L8", conditions, "failing for <= 1 s at a time", told, polls.longest_outage <= 1)
        yield _replies(said.result())
        yield _doubts(event, is_over)
        yield from promises("L8", world, said.result().taken, rates={"exercise": RATE})


def _restart_all(world: Stage) -> float:
    started = time.monotonic()
    for name in world.running.names:
        if name in WEB:
            _reload(world, name)
        elif name != "gateway":
            world.reset_workers(name)
            time.sleep(1.0)
    return time.monotonic() - started


def _reload(world: Stage, name: str) -> None:
    """As an operator deploys: the master stays, its workers are replaced; over when none of the old ones is left."""
    master = world.running.group[name].pid
    old = _children(master)
    world.running.group[name].popen.send_signal(signal.SIGHUP)
    world.wait(lambda: bool(_children(master)) and not _children(master) & old, 40)


def _children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _is_quiet() -> bool:
    with unit_of_work():
        waiting = drills.waiting()
    return not waiting["messages"] and not waiting["texts"]


def _replies(heard: Heard) -> Line:
    with unit_of_work() as session:
        stored = int(session.execute(text("select count(*) from inbound_messages")).scalar_one())
    moments = [at for at, _ in heard.failed_at] or [0.0]
    lost, seconds = max(0, len(heard.taken) - stored), max(moments) - min(moments)
    told = f"{heard.failures} not taken (within {seconds:.1f} s), {lost} of {stored:,} lost; p99 {heard.ms(99):,} ms"
    is_ok = len(heard.taken) <= stored
    return Line("L8", f"replies at {REPLIES_PER_SECOND}/s meanwhile", "0 lost", told, is_ok)


def _doubts(event: object, is_over: bool) -> Line:
    with unit_of_work() as session:
        row = session.execute(
            text("""
            select count(*) filter (where a.outcome = 'unknown') as unknown, count(distinct m.id) as texts
            from message_attempts a join messages m on m.id = a.message_id where m.event_id = :event
            """),
            {"event": event},
        ).one()
    told = f"{row.unknown} in doubt of {row.texts:,} sent" + ("" if is_over else ", NOT ALL SETTLED")
    return Line("L8", "a clean restart leaves no text in doubt", "0", told, is_over and row.unknown == 0)
