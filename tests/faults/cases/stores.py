"""Valkey and PostgreSQL that die, hang, refuse or fill up (F5-F8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests

from consular.embedded import EmbeddedServers
from tests.faults.play import Play
from tests.faults.posting import Stream
from tests.faults.story import Case
from tests.faults.world import SENDERS, WORKERS
from tests.waiting import eventually

LONGEST_DELAY = 5.0
SLOWEST_WEBHOOK = 3.0
LONGEST_REQUEST = 15.5
CROWD = 50
_DRAIN = "from consular.cli.main import main; main()"


def kill_valkey(play: Play) -> None:
    """kill -9, and an empty one in its place."""
    if not play.stage.normal_seconds:
        play.stage.normal_seconds = _undisturbed(play)
    began = time.monotonic()
    alert = play.send()
    play.wait_until_moving(alert)
    crash_valkey(play)
    away = 3.0
    play.wait(away)
    play.site.servers.start_valkey()
    play.fault_is_over()
    play.must(play.wait_until_gone(alert, 90), "not all texts left")
    added = time.monotonic() - began - play.stage.normal_seconds - away
    play.note(f"the loss of Valkey added {max(0.0, added):.1f} s")
    play.must(added <= LONGEST_DELAY, f"the loss of Valkey added {added:.0f} s")


def _undisturbed(play: Play) -> float:
    """How long an alert takes without any fault, where F0 was not played before."""
    began = time.monotonic()
    play.must(play.wait_until_gone(play.send(), 120), "not all texts left without any fault")
    return time.monotonic() - began


def without_valkey(play: Play) -> None:
    """No Valkey from the start: workers wait, `consular drain` sends."""
    crash_valkey(play)
    for name in WORKERS:
        play.site.stop(name)
    for name in WORKERS:
        play.site.start(name)
    alert = play.send()
    command = [sys.executable, "-c", _DRAIN, "drain", "--gateway", "exercise"]
    env = {**os.environ, **play.site.env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    play.must(done.returncode == 0, f"`consular drain` ended with {done.returncode}: {done.stderr[-300:]}")
    play.must(play.wait_until_gone(alert, 5), f"`consular drain` left {alert.people - play.gone(alert)} texts")
    play.site.servers.start_valkey()
    play.fault_is_over()


def hamper_valkey(play: Play) -> None:
    """It hangs, is full, is read-only: webhooks go on as if nothing were."""
    valkey: Any = redis.Redis.from_url(play.site.env["REDIS_URL"])
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, rate=30.0, first_phone=9_300_000) as stream:
        for hamper, mend, seconds in _troubles():
            valkey.execute_command(*hamper)
            play.verdict.injected += 1
            play.wait(seconds)
            valkey.execute_command(*mend)
    play.fault_is_over()
    play.taken = stream.taken
    refused = [one.status for one in stream.posted if not one.is_taken]
    play.must(not refused, f"{len(refused)} webhooks were refused: {sorted(set(refused))}")
    play.note(f"webhooks under a hampered Valkey: 99 % within {stream.slowest():.2f} s of {len(stream.posted)}")
    play.must(stream.slowest() < SLOWEST_WEBHOOK, f"webhooks took {stream.slowest():.1f} s")


def crash_postgres(play: Play) -> None:
    """Three immediate crashes while texts leave and come in."""
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, first_phone=9_400_000) as stream:
        for _ in range(3):
            play.wait(1.5)
            down_at = time.time()
            crash(play)
            play.wait(1.5)
            up_at = time.time()
            play.site.servers.start_postgres()
            lied = [
                one for one in stream.posted if down_at + 0.3 < one.at - one.seconds and one.at < up_at and one.is_taken
            ]
            play.must(not lied, f"{len(lied)} webhooks were answered 2xx without a database")
        play.wait(2.0)
        play.site.wait_ready()
        play.wait(1.0)
    play.fault_is_over()
    play.taken = stream.taken
    play.must(any(one.is_taken for one in stream.posted[-10:]), "webhooks did not come back")
    play.must(any(one.status >= 500 for one in stream.posted), "no webhook was ever answered 5xx")


def cut_connections(play: Play) -> None:
    """All connections to the database end, again and again; processes stay."""
    alert = play.send()
    play.wait_until_moving(alert)
    before = {name: play.site.pid(name) for name in ("web", "hooks", *SENDERS)}
    with Stream(play.site, first_phone=9_500_000) as stream:
        play.every((0.8, 1.6), 5, lambda: terminate_backends(play))
        play.wait(2.0)
    play.fault_is_over()
    play.taken = stream.taken
    slowest = stream.slowest(1.0)
    play.must(slowest <= LONGEST_REQUEST, f"a request took {slowest:.1f} s")
    play.must(any(one.is_taken for one in stream.posted[-10:]), "webhooks did not come back")
    ended = [name for name, pid in before.items() if play.site.pid(name) != pid]
    play.must(not ended, f"ended by a lost connection: {', '.join(ended)}")


def lock_and_crowd(play: Play) -> None:
    """A session holds the sender's row, then more readers come at once than there are connections."""
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, first_phone=9_550_000) as stream, psycopg.connect(play.site.database_url) as holder:
        holder.execute("select 1 from senders where gateway = 'exercise' for update")
        play.verdict.injected += 1
        play.wait(8.0)
        holder.rollback()
        slowest, failed = _crowd(play)
    play.fault_is_over()
    play.taken = stream.taken
    refused = sum(1 for one in stream.posted if not one.is_taken)
    play.must(refused == 0, f"{refused} of {len(stream.posted)} webhooks were refused")
    play.must(stream.slowest(1.0) <= LONGEST_REQUEST, f"a webhook took {stream.slowest(1.0):.1f} s")
    play.must(failed == 0 and slowest <= LONGEST_REQUEST, f"{failed} readers failed, the slowest took {slowest:.1f} s")
    play.must(play.wait_until_gone(alert, 60), "not all texts left")
    play.note(f"{CROWD} readers at once: the slowest page took {slowest:.1f} s")


