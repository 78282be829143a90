"""Workers and web processes that die, freeze, end, come twice or get no time (F1-F4, F19, F20, F22, F26)."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from consular.drill.pages import PageError
from tests.faults.desk import sign_in
from tests.faults.play import Play
from tests.faults.posting import Stream
from tests.faults.story import Case, Skipped
from tests.faults.world import SENDERS, WEB, WORKERS
from tests.waiting import eventually

LONGEST_GOODBYE = 20.0
MOST = 0.8
"""So many receipts are lost, or they would prove what a careless sender should have doubted."""
_FAKETIME = ("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def nothing(play: Play) -> None:
    """The measure of all others: no fault."""
    began = time.monotonic()
    alert = play.send()
    play.must(play.wait_until_gone(alert, 120), "not all texts left without any fault")
    play.stage.normal_seconds = time.monotonic() - began
    play.fault_is_over()
    play.note(f"{alert.people} texts leave in {play.stage.normal_seconds:.1f} s without a fault")


def kill_senders(play: Play) -> None:
    """SIGKILL at random moments, so that every step of a text is struck sooner or later; most receipts get lost."""
    play.simulator.network(lost_callback=MOST)
    alert = play.send()
    play.wait_until_moving(alert)
    play.every((1.0, 2.0), 8, play.strike_sender)
    play.fault_is_over()


def freeze_sender(play: Play) -> None:
    """One sender stands still for longer than its lease and wakes up with texts in its hands; receipts get lost."""
    play.simulator.network(lost_callback=MOST)
    alert = play.send()
    play.wait_until_moving(alert)
    frozen = play.strike_sender(signal.SIGSTOP, 5.0)
    assert frozen is not None
    play.wait(play.site.settings.lease + 8)
    play.kill(frozen, signal.SIGCONT)
    play.fault_is_over()


def kill_groups(play: Play) -> None:
    """A child of the webhooks' server, then whole process groups, while texts come in."""
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, first_phone=9_100_000) as stream:
        for child in _children(play.site.pid("hooks")):
            os.kill(child, signal.SIGKILL)
            play.verdict.injected += 1
            play.wait(1.5)
        for name in ("hooks", "inbound", SENDERS[0]):
            os.killpg(play.site.pid(name), signal.SIGKILL)
            play.verdict.injected += 1
            play.wait(1.0)
        play.site.wait_ready()
        play.wait(1.0)
    play.fault_is_over()
    play.taken = stream.taken
    play.must(any(one.is_taken for one in stream.posted[-10:]), "webhooks did not come back")


def no_memory(play: Play) -> None:
    """A sender, a reader of texts and a child of the webhooks' server get no more memory for some seconds."""
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, first_phone=9_150_000) as stream:
        pids = [play.site.pid(SENDERS[0]), play.site.pid("inbound"), _children(play.site.pid("hooks"))[0]]
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_AS, (_size(pid), resource.RLIM_INFINITY))
            play.verdict.injected += 1
        play.wait(6.0)
        for pid in pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        play.site.wait_ready()
        play.wait(1.0)
    play.fault_is_over()
    play.taken = stream.taken
    play.must(all(one.is_taken for one in stream.posted[-10:]), "webhooks did not come back")
    refused = sum(1 for one in stream.posted if not one.is_taken)
    play.note(f"without memory: {refused} of {len(stream.posted)} webhooks were refused")


