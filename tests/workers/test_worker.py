"""Real workers on a real queue: woken, they drain; Redis wiped, killed or stopped in the middle, every text leaves
once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from config import Config
from consular.embedded import EmbeddedServers
from consular.extensions import db
from consular.queueing import QUEUES, Wakeups, connect
from consular.services import sweeping
from tests.conftest import ROOT
from tests.factories import alert_everybody, rows, set_messages, states
from tests.waiting import eventually
from tests.workers.processes import CLOCK, Gateway, environment, practice_gateway, process, worker

PEOPLE = 300


@pytest.fixture
def redis(config: Config) -> Iterator[str]:
    """An empty Redis."""
    assert config.redis_url is not None
    with connect(config.redis_url) as connection:
        connection.flushall()
    yield config.redis_url


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with practice_gateway(tmp_path, "--latency-ms", "20") as started:
        yield started


def now(query: str = "select state, count(*) from messages group by 1") -> dict[str, int]:
    found = {str(row[0]): int(row[1]) for row in rows(db.session, query)}
    db.session.remove()
    return found


def all_sent() -> bool:
    return now() == {"accepted": PEOPLE}


def assert_each_once(gateway: Gateway) -> None:
    counted = Counter(text["to"] for text in gateway.taken())
    assert len(counted) == PEOPLE
    assert set(counted.values()) == {1}


def approve() -> None:
    alert_everybody(db.session, PEOPLE)
    db.session.remove()


def test_a_wake_up_is_enough(committing: Flask, config: Config, redis: str, gateway: Gateway, tmp_path: Path):
    approve()
    wakeups = Wakeups()
    wakeups.configure(redis)
    log = tmp_path / "worker.log"
    with process(worker("exercise"), environment(config, gateway.url), log):
        assert wakeups.kick("exercise", width=2)
        assert eventually(all_sent), log.read_text()
    assert_each_once(gateway)
    assert "+21891" not in log.read_text()


def test_nothing_but_opaque_ids_is_in_redis(committing: Flask, redis: str):
    wakeups = Wakeups()
    wakeups.configure(redis)
    for queue in QUEUES:
        assert wakeups.kick(queue)
    with connect(redis) as connection:
        jobs = [key for key in connection.keys("rq:job:*")]
        assert len(jobs) == len(QUEUES)
        for key in jobs:
            data = connection.hget(key, "data")
            assert b"workers.jobs." in _plain(data)
            assert connection.hget(key, "description").decode() in QUEUES


def _plain(data: bytes) -> bytes:
    import zlib

    return zlib.decompress(data)


def test_the_clock_wakes_workers_after_redis_lost_everything(
    committing: Flask, config: Config, redis: str, gateway: Gateway, tmp_path: Path
):
    approve()
    env = environment(config, gateway.url, EXERCISE_GATEWAY_RATE="150")
    with (
        process(worker("exercise"), env, tmp_path / "worker.log"),
        process(CLOCK, env, tmp_path / "clock.log"),
        connect(redis) as connection,
    ):
        for share in (0.1, 0.3, 0.5, 0.7):
            assert eventually(lambda share=share: now().get("accepted", 0) >= share * PEOPLE)
            connection.flushall()
        assert eventually(all_sent), (tmp_path / "worker.log").read_text()
    assert_each_once(gateway)


def test_redis_killed_and_started_empty(committing: Flask, config: Config, gateway: Gateway, tmp_path: Path):
    import dataclasses

    with EmbeddedServers.temporary() as own:
        settings = dataclasses.replace(config, redis_url=own.redis_url)
        approve()
        env = environment(settings, gateway.url, EXERCISE_GATEWAY_RATE="150")
        with process(CLOCK, env, tmp_path / "clock.log"):
            with process(worker("exercise"), env, tmp_path / "worker.log"):
                assert eventually(lambda: now().get("accepted", 0) >= 0.2 * PEOPLE)
                own.stop_valkey()
                assert eventually(lambda: not now().keys() & {"claimed", "sending"}, 30)
            own.start_valkey()
            with process(worker("exercise"), env, tmp_path / "worker.log"):
                assert eventually(all_sent), (tmp_path / "worker.log").read_text()
    assert_each_once(gateway)


def test_a_worker_waits_for_a_redis_that_is_not_there_yet(committing: Flask, config: Config, tmp_path: Path):
    """One worker that ended would end the whole Procfile with it, and the site with that."""
    log = tmp_path / "worker.log"
    with process(worker("inbound"), environment(config, REDIS_URL="redis://127.0.0.1:9/0"), log) as started:
        assert eventually(lambda: "redis_does_not_answer" in log.read_text()), log.read_text()
        assert started.poll() is None
        started.send_signal(signal.SIGTERM)
        assert started.wait(10) == 0
    assert "Traceback" not in log.read_text()


def test_sigterm_finishes_what_is_in_flight(
    committing: Flask, config: Config, redis: str, gateway: Gateway, tmp_path: Path
):
    approve()
    wakeups = Wakeups()
    wakeups.configure(redis)
    env = environment(config, gateway.url, EXERCISE_GATEWAY_RATE="200")
    with process(worker("exercise"), env, tmp_path / "worker.log") as started:
        wakeups.kick("exercise")
        assert eventually(lambda: now().get("accepted", 0) >= 60)
        started.send_signal(signal.SIGTERM)
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    left = now()
    assert set(left) == {"accepted", "queued"}, "no text of a clean stop may be unknown"
    assert len(gateway.taken()) == left["accepted"]
    with process(worker("exercise"), env, tmp_path / "worker.log"):
        wakeups.kick("exercise")
        assert eventually(all_sent)
    assert_each_once(gateway)


def test_an_idle_worker_stops_at_once(committing: Flask, config: Config, redis: str, tmp_path: Path):
    with (
        process(worker("receipts"), environment(config), tmp_path / "worker.log") as started,
        connect(redis) as connection,
    ):
        assert eventually(lambda: bool(connection.smembers("rq:workers")))
        started.send_signal(signal.SIGTERM)
        assert started.wait(10) == 0


_NAGGED = """
import signal, sys, threading
from workers import runtime

