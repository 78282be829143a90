"""Approval to "all accepted" over HTTP by a gateway that takes 80 ms, beside one RQ job per recipient with twilio's
client.

    python bench/delivery.py [--people 18000] [--naive 400] [--latency-ms 80]

Everything runs on this machine: gateway (profile lean), database, workers, clock. Both sides use the same gateway
process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from consular import create_app
from consular.cli.operate import upgrade_schema
from consular.drill import desk, enrolment, scenario, world
from consular.processes import Program
from consular.queries import drills
from consular.services.keys import note_keys
from consular.services.places import load_gazetteer
from consular.services.transactions import unit_of_work

ROOT = Path(__file__).resolve().parents[1]
NAIVE_WORKERS = 2


def main() -> int:
    """Measure both and print the ratio."""
    options = _options()
    chosen = scenario.load("libya-2011")
    plan = world.Plan("lean", 7, 1.0, rate=1_000_000.0, concurrency=options.concurrency, latency_ms=options.latency_ms)
    officers = []
    with world.running(plan, lambda config: officers.append(_prepare(config))) as running:
        app = create_app(running.config)
        with app.app_context():
            by_form, listed = enrolment.split(options.people, 0, 7, chosen)
            enrolment.take_over([*by_form, *listed], "bench", lambda _: None)
            released = desk.issue(running.web_url, officers[0], chosen)
            ours = _measure(running)
        naive = _naive(running, options.naive)
        memory = {name: _peak_megabytes(running.group[name].pid) for name in running.names}
    figures = {
        "people": options.people,
        "latency_ms": options.latency_ms,
        "approval_s": round(released.approval_seconds, 3),
        **ours,
        "naive_messages_per_s": round(naive, 1),
        "ratio": round(ours["messages_per_s"] / naive, 1),
        "peak_mb": max(memory.values()),
        "peak_mb_by_process": memory,
    }
    _print(figures)
    print(json.dumps({"bench": "delivery", **figures}))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_250, help="about one in nine shares a phone")
    parser.add_argument("--naive", type=int, default=400, help="messages sent the usual way")
    parser.add_argument("--latency-ms", type=float, default=80.0)
    parser.add_argument("--concurrency", type=int, default=600, help="requests in flight per worker process")
    return parser.parse_args()


def _prepare(config):  # type: ignore[no-untyped-def]
    app = create_app(config)
    with app.app_context():
        upgrade_schema(config.database_url)
        note_keys()
        load_gazetteer()
        return desk.hire()


def _measure(running: world.World) -> dict[str, float]:
    with unit_of_work():
        event = drills.latest_event()
    while True:
        running.check()
        with unit_of_work():
            if not drills.waiting()["messages"]:
                break
        time.sleep(0.1)
    with unit_of_work():
        times = drills.handover_times(event.id)
    return {
        "messages": int(times.number),
        "first_handover_s": round(float(times.first), 3),
        "all_accepted_s": round(float(times.last), 3),
        "messages_per_s": round(times.number / float(times.last), 1),
    }


def _naive(running: world.World, number: int) -> float:
    """Messages per second of RQ's SimpleWorkers (faster than its default, which forks for each job)."""
    url = running.env["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")
    body = scenario.load("libya-2011").alert_texts["en"]
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(
            "create table naive_messages (id int primary key, phone text, body text, sid text, sent_at timestamptz)"
        )
        with database.cursor() as cursor:
            rows = [(n, f"+2189{n % 9}{n:07d}", body) for n in range(number)]
            cursor.executemany("insert into naive_messages (id, phone, body) values (%s, %s, %s)", rows)
        with _naive_workers(running, url):
            queue = Queue("naive", connection=Redis.from_url(running.env["REDIS_URL"]), serializer=JSONSerializer)
            started = time.monotonic()
            queue.enqueue_many(
                [Queue.prepare_data("naive_jobs.send", (n,), job_id=f"n-{uuid4()}") for n in range(number)]
            )
            while database.execute("select count(*) from naive_messages where sent_at is null").fetchone()[0]:
                time.sleep(0.05)
            return number / (time.monotonic() - started)


@contextmanager
def _naive_workers(running: world.World, database_url: str) -> Iterator[None]:
    env = {
        "NAIVE_GATEWAY": running.gateway_url,
        "NAIVE_SID": running.env["EXERCISE_GATEWAY_ACCOUNT_SID"],
        "NAIVE_TOKEN": running.env["EXERCISE_GATEWAY_AUTH_TOKEN"],
        "NAIVE_DATABASE": database_url,
        "PYTHONPATH": str(ROOT / "bench"),
    }
    command = [sys.executable, "-m", "rq.cli", "worker", "naive", "--url", running.env["REDIS_URL"], "-S", "json"]
    names = [f"naive-{n}" for n in range(NAIVE_WORKERS)]
    for name in names:
        running.group.start(
            Program(name, [*command, "--worker-class", "rq.SimpleWorker", "--quiet"], env=env, cwd=ROOT / "bench")
        )
    connection = Redis.from_url(running.env["REDIS_URL"])
    while connection.scard("rq:workers:naive") < NAIVE_WORKERS:
        time.sleep(0.05)
    yield
    for name in names:
        running.group.stop_child(name)


def _peak_megabytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def _print(figures: dict[str, object]) -> None:
    print(f"{os.cpu_count()} cores, gateway, database and workers together, {figures['latency_ms']:g} ms gateway")
    for name in (
        "messages",
        "approval_s",
        "first_handover_s",
        "all_accepted_s",
        "messages_per_s",
        "naive_messages_per_s",
    ):
        print(f"  {name:>24}  {figures[name]:>12,}")
    print(f"  {'ratio':>24}  {figures['ratio']:>12,}")
    print(f"  {'peak memory, MB':>24}  {figures['peak_mb']:>12,}")


if __name__ == "__main__":
    sys.exit(main())
