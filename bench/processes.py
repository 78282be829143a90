"""What processes cost: memory and CPU time of a process with everything it started, by /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """The process and all its descendants."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time used so far by these processes and their descendants."""
    total = 0
    for pid in (one for parent in pids for one in family(parent)):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def megabytes(pids: Iterable[int]) -> float:
    """Memory of these processes and their descendants, shared pages divided among those that share them."""
    total = 0
    for pid in (one for parent in pids for one in family(parent)):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


@cache
def with_host_name() -> tuple[str, ...] | None:
    """How to start a command under a host name of its own; None where this machine does not allow it."""
    for command in (("unshare", "--uts"), ("unshare", "--user", "--map-current-user", "--uts")):
        trial = [*command, "hostname", "consular-trial"]
        try:
            done = subprocess.run(trial, capture_output=True, check=False, timeout=10)
        except OSError:
            return None
        if done.returncode == 0:
            return (*command, "sh", "-c", 'hostname "$0" && exec "$@"')
    return None


def on_host(name: str, module: str, *arguments: str) -> list[str]:
    """The command of a Python module that believes to run on the host `name`."""
    prefix = with_host_name()
    if prefix is not None:
        return [*prefix, name, sys.executable, "-m", module, *arguments]
    told = f"import runpy, socket, sys; socket.gethostname = lambda: {name!r}; sys.argv = {[module, *arguments]!r}; "
    return [sys.executable, "-c", told + f"runpy.run_module({module!r}, run_name='__main__')"]
