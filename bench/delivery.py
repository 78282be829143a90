"""The sending of an alert, beside a bare pipeline without the state machine, beside one RQ job per recipient.

    python bench/delivery.py [--people 18000] [--rounds 3] [--naive 400] [--latency-ms 80]

Everything runs on this machine: practice gateway, PostgreSQL, workers, clock. All sides speak to the same gateway, the
first two with the same client, number of processes and requests in flight; both over plain HTTP and over TLS, in turn.
Messages per second count from the first request that left to the last outcome on record.
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
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from bench import bare_pipeline, crowd
from bench.stage import ROOT, Stage, stage
from consular.drill import scenario, world
from consular.processes import Program
from consular.queries import drills
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work

NAIVE_WORKERS = 2
WANTED = 0.6
_BODY = scenario.load("libya-2011").alert_texts["en"]


def main() -> int:
    """Measure all; 1 when less than the wanted share of the bare pipeline is reached."""
    options = _options()
    plan: dict[str, Any] = {"rate": 1_000_000.0, "concurrency": options.concurrency, "latency_ms": options.latency_ms}
    with stage("delivery", {"LY": options.people}, tls=True, **plan) as on_stage:
        crisis = on_stage.open_crisis("Libya 2011", "LY")
        lines = [_compare(on_stage, crisis, options, over) for over in ("http", "https")]
        memory = {name: _peak_megabytes(on_stage.running.group[name].pid) for name in on_stage.running.names}
        naive = _naive(on_stage.running, options.naive)
    figures = {
        "people": options.people,
        "latency_ms": options.latency_ms,
        **{f"{name}_{line['over']}": value for line in lines for name, value in line.items() if name != "over"},
        "naive_messages_per_s": round(naive, 1),
        "ratio_to_naive": round(lines[0]["messages_per_s"] / naive, 1),
        "peak_mb": max(memory.values()),
        "peak_mb_by_process": memory,
    }
    _print(figures)
    print(json.dumps({"bench": "delivery", **figures}))
    return 0 if all(line["share_of_bare"] >= WANTED for line in lines) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=18_000)
    parser.add_argument("--rounds", type=int, default=3, help="of each side over each of HTTP and TLS; medians count")
    parser.add_argument("--naive", type=int, default=400, help="messages sent the usual way")
    parser.add_argument("--latency-ms", type=float, default=80.0)
    parser.add_argument("--concurrency", type=int, default=600, help="requests in flight per worker process")
    return parser.parse_args()


def _compare(on_stage: Stage, crisis: str, options: argparse.Namespace, over: str) -> dict[str, Any]:
    env = on_stage.running.env
    if over == "http":
        before = {name: env[name] for name in ("EXERCISE_GATEWAY_BASE_URL", "EXERCISE_GATEWAY_CA_FILE")}
        on_stage.reset_workers(EXERCISE_GATEWAY_BASE_URL=on_stage.running.gateway_url, EXERCISE_GATEWAY_CA_FILE="")
    rounds = [(_ours(on_stage, crisis), _bare(on_stage, options.people)) for _ in range(options.rounds)]
    if over == "http":
        on_stage.reset_workers(**before)
    return {
        "over": over,
        "approval_s": round(median(ours["approval_s"] for ours, _ in rounds), 3),
        "first_accepted_s": round(median(ours["first_accepted_s"] for ours, _ in rounds), 3),
        "all_accepted_s": round(median(ours["all_accepted_s"] for ours, _ in rounds), 3),
        "messages_per_s": round(median(ours["messages_per_s"] for ours, _ in rounds)),
        "bare_messages_per_s": round(median(bare for _, bare in rounds)),
        "share_of_bare": round(median(ours["messages_per_s"] / bare for ours, bare in rounds), 2),
    }


def _ours(on_stage: Stage, crisis: str) -> dict[str, float]:
    """One alert to everybody; seconds count from the moment of approval."""
    event, pressed, answered = on_stage.approve(on_stage.submit(crisis, "LY", asks=True, words=_BODY))
    on_stage.wait(_nothing_waits)
    with unit_of_work() as session:
        times = drills.handover_times(event)
        seconds = session.connection().exec_driver_sql(_SPAN.format(event=event)).scalar_one()
    return {
        "approval_s": answered - pressed,
        "first_accepted_s": float(times.first),
        "all_accepted_s": float(times.last),
        "messages_per_s": times.number / float(seconds),
    }


_SPAN = """
select extract(epoch from max(a.recorded_at) - min(a.started_at)) from message_attempts a
join messages m on m.id = a.message_id where m.event_id = '{event}' and a.outcome = 'accepted'
"""


def _nothing_waits() -> bool:
    with unit_of_work():
        return not drills.waiting()["messages"]


def _bare(on_stage: Stage, people: int) -> float:
    """The same texts to the same phones by as many bare processes; messages per second."""
    running = on_stage.running
    names = [f"bare-{number}" for number in range(world.SENDING_WORKERS)]
    template = running.group["worker-exercise-1"].program
    with psycopg.connect(_address(running), autocommit=True) as database:
        database.execute(bare_pipeline.TABLE)
        database.execute("truncate bare_messages")
        for name in names:
            argv = [sys.executable, "-m", "bench.bare_pipeline"]
            running.group.start(replace(template, name=name, argv=argv, cwd=ROOT, supervise=False))
        on_stage.wait(lambda: all("ready" in running.group.tail(name) for name in names))
        texts = _texts(on_stage, people)
        with (
            database.transaction(),
            database.cursor().copy("copy bare_messages (id, phone, body, state) from stdin") as copy,
        ):
            for row in texts:
                copy.write_row((*row, "queued"))
        while any(running.group[name].exit_code is None for name in names):
            time.sleep(0.05)
        for name in names:
            running.group.stop_child(name)
        number, seconds = database.execute(
            "select count(*) filter (where state = 'accepted'), extract(epoch from max(recorded_at) - min(started_at))"
            " from bare_messages"
        ).fetchone() or (0, 1)
    assert number == people, f"the bare pipeline lost {people - number} texts"
    return float(number / seconds)


def _texts(on_stage: Stage, people: int) -> list[tuple[int, str, str]]:
    """What the product sent last, to the byte but for link and reference."""
    book = TextBook(on_stage.running.config.public_url)
    with unit_of_work():
        event = drills.latest_event()
        assert event is not None
        event_id: UUID = event.id
        book.event(event_id)
    return [(one, phone, book.alert(event_id, "en", one)) for one, phone in enumerate(crowd.phones("LY", people))]


def _address(running: world.World) -> str:
    return running.env["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")


def _naive(running: world.World, number: int) -> float:
    """Messages per second of RQ's SimpleWorkers (faster than its default, which forks for each job)."""
    with psycopg.connect(_address(running), autocommit=True) as database:
        database.execute(
            "create table naive_messages (id int primary key, phone text, body text, sid text, sent_at timestamptz)"
        )
        with database.cursor() as cursor:
            rows = [(n, phone, _BODY) for n, phone in enumerate(crowd.phones("LY", number))]
            cursor.executemany("insert into naive_messages (id, phone, body) values (%s, %s, %s)", rows)
        with _naive_workers(running, _address(running)):
            queue = Queue("naive", connection=Redis.from_url(running.env["REDIS_URL"]), serializer=JSONSerializer)
            started = time.monotonic()
            queue.enqueue_many(
                [Queue.prepare_data("naive_jobs.send", (n,), job_id=f"n-{uuid4()}") for n in range(number)]
            )
            while database.execute("select 1 from naive_messages where sent_at is null limit 1").fetchone():
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


def _print(figures: dict[str, Any]) -> None:
    about = f"{figures['people']:,} texts, {os.cpu_count()} cores for gateway, database and workers together"
    print(f"{about}, {figures['latency_ms']:g} ms gateway")
    print(f"  {'':>24}  {'HTTP':>12}  {'TLS':>12}")
    rows = ("approval_s", "first_accepted_s", "all_accepted_s", "messages_per_s", "bare_messages_per_s")
    for name in (*rows, "share_of_bare"):
        print(f"  {name:>24}  {figures[f'{name}_http']:>12,}  {figures[f'{name}_https']:>12,}")
    print(f"  {'one job per recipient /s':>24}  {figures['naive_messages_per_s']:>12,}")
    print(f"  {'ratio to that':>24}  {figures['ratio_to_naive']:>12,}")
    print(f"  {'peak memory, MB':>24}  {figures['peak_mb']:>12,}")


if __name__ == "__main__":
    sys.exit(main())
