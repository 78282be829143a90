"""Stops a group's child processes when the process that started them is gone, however it went.

Run as a script with nothing but the standard library, in a session of its own. Standard input is a pipe from the
owner, one JSON object a line: {"add": pid, "identity": ..., "signals": [...], "grace_s": ...}, {"drop": pid},
{"remove": folder}. When the pipe closes, or the owner is no longer the parent, every process still listed is stopped
and every listed folder removed. What the owner said last is read also when it is gone already.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.02
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Target:
    """A process to stop: `signals` are tried in order, `grace_s` seconds each, then SIGKILL for it and its descendants.

    identity: what identity(pid) said when it was started; a process that says anything else is left alone.
    leads_group: it leads a process group of its own, whose other members end with it.
    """

    pid: int
    identity: str
    signals: tuple[int, ...] = (signal.SIGTERM,)
    grace_s: float = 10.0
    leads_group: bool = True


def identity(pid: int) -> str | None:
    """Boot and start time, which no later process with this number shares; None when it is gone or a zombie."""
    if _PROC.joinpath("self/stat").exists():
        found = _read_proc(pid)
        return found[1] if found else None
    return next((own for number, _, own in _ask_ps("-p", str(pid)) if number == pid), None)


def stop(target: Target) -> bool:
    """Stops one process with everything it started; True when it needed SIGKILL. Returns once it is gone."""
    family: dict[int, str] = {}
    for number in target.signals:
        family |= _descendants(target)
        if not _signal(target, number) or _wait_gone(target, target.grace_s):
            break
    family |= _descendants(target)
    killed = _signal(target, signal.SIGKILL)
    if target.leads_group and identity(target.pid) in {None, target.identity}:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(target.pid, signal.SIGKILL)
    for pid, own in family.items():
        _signal(Target(pid, own), signal.SIGKILL)
    _wait_gone(target, 10.0)
    return killed


def stop_all(targets: Iterable[Target]) -> None:
    """Stops all of them at the same time."""
    threads = [threading.Thread(target=stop, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _signal(target: Target, number: int) -> bool:
    if identity(target.pid) != target.identity:
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.kill(target.pid, number)
        return True
    return False


def _wait_gone(target: Target, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while identity(target.pid) == target.identity:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _descendants(target: Target) -> dict[int, str]:
    if identity(target.pid) != target.identity:
        return {}
    children: dict[int, list[tuple[int, str]]] = {}
    for number, parent, own in _all_processes():
        children.setdefault(parent, []).append((number, own))
    found: dict[int, str] = {}
    ahead = [target.pid]
    while ahead:
        for number, own in children.get(ahead.pop(), ()):
            if number not in found:
                found[number] = own
                ahead.append(number)
    return found


def _all_processes() -> list[tuple[int, int, str]]:
    if not _PROC.joinpath("self/stat").exists():
        return _ask_ps("-ax")
    numbers = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [(number, *found) for number in numbers if (found := _read_proc(number))]


def _read_proc(pid: int) -> tuple[int, str] | None:
    try:
        text = _PROC.joinpath(str(pid), "stat").read_text("utf-8", "replace")
        boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    state, parent, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else (int(parent), f"{boot}:{rest[17]}")


def _ask_ps(*which: str) -> list[tuple[int, int, str]]:
    environ = {"PATH": "/bin:/usr/bin", "LC_ALL": "C", "TZ": "UTC"}
    command = ["ps", *which, "-o", "pid=,ppid=,stat=,lstart="]
    lines = subprocess.run(command, env=environ, capture_output=True, text=True, check=False).stdout.splitlines()
    rows = [line.split(None, 3) for line in lines]
    return [(int(row[0]), int(row[1]), row[3].strip()) for row in rows if len(row) == 4 and not row[2].startswith("Z")]


class _Ledger:
    """What the owner has told so far."""

    def __init__(self) -> None:
        self.targets: dict[int, Target] = {}
        self.folders: list[str] = []

    def read(self, line: bytes) -> None:
        told = json.loads(line)
        if "add" in told:
            signals = tuple(told["signals"])
            self.targets[told["add"]] = Target(
                told["add"], told["identity"], signals, told["grace_s"], told["leads_group"]
            )
        elif "drop" in told:
            self.targets.pop(told["drop"], None)
        elif "remove" in told:
            self.folders.append(told["remove"])


def main(arguments: Sequence[str]) -> None:
    """Watches over the owner whose process number is the only argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    owner, ledger, rest = int(arguments[0]), _Ledger(), b""
    while True:
        is_orphan = os.getppid() != owner
        if not select.select([0], [], [], 0.0 if is_orphan else 1.0)[0]:
            if is_orphan:
                break
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            ledger.read(line)
    stop_all(ledger.targets.values())
    for folder in ledger.folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
