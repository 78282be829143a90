"""Child processes of a drill, a demonstration or a test: started, watched, and stopped for certain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from consular import guardian

FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S, HEALTHY_AFTER_S = 0.5, 30.0, 60.0
_POLL_S = 0.05


class ProcessError(Exception):
    """A child process failed; the text is one clear sentence and the last lines of its output."""


class ChildDied(ProcessError):
    """A child ended although it should run."""


class NotReady(ProcessError):
    """A child runs but did not become ready in time."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how.

    env: added to this process's environment (None takes a variable away), or alone with inherit_env=False.
    run_as: (uid, gid). stdin_text: handed over on standard input, which is otherwise empty.
    supervise: started again, after half a second to thirty, whenever it ends by itself.
    stop_signals: tried in this order, `grace_s` seconds each, before SIGKILL.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    inherit_env: bool = True
    cwd: Path | None = None
    run_as: tuple[int, int] | None = None
    stdin_text: str | None = field(default=None, repr=False)
    supervise: bool = False
    stop_signals: tuple[int, ...] = (signal.SIGTERM,)
    grace_s: float = 10.0

    def environment(self) -> dict[str, str]:
        """The whole environment of the process."""
        merged: dict[str, str | None] = {**(os.environ if self.inherit_env else {}), **self.env}
        return {key: value for key, value in merged.items() if value is not None}


@dataclass(slots=True)
class Child:
    """A started program. `restarts` counts how often a supervised one had to be started again."""

    program: Program
    log: Path
    popen: subprocess.Popen[bytes] = field(repr=False)
    target: guardian.Target | None = field(repr=False)
    started_at: float
    restarts: int = 0
    restart_at: float | None = None

    @property
    def pid(self) -> int:
        """The number of its latest process."""
        return self.popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, else its exit code (negative: the signal that ended it)."""
        return self.popen.poll()


class Watch:
    """The guardian process: keeps a list of processes to stop and folders to remove should this process vanish."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", guardian.__file__, str(os.getpid())]
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def add(self, target: guardian.Target) -> None:
        """From now on `target` ends with this process."""
        told = {"add": target.pid, "identity": target.identity, "signals": list(target.signals)}
        self._tell({**told, "grace_s": target.grace_s, "leads_group": target.leads_group})

    def drop(self, pid: int) -> None:
        """The process has ended; its number may belong to another one from now on."""
        self._tell({"drop": pid})

    def remove_folder(self, folder: Path) -> None:
        """`folder` goes when this process ends."""
        self._tell({"remove": str(folder)})

    def close(self) -> None:
        """Ends the watch; what is still listed is stopped and removed before this returns."""
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):
            self._popen.stdin.close()
        self._popen.wait()

    def _tell(self, told: dict[str, object]) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(json.dumps(told).encode() + b"\n")
            self._popen.stdin.flush()
        except BrokenPipeError as error:
            raise ProcessError(
                "The process that watches over the servers was ended from outside; start again."
            ) from error


