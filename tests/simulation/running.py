"""Many seeds in several processes, and what they add up to."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import structlog

from tests.simulation.invariants import findings, recovery
from tests.simulation.operator import KINDS, LAGS, LISTS
from tests.simulation.world import Kinds, World

CHUNK = 500
MOST_TOLD = 5

CALLBACKS = tuple(
    f"{kind}callbacks" for kind in ("", "early_", "repeated_", "contradicting_", "late_", "lost_", "foreign_")
)


@dataclass(slots=True)
class Summary:
    """What happened in some seeds. violations: (seed, finding)."""

    seeds: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)
    worst_recovery: tuple[float, int] = (0.0, -1)
    worst_without_list: tuple[float, int] = (0.0, -1)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, other: Summary) -> None:
        """Take in what other seeds did."""
        self.seeds += other.seeds
        self.cpu_seconds += other.cpu_seconds
        for name in ("seen", "points", "states"):
            getattr(self, name).update(getattr(other, name))
        self.violations += other.violations
        self.worst_recovery = max(self.worst_recovery, other.worst_recovery)
        self.worst_without_list = max(self.worst_without_list, other.worst_without_list)


def quiet() -> None:
    """What the product logs about every fault is not wanted here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def run_range(first: int, count: int, kinds: Kinds | None = None) -> Summary:
    """Run the seeds one after the other."""
    started = time.process_time()
    summary = Summary()
    for seed in range(first, first + count):
        note(summary, seed, World(seed, kinds).run())
    summary.cpu_seconds = time.process_time() - started
    return summary


def note(summary: Summary, seed: int, world: World) -> None:
    """Add one finished run."""
    summary.seeds += 1
    summary.seen.update(world.seen)
    summary.seen.update(world.operator.seen)
    summary.points.update(world.points)
    summary.violations += [(seed, found) for found in findings(world)]
    worst = "worst_recovery" if world.plan.list_mode in LAGS else "worst_without_list"
    setattr(summary, worst, max(getattr(summary, worst), (recovery(world), seed)))
    summary.seen["list " + world.plan.list_mode] += 1
    summary.seen["texts"] += len(world.store.messages)
    summary.seen["requests"] += len(world.operator.writes)
    summary.seen["taken"] += len(world.operator.taken)
    summary.seen["taken again"] += len(world.operator.taken) - len({one.number for one in world.operator.taken})
    doubts = {one.message_id for one in world.store.attempts.values() if one.outcome == "unknown"}
    summary.seen["ambiguous"] += len(doubts)
    for message in world.store.messages.values():
        summary.states[message.state] += 1
        summary.seen["possible duplicates"] += message.possible_duplicate
        is_resolved = message.id in doubts and message.state != "held" and message.error_code != "no_trace"
        summary.seen["resolved"] += is_resolved
        summary.seen["held"] += message.id in doubts and message.state == "held"


def _quiet_range(first: int, count: int) -> Summary:
    return run_range(first, count)


def simulate(first: int, count: int, processes: int) -> Summary:
    """Run the seeds in `processes` processes."""
    started = time.monotonic()
    summary = Summary()
    firsts = range(first, first + count, CHUNK)
    counts = [min(CHUNK, first + count - one) for one in firsts]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=quiet) as pool:
        for part in pool.map(_quiet_range, firsts, counts):
            summary.add(part)
    summary.seconds = time.monotonic() - started
    return summary


def replay(seed: int, kinds: Kinds | None = None) -> tuple[list[str], list[str]]:
    """One seed: what happened, line by line, and what was broken."""
    lines: list[str] = []
    world = World(seed, kinds, trace=lines.append)
    lines.append(f"seed {seed}: {world.plan}")
    world.run()
    return lines, findings(world)


def command(seed: int) -> str:
    """What replays a seed, pasted in a checkout in which `make dev` was run; nothing needs to be activated."""
    return f".venv/bin/python -m tests.simulation --seed {seed} --trace"


def table(summary: Summary) -> str:
    """What happened, as one table."""
    seen = summary.seen
    rows = [
        ("seeds", f"{summary.seeds:,}"),
        ("texts, requests, taken", f"{seen['texts']:,}, {seen['requests']:,}, {seen['taken']:,}"),
        ("steps of processes", f"{seen['steps']:,}"),
        ("deaths", f"{seen['kill']:,} at {_places(summary, 'kill at ')} points, {seen['poison']:,} by poison"),
        ("pauses", f"{seen['freeze']:,} at {_places(summary, 'freeze at ')} points"),
        (
            "pauses before lease check, before write",
            f"{seen['pause before lease check']:,}, {seen['pause before write']:,}",
        ),
        ("requests refused by their lease", f"{seen['lease_refused']:,}"),
        ("clean stops of workers", f"{seen['stop signal']:,}"),
        ("database outages, commits unheard of", f"{seen['database_outage']:,}, {seen['lost_commit']:,}"),
        ("clock jumps: database, web", f"{seen['clock_jump']:,}, {seen['web_clock_wrong']:,}"),
        ("alerts stopped, people opted out", f"{seen['stop']:,}, {seen['opt_out']:,}"),
        ("gateway faults", f"{sum(seen[kind] for kind in KINDS):,}"),
        *((f"  {kind.replace('_', ' ')}", f"{seen[kind]:,}") for kind in KINDS),
        *((name.replace("_", " "), f"{seen[name]:,}") for name in CALLBACKS),
        ("lists: " + ", ".join(LISTS), ", ".join(f"{seen['list ' + mode]:,}" for mode in LISTS)),
        ("list errors", f"{seen['list_error']:,}"),
        ("ambiguous", f"{seen['ambiguous']:,}"),
        ("  resolved by proof or resent", f"{seen['resolved']:,}"),
        ("  held for an officer", f"{seen['held']:,}"),
        ("declared possible duplicates", f"{seen['possible duplicates']:,}"),
        ("  taken more than once", f"{seen['taken again']:,}"),
        ("end states", ", ".join(f"{state} {number:,}" for state, number in summary.states.most_common())),
        ("worst recovery", f"{summary.worst_recovery[0]:.1f} s (seed {summary.worst_recovery[1]})"),
        (
            "  where no list answers",
            f"{summary.worst_without_list[0]:.1f} s (seed {summary.worst_without_list[1]})",
        ),
        ("invariants violated", f"{len(summary.violations):,}"),
        ("seconds, seeds per second", f"{summary.seconds:.1f}, {summary.seeds / max(summary.seconds, 0.001):,.0f}"),
        (
            "  of one processor, milliseconds per seed",
            f"{summary.cpu_seconds:.1f}, {1000 * summary.cpu_seconds / max(summary.seeds, 1):.2f}",
        ),
    ]
    width = max(len(name) for name, _ in rows) + 2
    told = [f"{found}\n    {command(seed)}" for seed, found in summary.violations[:MOST_TOLD]]
    return "\n".join([f"{name:{width}}{value}" for name, value in rows] + told)


def _places(summary: Summary, prefix: str) -> int:
    return sum(1 for name in summary.points if name.startswith(prefix))