class Nagged(threading.Event):
    def set(self):
        with self._cond:
            signal.raise_signal(signal.SIGTERM)
            self._flag = True
            self._cond.notify_all()

runtime.stopping = Nagged()
"""
"""A process to which the second signal comes while the first is being noted."""


@pytest.mark.parametrize(
    "wait",
    [
        "runtime.heed_signals(); signal.raise_signal(signal.SIGTERM)",
        "from workers.worker import main; threading.Timer(2, signal.raise_signal, [signal.SIGTERM]).start(); "
        "main(['receipts'])",
    ],
    ids=["process", "worker"],
)
@pytest.mark.parametrize("redis_url", ["there", "away"])
def test_a_second_signal_within_the_first_does_not_hang(
    committing: Flask, config: Config, redis: str, wait: str, redis_url: str
):
    changes = {"REDIS_URL": "redis://127.0.0.1:9/0"} if redis_url == "away" else {}
    command = [sys.executable, "-c", f"{_NAGGED}\n{wait}\nassert runtime.stopping.is_set()"]
    done = subprocess.run(command, cwd=ROOT, env=environment(config, **changes), timeout=20, check=False)
    assert done.returncode == 0


def test_a_worker_told_to_stop_before_it_works_does_not_begin(committing: Flask, config: Config, redis: str):
    """The signal came when Redis had answered and the loop had not begun."""
    script = """
from workers import runtime, worker
worker._wait_for = lambda _: runtime.stopping.set() or True
worker.main(["receipts"])
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=environment(config), timeout=20, check=False)
    assert done.returncode == 0


def test_a_busy_worker_is_told_to_stop_without_redis(config: Config, redis: str):
    """An error of Redis in the midst of handing a text over would leave it in doubt."""
    script = f"""
from consular.queueing import connect, open_queue
from workers.worker import ConsularWorker
connection = connect({redis!r})
worker = ConsularWorker([open_queue("receipts", connection)], connection=connection)
worker.set_state("busy")
worker.connection = connect("redis://127.0.0.1:9/0")
worker.request_stop(15, None)
assert worker._stop_requested
"""
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, cwd=ROOT, env=environment(config), timeout=20, check=False).returncode == 0


def test_workers_killed_in_the_middle_lose_and_double_nothing(
    committing: Flask, config: Config, redis: str, gateway: Gateway, tmp_path: Path
):
    """Killed twice only: a text whose worker died three times is held for an officer."""
    approve()
    env = environment(config, gateway.url, EXERCISE_GATEWAY_RATE="300")
    with process(CLOCK, env, tmp_path / "clock.log"):
        for share in (0.1, 0.5):
            with process(worker("exercise"), env, tmp_path / "worker.log") as started:
                assert eventually(lambda share=share: len(gateway.taken()) >= share * PEOPLE)
                started.kill()
            set_messages(db.session, "lease_until = now() - interval '1 second'", "state in ('claimed', 'sending')")
            db.session.remove()
        with process(worker("exercise"), env, tmp_path / "worker.log"):

            def settled() -> bool:
                moves = ", ".join(
                    f"{c} = {c} - interval '40 seconds'" for c in ("not_before", "not_found_at", "sending_at")
                )
                set_messages(db.session, moves, "state = 'unknown' and not_found_at is not null")
                return all_sent()

            assert eventually(settled, 40), (now(), (tmp_path / "worker.log").read_text())
    assert_each_once(gateway)


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["twilio", "exercise"]], ids=["none", "unknown", "two"])
def test_a_worker_says_which_queues_there_are(arguments):
    command = [sys.executable, "-m", "workers.worker", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(queue in done.stderr for queue in QUEUES)


def test_without_redis_nothing_waits_and_the_services_do_the_work(committing: Flask):
    from tests.fakes import FakeGateway
    from tests.services.test_delivery import send

    nowhere = Wakeups()
    nowhere.configure("redis://127.0.0.1:9/0")
    assert [nowhere.kick("exercise") for _ in range(100)] == [False] * 100
    approve()
    gateway = FakeGateway()
    send(gateway)
    sweeping.sweep()
    assert states(db.session) == {"accepted": PEOPLE}