class ProcessGroup:
    """Named child processes, each leading a process group of its own, with their output in `log_dir`/<name>.log.

    Leaving the `with` block stops them all. Should this process be killed outright, a guardian process does it.
    """

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self._children: dict[str, Child] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._watch: Watch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def watch(self) -> Watch:
        """The guardian, started on first use."""
        with self._lock:
            if self._watch is None:
                self._watch = Watch()
            return self._watch

    def start(self, program: Program) -> Child:
        """Starts it and returns at once; a name whose process has ended may be used again.

        Raises ProcessError when it runs already or cannot be started at all.
        """
        with self._lock:
            present = self._children.get(program.name)
            if present is not None and present.exit_code is None:
                raise ProcessError(f"{program.name} is already running.")
            self.log_dir.mkdir(parents=True, exist_ok=True)
            log = self.log_dir / f"{program.name}.log"
            log.write_bytes(b"")
            popen, target = self._spawn(program, log)
            child = self._children[program.name] = Child(program, log, popen, target, time.monotonic())
            if program.supervise and self._supervisor is None:
                self._supervisor = threading.Thread(target=self._keep_alive, name="supervisor", daemon=True)
                self._supervisor.start()
        return child

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a child's output."""
        text = self._children[name].log.read_bytes()[-65536:].decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def check(self) -> None:
        """Raises ChildDied when an unsupervised child has ended by itself."""
        for child in list(self._children.values()):
            if not child.program.supervise and child.exit_code is not None:
                raise ChildDied(self._obituary(child))

    def wait_ready(self, name: str, probe: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Waits until probe() is true. Raises ChildDied when the child ends, NotReady after `timeout_s` seconds."""
        child = self._children[name]
        deadline = time.monotonic() + timeout_s
        while not probe():
            if not child.program.supervise and child.exit_code is not None:
                raise ChildDied(self._obituary(child))
            if time.monotonic() > deadline:
                raise NotReady(self._with_tail(child, f"{name} was not ready after {timeout_s:g} seconds."))
            time.sleep(_POLL_S)

    def stop_child(self, name: str) -> None:
        """Stops one child, supervised or not, and forgets it; harmless when there is none of that name."""
        with self._lock:
            child = self._children.pop(name, None)
        if child is not None:
            self._end(child)

    def stop(self) -> None:
        """Stops all children at the same time: their stop signals, then SIGKILL. Harmless when nothing runs."""
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.join()
            self._supervisor = None
        with self._lock:
            children, self._children = list(self._children.values()), {}
        threads = [threading.Thread(target=self._end, args=(child,)) for child in children]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        self._stopping.clear()

    def _spawn(self, program: Program, log: Path) -> tuple[subprocess.Popen[bytes], guardian.Target | None]:
        watch = self.watch
        user, group = program.run_as or (None, None)
        with log.open("ab") as output:
            try:
                popen = subprocess.Popen(
                    [str(part) for part in program.argv],
                    env=program.environment(),
                    cwd=program.cwd,
                    stdin=subprocess.DEVNULL if program.stdin_text is None else subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    user=user,
                    group=group,
                    extra_groups=[] if program.run_as else None,
                    process_group=0,
                )
            except OSError as error:
                raise ProcessError(f"{program.name} cannot be started: {program.argv[0]}: {error.strerror}.") from error
        own = guardian.identity(popen.pid)
        target = guardian.Target(popen.pid, own, program.stop_signals, program.grace_s) if own else None
        if target is not None:
            watch.add(target)
        if popen.stdin is not None:
            with suppress(BrokenPipeError):
                popen.stdin.write((program.stdin_text or "").encode())
                popen.stdin.close()
        return popen, target

    def _end(self, child: Child) -> None:
        if child.target is not None:
            guardian.stop(child.target)
        with suppress(subprocess.TimeoutExpired):
            child.popen.wait(5.0)
        self.watch.drop(child.pid)

    def _keep_alive(self) -> None:
        while not self._stopping.wait(_POLL_S):
            with self._lock:
                for child in self._children.values():
                    if child.program.supervise and child.exit_code is not None:
                        self._revive(child)

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is None:
            self._end(child)
            if now - child.started_at > HEALTHY_AFTER_S:
                child.restarts = 0
            child.restart_at = now + _pause(child.restarts)
        elif now >= child.restart_at:
            child.restarts += 1
            try:
                child.popen, child.target = self._spawn(child.program, child.log)
            except ProcessError as error:
                child.restart_at = now + _pause(child.restarts)
                with child.log.open("a", encoding="utf-8") as output:
                    output.write(f"{error}\n")
            else:
                child.started_at, child.restart_at = now, None

    def _obituary(self, child: Child) -> str:
        code = child.exit_code or 0
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return self._with_tail(child, f"{child.program.name} {how}.")

    def _with_tail(self, child: Child, sentence: str) -> str:
        tail = self.tail(child.program.name)
        return f"{sentence} Its last lines ({child.log}):\n{tail}" if tail else f"{sentence} It wrote nothing."


def _pause(restarts: int) -> float:
    return min(FIRST_BACK_OFF_S * 2.0 ** min(restarts, 10), LONGEST_BACK_OFF_S)


@contextmanager
def exit_on_signals(numbers: Sequence[int] = (signal.SIGTERM, signal.SIGHUP)) -> Iterator[None]:
    """Turns these signals into SystemExit(128 + number), so that `with` blocks clean up; for the main thread."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