def _crowd(play: Play) -> tuple[float, int]:
    """CROWD browsers read a page that asks the database: seconds of the slowest, and how many got no page."""

    def read(_number: int) -> tuple[float, bool]:
        began = time.monotonic()
        try:
            is_read = requests.get(f"{play.site.url}/metrics", timeout=30).status_code == 200
        except requests.RequestException:
            is_read = False
        return time.monotonic() - began, is_read

    play.verdict.injected += CROWD
    with ThreadPoolExecutor(CROWD) as pool:
        answers = list(pool.map(read, range(CROWD)))
    return max(seconds for seconds, _ in answers), sum(1 for _, is_read in answers if not is_read)


def crash(play: Play) -> None:
    """PostgreSQL ends at once, as `pg_ctl -m immediate stop` does it; it must be started again."""
    pid = postmaster(play.site.servers, play.site.database_url)
    os.kill(pid, signal.SIGQUIT)
    play.verdict.injected += 1
    play.must(eventually(lambda: _has_ended(pid), 15), "PostgreSQL did not end")


def postmaster(servers: EmbeddedServers, url: str) -> int:
    """The number of PostgreSQL's first process."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select current_setting('data_directory')").fetchone()
    assert row is not None
    with open(f"{row[0]}/postmaster.pid", encoding="ascii") as file:
        return int(file.readline())


def _has_ended(pid: int) -> bool:
    """Whether a process runs no more, its parent having noticed or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def crash_valkey(play: Play) -> None:
    """kill -9."""
    valkey = redis.Redis.from_url(play.site.env["REDIS_URL"])
    pid = int(valkey.info("server")["process_id"])
    os.kill(pid, signal.SIGKILL)
    play.verdict.injected += 1
    play.site.servers.stop_valkey()


def terminate_backends(play: Play) -> None:
    """Every connection of the installation ends."""
    query = """select count(pg_terminate_backend(pid)) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()"""
    play.verdict.injected += int(play.site.rows(query)[0][0])


def _troubles() -> list[tuple[tuple[object, ...], tuple[object, ...], float]]:
    return [
        (("CLIENT", "PAUSE", 20_000, "ALL"), ("PING",), 20.0),
        (("CONFIG", "SET", "maxmemory", "1mb"), ("CONFIG", "SET", "maxmemory", "256mb"), 5.0),
        (("REPLICAOF", "127.0.0.1", 9), ("REPLICAOF", "NO", "ONE"), 5.0),
    ]


CASES = [
    Case("F5", "Valkey kill -9, empty restart", "all", "<= 5 s later, nothing twice", kill_valkey, is_ci=True),
    Case("F5b", "Valkey never there", "all", "`consular drain` sends it all", without_valkey, is_ci=True),
    Case("F6", "Valkey hangs, full, read-only", "P2, P8", "webhooks 2xx, 99 % < 3 s", hamper_valkey),
    Case("F7", "PostgreSQL crashes", "P3-P9", "webhooks 5xx meanwhile, nothing lost", crash_postgres, is_ci=True),
    Case("F8", "database connections cut", "all", "no restart, no request > 15 s", cut_connections, is_ci=True),
    Case("F8b", "sender's row locked 8 s, 50 readers", "all", "no request > 15 s; all leave once", lock_and_crowd),
]
