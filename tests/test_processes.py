"""Child processes: output, readiness, restarts, and above all that they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from consular import guardian
from consular.loopback import FIRST_PORT, LAST_PORT, free_port, http_ok, port_is_free, tcp_open
from consular.processes import ChildDied, NotReady, ProcessError, ProcessGroup, Program
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent
WAIT = "import signal; signal.pause()"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def gone(pid: int) -> bool:
    return guardian.identity(pid) is None


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessGroup]:
    with ProcessGroup(tmp_path / "log") as running:
        yield running


def says(group: ProcessGroup, name: str, words: str) -> bool:
    return eventually(lambda: words in group.tail(name))


def test_what_a_child_writes_is_in_its_log(group: ProcessGroup, tmp_path: Path) -> None:
    child = group.start(Program("talker", python("import sys; print('out'); print('err', file=sys.stderr)")))
    child.popen.wait(20)
    assert sorted((tmp_path / "log" / "talker.log").read_text().split()) == ["err", "out"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [("print('no database'); raise SystemExit(3)", "ended with code 3."), ("import os; os.abort()", "signal 6.")],
    ids=["exit-code", "signal"],
)
def test_a_dead_child_is_reported_with_its_last_lines(group: ProcessGroup, code: str, sentence: str) -> None:
    group.start(Program("web", python(f"print('last words', flush=True); {code}")))
    with pytest.raises(ChildDied) as raised:
        group.wait_ready("web", lambda: False)
    assert f"web {'was ended by ' if 'signal' in sentence else ''}{sentence}" in str(raised.value)
    assert "last words" in str(raised.value)
    with pytest.raises(ChildDied):
        group.check()


def test_a_slow_child_is_named_with_the_time_it_was_given(group: ProcessGroup) -> None:
    group.start(Program("web", python(WAIT)))
    with pytest.raises(NotReady, match=r"web was not ready after 0\.1 seconds"):
        group.wait_ready("web", lambda: False, 0.1)
    group.check()


def test_a_missing_program_is_one_sentence(group: ProcessGroup) -> None:
    with pytest.raises(ProcessError, match=r"^web cannot be started: /no/such/program: No such file or directory\.$"):
        group.start(Program("web", ["/no/such/program"]))


def test_a_name_is_given_once_at_a_time(group: ProcessGroup) -> None:
    group.start(Program("web", python(WAIT)))
    with pytest.raises(ProcessError, match="already running"):
        group.start(Program("web", python(WAIT)))
    group.stop_child("web")
    group.start(Program("web", python(WAIT)))


def test_the_environment_is_added_to_or_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("TAKEN", "1")
    added = Program("a", [], env={"NEW": "2", "TAKEN": None}).environment()
    assert (added["KEPT"], added["NEW"], "TAKEN" in added) == ("1", "2", False)
    assert Program("a", [], env={"NEW": "2"}, inherit_env=False).environment() == {"NEW": "2"}


def test_text_is_handed_over_on_standard_input(group: ProcessGroup) -> None:
    group.start(Program("reader", python("import sys; print(sys.stdin.read()[::-1])"), stdin_text="terces"))
    assert says(group, "reader", "secret")


def test_stop_kills_a_child_that_ignores_its_signals(group: ProcessGroup) -> None:
    child = group.start(Program("stubborn", python(STUBBORN), grace_s=0.2))
    assert says(group, "stubborn", "ready")
    group.stop()
    assert child.exit_code == -signal.SIGKILL


def test_stop_asks_with_each_signal_in_turn(group: ProcessGroup) -> None:
    code = STUBBORN.replace("SIGTERM", "SIGINT")
    program = Program("server", python(code), grace_s=0.2, stop_signals=(signal.SIGINT, signal.SIGQUIT))
    child = group.start(program)
    assert says(group, "server", "ready")
    group.stop()
    assert child.exit_code == -signal.SIGQUIT


@pytest.mark.parametrize("session", [False, True], ids=["same-group", "own-session"])
def test_stop_takes_grandchildren_along(group: ProcessGroup, session: bool) -> None:
    arguments = f"[sys.executable, '-S', '-c', {WAIT!r}], start_new_session={session}"
    code = f"import subprocess, sys; p = subprocess.Popen({arguments}); print('pid', p.pid, flush=True); p.wait()"
    child = group.start(Program("worker", python(code)))
    assert says(group, "worker", "pid ")
    grandchild = int(group.tail("worker").split()[1])
    group.stop()
    assert gone(child.pid)
    assert eventually(lambda: gone(grandchild))


def test_a_later_process_with_the_same_number_is_left_alone() -> None:
    bystander = subprocess.Popen(python(WAIT))
    try:
        assert not guardian.stop(guardian.Target(bystander.pid, "another boot:1"))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_supervised_child_comes_back(group: ProcessGroup) -> None:
    child = group.start(Program("worker", python(WAIT), supervise=True))
    first = child.pid
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: child.restarts == 1 and child.pid != first and child.exit_code is None)
    group.check()
    group.stop()
    assert gone(child.pid)


def test_a_supervised_child_whose_program_is_away_for_a_while_comes_back(group: ProcessGroup, tmp_path: Path) -> None:
    program, away = tmp_path / "program", tmp_path / "away"
    program.write_text("#!/bin/sh\nsleep 1000\n")
    program.chmod(0o755)
    child = group.start(Program("worker", [program], supervise=True))
    program.rename(away)
    os.kill(child.pid, signal.SIGKILL)
    assert says(group, "worker", "worker cannot be started")
    away.rename(program)
    assert eventually(lambda: child.exit_code is None)


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent_code = f"""
        import signal, sys
        from pathlib import Path
        from consular.processes import ProcessGroup, Program
        group = ProcessGroup(Path({str(tmp_path)!r}))
        for name, code in (("gentle", {WAIT!r}), ("stubborn", {STUBBORN!r})):
            child = group.start(Program(name, [sys.executable, "-S", "-c", code], grace_s=0.3))
            print(child.pid, flush=True)
        group.wait_ready("stubborn", lambda: "ready" in group.tail("stubborn"))
        print("ready", flush=True)
        signal.pause()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent_code)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout is not None
    lines = [parent.stdout.readline().strip() for _ in range(3)]
    pids = [int(line) for line in lines[:2]]
    assert lines[2] == "ready"
    assert not any(gone(pid) for pid in pids)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert eventually(lambda: all(gone(pid) for pid in pids))