def _size(pid: int) -> int:
    """Bytes of address space that a process has now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def deploy(play: Play) -> None:
    """SIGTERM to one process after the other, as a careful deployment does it."""
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, first_phone=9_200_000) as stream:
        for name in (*WORKERS, *WEB):
            took = play.site.stop(name)
            play.site.start(name)
            play.verdict.injected += 1
            play.must(took <= LONGEST_GOODBYE, f"{name} took {took:.0f} s to end")
        play.site.wait_ready()
    play.taken = stream.taken
    play.fault_is_over()


def no_unknown(play: Play) -> None:
    """A clean deployment leaves nothing in doubt."""
    query = """select count(*) from message_attempts a join messages m on m.id = a.message_id
               where m.event_id = %s and a.outcome = 'unknown'"""
    doubtful = play.site.rows(query, play.alerts[0].event_id)[0][0]
    play.must(doubtful == 0, f"{doubtful} texts were in doubt after a clean deployment")


def jump_clock(play: Play) -> None:
    """One sender's clock goes an hour ahead, then an hour behind; the database's stays."""
    library = _faketime()
    told = play.site.group.log_dir / "clock-of-sender"
    told.write_text("+0\n")
    changes = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(told), "FAKETIME_NO_CACHE": "1"}
    _restart_senders(play, {SENDERS[0]: {**changes, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}})
    play.site.stop(SENDERS[1])
    alert = play.send()
    play.wait_until_moving(alert)
    for offset in ("+3600\n", "-3600\n"):
        told.write_text(offset)
        play.verdict.injected += 1
        play.wait(2.0)
    play.must(play.wait_until_gone(alert, 60), "a sender whose clock jumps does not get done")
    play.fault_is_over()
    _restart_senders(play, {})


def two_of_everything(play: Play) -> None:
    """Three clocks sweep; two approvers press at the same moment, one of them twice."""
    for name in ("clock-2", "clock-3"):
        play.site.start(name)
    alert = play.write()
    visitors = [sign_in(play.site.url, name) for name in ("boris", "boris", "dana")]
    barrier = threading.Barrier(len(visitors))
    for visitor in visitors:
        visitor.open(alert.path)
    presses: list[Callable[[], None]] = [partial(_press, play, visitor, barrier) for visitor in visitors]
    threads = [threading.Thread(target=press) for press in presses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    play.verdict.injected = 2 + len(visitors)
    play.find_event(alert)
    decided = "select count(*) from alert_decisions where alert_id = %s and action = 'approve'"
    number = play.site.rows(decided, alert.path.rsplit("/", 1)[1])[0][0]
    play.must(number == 1, f"{number} approvals were counted")
    play.must(play.wait_until_gone(alert, 60), "not all texts left")
    for name in ("clock-2", "clock-3"):
        play.site.stop(name)
    play.fault_is_over()


def poison(play: Play) -> None:
    """A row that makes every worker fail that takes it up, among good ones."""
    for name in SENDERS:
        os.kill(play.site.pid(name), signal.SIGSTOP)
    alert = play.send()
    spoil = """update messages set contact_point_id = gen_random_uuid()
               where id = (select min(id) from messages where event_id = %s) returning id"""
    alert.exempt = {int(row[0]) for row in play.site.rows(spoil, alert.event_id)}
    play.verdict.injected = 1
    for name in SENDERS:
        os.kill(play.site.pid(name), signal.SIGCONT)
    others = alert.people - 1
    play.must(eventually(lambda: play.gone(alert) >= others, 60), "the others did not leave")
    play.fault_is_over()


def is_held(play: Play) -> None:
    """It is held for an officer, after three tries."""
    query = "select state, deaths from messages where id = any(%s)"
    poisonous = list(play.alerts[0].exempt)
    eventually(lambda: play.site.rows(query, poisonous)[0][0] == "held", 150)
    state, deaths = play.site.rows(query, poisonous)[0]
    play.must(state == "held", f"the poisonous row is {state} after {deaths} deaths")


def starve(play: Play) -> None:
    """Twice as many busy programs as there are processors, and the workers come last."""
    alert = play.send()
    for name in WORKERS:
        os.setpriority(os.PRIO_PROCESS, play.site.pid(name), 10)
    count = 2 * (os.cpu_count() or 2)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    play.verdict.injected = count
    try:
        play.wait(10.0)
    finally:
        for one in busy:
            one.kill()
            one.wait()
    play.fault_is_over()
    for name in WORKERS:
        play.kill(name, signal.SIGTERM)
    play.must(play.wait_until_gone(alert, 90), "not all texts left")


def _press(play: Play, visitor: object, barrier: threading.Barrier) -> None:
    form = visitor.form("/approve")  # type: ignore[attr-defined]
    barrier.wait()
    try:
        visitor.send(form, typed_count=form.values.get("seen_count", ""))  # type: ignore[attr-defined]
    except PageError as error:
        play.must("409" in str(error), f"a press was answered wrongly: {error}")


def _restart_senders(play: Play, changes: dict[str, dict[str, str]]) -> None:
    for name in SENDERS:
        if name in play.site.kept:
            play.site.stop(name)
        play.site.start(name, **changes.get(name, {}))


def _faketime() -> str:
    for place in _FAKETIME:
        path = Path(place.format(os.uname().machine))
        if path.exists():
            return str(path)
    raise Skipped("libfaketime is not installed (Debian: apt install libfaketime)")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


CASES = [
    Case("F0", "no fault", "-", "everything leaves once", nothing, is_ci=True),
    Case("F1", "SIGKILL of senders, random", "P3-P6", "nothing twice, nothing lost", kill_senders, is_ci=True),
    Case("F2", "SIGSTOP longer than the lease", "P3-P6", "nothing twice", freeze_sender, is_ci=True),
    Case("F3", "SIGKILL of a child, of groups", "P5, P8", "what was answered 2xx is stored", kill_groups),
    Case("F3b", "no more memory (RLIMIT_AS)", "P5, P8, P9", "what was answered 2xx is stored", no_memory),
    Case("F4", "SIGTERM to every process", "P3-P6, P13", "no `unknown`, gone in 20 s", deploy, no_unknown, is_ci=True),
    Case("F19", "clock of a sender jumps by 1 h", "P3-P6", "nothing early, nothing twice", jump_clock),
    Case(
        "F20", "two of everything, double click", "P1, P10", "one fan-out, one approval", two_of_everything, is_ci=True
    ),
    Case("F26", "no processor time", "all", "done all the same", starve),
]

LAST = [Case("F22", "poison row", "P5", "held after 3 tries; the others leave", poison, is_held)]
"""Its row makes senders fail for a minute."""
