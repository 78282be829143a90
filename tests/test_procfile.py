"""The Procfile: what a real installation runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from consular.queueing import QUEUES

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())
WORKERS = {name: command for name, command in PROCESSES.items() if "workers.worker" in command}


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_listens_on_one_queue(name: str) -> None:
    """RQ loses a job that a worker of several queues took and did not survive."""
    assert WORKERS[name].endswith(f"-m workers.worker {name.removeprefix('worker-')}")


def test_every_queue_has_its_worker() -> None:
    assert sorted(name.removeprefix("worker-") for name in WORKERS) == sorted(QUEUES)


def test_there_is_one_clock_and_one_migration() -> None:
    assert [name for name, command in PROCESSES.items() if command.endswith("workers.clock")] == ["clock"]
    assert PROCESSES["release"].endswith("consular migrate")


def test_make_up_runs_everything_but_the_release() -> None:
    found = re.search(r"^RUN_PROCESSES = (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert set(found[1].split()) == PROCESSES.keys() - {"release"}


def test_make_alone_lists_the_commands() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"make ([a-z]+)", listed)) == set(targets)