def test_what_the_owner_said_last_counts_also_when_it_is_gone_before_the_guardian_looks(tmp_path: Path) -> None:
    """A busy machine may give the guardian its first turn only then; the pipe may be held open by a child."""
    folder = tmp_path / "data"
    folder.mkdir()
    nobody = subprocess.Popen(["true"])
    nobody.wait()
    reading, writing = os.pipe()
    os.write(writing, json.dumps({"remove": str(folder)}).encode() + b"\n")
    command = [sys.executable, "-I", "-S", guardian.__file__, str(nobody.pid)]
    subprocess.run(command, stdin=reading, check=True, timeout=20)
    os.close(reading)
    os.close(writing)
    assert not folder.exists()


def test_a_termination_unwinds_with_blocks() -> None:
    code = """
        import signal
        from consular.processes import exit_on_signals
        with exit_on_signals():
            try:
                print("ready", flush=True)
                signal.pause()
            finally:
                print("cleaned", flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.terminate()
    assert child.communicate(timeout=20)[0] == "cleaned\n"
    assert child.returncode == 128 + signal.SIGTERM


def test_a_free_port_is_in_the_range_and_given_once() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    assert all(FIRST_PORT <= port <= LAST_PORT for port in ports)


def test_a_taken_port_is_not_free() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
        assert free_port(preferred=port) != port
        assert tcp_open("127.0.0.1", port)()
    assert not tcp_open("127.0.0.1", port)()


def test_a_preferred_port_is_given_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consular.loopback._handed_out", set())
    wanted = next(port for port in range(LAST_PORT, FIRST_PORT, -1) if port_is_free(port))
    assert free_port(preferred=wanted) == wanted


def test_http_is_ready_at_200_only(group: ProcessGroup, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "healthz").write_text("ok")
    serve = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    group.start(Program("web", serve))
    group.wait_ready("web", http_ok(f"http://127.0.0.1:{port}/healthz"))
    assert not http_ok(f"http://127.0.0.1:{port}/missing")()
    group.stop()
    assert not http_ok(f"http://127.0.0.1:{port}/healthz")()
