"""The Procfile: what a real installation runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from consular.domain.gateways import GATEWAYS as DOMAIN_GATEWAYS
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


GATEWAYS = {
    "worker-twilio": {"TWILIO_ACCOUNT_SID": "AC1"},
    "worker-smpp": {"SMPP_HOST": "10.0.0.8"},
    "worker-http": {"HTTP_GATEWAY_PROFILE": "kannel"},
    "worker-exercise": {"EXERCISE_GATEWAY_ACCOUNT_SID": "AC2"},
}


def started(folder: Path, settings: dict[str, str]) -> list[str]:
    """What `make up` starts with these settings in .env; the programs themselves are left out."""
    (folder / "scripts").symlink_to(ROOT / "scripts")
    (folder / ".venv" / "bin").mkdir(parents=True)
    honcho = folder / ".venv" / "bin" / "honcho"
    real = ROOT / ".venv" / "bin" / "honcho"
    honcho.write_text(f'#!/bin/sh\ncase "$3" in run) exec {real} "$@" ;; start) shift 5; echo "$@" ;; esac\n')
    honcho.chmod(0o755)
    (folder / ".venv" / "bin" / "consular").symlink_to("/bin/true")
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (folder / "Procfile").write_text((ROOT / "Procfile").read_text("utf-8"))
    names = [name for name in PROCESSES if name != "release"]
    command = ["sh", "scripts/up.sh", *names]
    env = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_worker_of_a_gateway_starts_where_the_gateway_is_set_up(tmp_path: Path, gateway: str) -> None:
    running = started(tmp_path, GATEWAYS[gateway])
    assert set(running) & GATEWAYS.keys() == {gateway}
    assert set(running) | GATEWAYS.keys() == PROCESSES.keys() - {"release"}


def test_every_gateway_has_a_worker_that_starts() -> None:
    assert {f"worker-{name}" for name in DOMAIN_GATEWAYS} == GATEWAYS.keys()
