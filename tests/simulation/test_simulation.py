"""Twenty thousand runs keep every promise, meet every fault, and would have told of planted bugs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from consular.domain.alerts import MessageClass
from tests.conftest import ROOT
from tests.simulation.invariants import findings
from tests.simulation.operator import KINDS, LISTS
from tests.simulation.plan import Plan
from tests.simulation.planted import PLANTED
from tests.simulation.running import Summary, command, replay, simulate, table
from tests.simulation.world import RECOVERY, World

SEEDS = 20_000
LONGEST = 30.0
"""Seconds for all seeds, where CI has two processors to itself."""
MOST_WORK = 8.0
"""Milliseconds of one processor for one seed: several times what it needs, so that no slow machine fails."""
MOST_SEEDS_FOR_A_BUG = 8_000
POINTS = (
    "open",
    "claim",
    "claimed",
    "reserve",
    "mark",
    "marked",
    "submit",
    "watch",
    "poll",
    "wait",
    "record",
    "finish",
    "unknowns",
    "look",
    "looked",
)
EVENTS = (
    "poison",
    "pause before lease check",
    "pause before write",
    "lease_refused",
    "stop signal",
    "database_outage",
    "lost_commit",
    "clock_jump",
    "web_clock_wrong",
    "stop",
    "opt_out",
    "early_callbacks",
    "repeated_callbacks",
    "contradicting_callbacks",
    "late_callbacks",
    "lost_callbacks",
    "foreign_callbacks",
    "list_error",
)


@pytest.fixture(scope="module")
def summary() -> Summary:
    return simulate(0, SEEDS, os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    """The product's own log of every fault is not wanted in this process either."""
    for module in ("delivery", "recording", "sweeping"):
        monkeypatch.setattr(f"consular.services.{module}.log", _Silence())


class _Silence:
    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return lambda *_, **__: None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_seed_breaks_a_promise(summary):
    assert summary.seeds == SEEDS
    assert not summary.violations, table(summary)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_seeds_are_run_within_half_a_minute(summary):
    """Measured by the processors' own time; by the clock only in CI, when nothing else wanted the processors."""
    told = table(summary)
    assert 1000 * summary.cpu_seconds / summary.seeds <= MOST_WORK, told
    had_processors = summary.cpu_seconds >= 0.8 * 2 * summary.seconds
    if os.environ.get("CI") == "true" and had_processors:
        assert summary.seconds <= LONGEST, told


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_fault_was_met(summary):
    assert not [kind for kind in (*KINDS, *EVENTS) if summary.seen[kind] < 20]
    assert not [f"list {mode}" for mode in LISTS if summary.seen[f"list {mode}"] < 1000]
    for fault in ("kill", "freeze"):
        assert not [point for point in POINTS if summary.points[f"{fault} at {point}"] < 20], fault
    for found in ("ambiguous", "resolved", "held", "possible duplicates", "taken again"):
        assert summary.seen[found] > 100, found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_recovery_is_as_fast_as_promised(summary):
    assert 30.0 < summary.worst_recovery[0] <= RECOVERY


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught(name):
    found = next(
        (one for seed in range(MOST_SEEDS_FOR_A_BUG) if (one := findings(World(seed, PLANTED[name]).run()))), []
    )
    assert found, f"{name} went unnoticed"


def test_a_seed_replays_to_the_letter():
    for seed in (1, 7, 42):
        assert replay(seed) == replay(seed)


def test_seeds_differ():
    assert len({"\n".join(replay(seed)[0]) for seed in range(30)}) == 30


def test_the_trace_says_who_did_what_and_the_states():
    lines, found = replay(3)
    assert not found
    assert lines[0].startswith("seed 3: Plan(")
    assert any("claimed" in line and "1:" in line for line in lines)


@pytest.mark.parametrize("arguments", [["--seed", "5", "--trace"], ["--seeds", "40", "--processes", "1"]])
def test_the_command_tells_what_it_found(arguments):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ("seed 5: 0 violations" if "--trace" in arguments else "invariants violated") in ran.stdout


def test_a_failing_seed_tells_how_to_replay_it():
    summary = Summary(seeds=1, violations=[(1234, "I2: twice")])
    assert f"I2: twice\n    {command(1234)}" in table(summary)


@pytest.mark.skipif(not (ROOT / ".venv" / "bin" / "python").exists(), reason="`make dev` was not run here")
def test_what_replays_a_seed_can_be_pasted():
    """In a shell that knows nothing of our virtual environment."""
    env = {"PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command(5), shell=True, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0].startswith("seed 5: Plan(")


def quiet_plan(**changes) -> Plan:
    plan = Plan(
        messages=5,
        workers=2,
        rate=200.0,
        validity=3600,
        classes=(MessageClass.LIFE_SAFETY, MessageClass.LIFE_SAFETY),
        list_mode="lag 0",
        faults_end=5.0,
        share_bad=0.0,
        share_fault=0.0,
        skew=0.0,
        poisoned=None,
        has_reply=False,
    )
    for name, value in changes.items():
        setattr(plan, name, value)
    return plan


def test_without_faults_every_text_is_taken_once_within_seconds():
    for seed in range(50):
        world = World(seed, plan=quiet_plan())
        world.run()
        assert not findings(world)
        texts = len(world.operator.taken)
        assert texts + sum(m.state == "cancelled" for m in world.store.messages.values()) == 5
        assert max((one.at for one in world.operator.taken), default=0.0) < 3.0


def test_a_poisoned_row_is_held_and_the_others_go():
    world = World(1, plan=quiet_plan(poisoned=2))
    world.run()
    states = {m.id: m.state for m in world.store.messages.values()}
    assert states.pop(2) == "held"
    assert "held" not in states.values()
    assert not findings(world)
