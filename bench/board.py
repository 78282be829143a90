"""The officers' screen with 18,000 and 1,000,000 people: 50 officers poll the board every 2 s while replies come in.

    python bench/board.py [--people 18000 1000000] [--officers 50] [--seconds 20] [--replies 300]

Everything runs on this machine: PostgreSQL, gunicorn with two workers, the officers' browsers, and the replies.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import requests
from sqlalchemy import text

from bench.board_rows import fill
from bench.officers import polling
from config import Config
from consular import create_app
from consular.cli.operate import upgrade_schema
from consular.clock import utc_now
from consular.domain.triage import Stated, StatementSource
from consular.drill.pages import Visitor
from consular.embedded import EmbeddedServers
from consular.extensions import db
from consular.loopback import free_port
from consular.models.officers import Role
from consular.queries import board, counters, people, reach
from consular.queries import requests as queue
from consular.security.fields import generate_keys
from consular.services.keys import note_keys
from consular.services.officers import add_officer
from consular.services.statuses import NewStatement, record_statements
from consular.services.transactions import unit_of_work

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a long bench password 7"
STEP = 50


def main() -> int:
    """Measure every size; 1 when a figure of the issue is missed or the counters drift."""
    options = _options()
    results = [_measure(size, options) for size in options.people]
    for result in results:
        print(json.dumps({"bench": "board", **result}))
    return 0 if all(result["ok"] for result in results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[18_000, 1_000_000])
    parser.add_argument("--officers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--replies", type=int, default=300, help="replies a second meanwhile")
    return parser.parse_args()


def _measure(size: int, options: argparse.Namespace) -> dict[str, object]:
    with EmbeddedServers.temporary() as servers:
        env = _environment(servers)
        app = create_app(Config.from_env(env))
        with app.app_context():
            upgrade_schema(app.config["CONSULAR"].database_url)
            note_keys()
            officer_id = add_officer("bench", "Bench Officer", Role.AUTHOR, PASSWORD, utc_now())
            crisis_id, event_id, seconds = fill(size, "Libya 2011", officer_id)
            result: dict[str, object] = {"people": size, "filled_s": round(seconds, 1)}
            result |= _direct(crisis_id, event_id)
            result |= _polled(env, crisis_id, options)
            result["counters_agree"] = _agree(crisis_id)
            db.session.remove()
            db.engine.dispose()
        limit = 200 if size <= 18_000 else 500
        result["ok"] = bool(result["poll_p95_ms"] < limit and result["counters_agree"])  # type: ignore[operator]
        _print(result)
    return result


def _environment(servers: EmbeddedServers) -> dict[str, str]:
    port = free_port()
    return os.environ | {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "SECRET_KEY": secrets.token_hex(32),
        "CONSULAR_KEYS": generate_keys(),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WEB_THREADS": "16",
    }


def _direct(crisis_id: UUID, event_id: UUID) -> dict[str, object]:
    """Milliseconds of the functions themselves, median of several calls in this process."""
    crisis = board.find_crisis(crisis_id)
    assert crisis is not None
    deep = _deep_place(crisis_id)
    ids = list(
        db.session.scalars(text("select id from messages where event_id = :e order by id limit 21000"), {"e": event_id})
    )
    scans = _sequential_scans()
    result: dict[str, object] = {
        "board_query_ms": _median(lambda: board.look(crisis)),
        "list_first_ms": _median(lambda: people.list_bucket(crisis_id, board.Bucket.SAFE)),
        "list_deep_ms": _median(lambda: people.list_bucket(crisis_id, board.Bucket.SAFE, deep)),
        "list_silent_ms": _median(lambda: people.list_bucket(crisis_id, board.Bucket.SILENT)),
        "list_everybody_ms": _median(lambda: people.list_buckets(crisis_id, tuple(board.Bucket))),
        "queue_page_ms": _median(lambda: queue.open_page(crisis_id)),
        "reach_1000_ms": _reach(ids),
        "statements_per_s": _statements(crisis_id),
    }
    result["sequential_scans"] = _sequential_scans() - scans
    result["recount_ms"] = _median(lambda: counters.recount_crisis(crisis_id), 1)
    return result


def _sequential_scans() -> int:
    """How often a big table was read from end to end so far: none of the measured calls may add to it."""
    db.session.rollback()
    db.session.execute(text("select pg_stat_force_next_flush(), pg_sleep(0.1), pg_stat_clear_snapshot()"))
    db.session.rollback()
    return int(
        db.session.scalar(
            text(
                "select sum(seq_scan) from pg_stat_user_tables where relname in ('people', 'registrations', 'stays',"
                " 'messages', 'recipients', 'person_statuses', 'status_events', 'assistance_requests')"
            )
        )
    )


def _deep_place(crisis_id: UUID) -> people.Place | None:
    row = db.session.execute(
        text(
            "select person_id, stated_at from person_statuses where crisis_id = :c and bucket = 'safe'"
            " order by stated_at, person_id"
            " offset (select count(*) / 2 from person_statuses where bucket = 'safe') limit 1"
        ),
        {"c": crisis_id},
    ).one_or_none()
    return people.Place(row.person_id, row.stated_at) if row else None


def _median(call, times: int = 7) -> float:  # type: ignore[no-untyped-def]
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        db.session.rollback()
        taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 1)


def _reach(ids: list[int]) -> float:
    """One call for 1,000 messages whose delivery has just been reported, states included."""
    taken = []
    for start in range(0, min(len(ids) - 1000, 20_000), 1000):
        some = ids[start : start + 1000]
        with unit_of_work() as session:
            session.execute(text("update messages set state = 'delivered' where id = any(:ids)"), {"ids": some})
            started = time.perf_counter()
            reach.apply(session, some)
            taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 1)


def _statements(crisis_id: UUID) -> float:
    """Statements recorded a second, 500 to a transaction."""
    ids = _people(crisis_id, 10_000)
    started = time.perf_counter()
    for start in range(0, len(ids), 500):
        _say(crisis_id, ids[start : start + 500], f"bulk-{start}")
    return round(len(ids) / (time.perf_counter() - started))


def _people(crisis_id: UUID, number: int) -> list[UUID]:
    statement = text("select person_id from person_statuses where crisis_id = :c order by person_id limit :n")
    return list(db.session.scalars(statement, {"c": crisis_id, "n": number}))


def _say(crisis_id: UUID, ids: list[UUID], key: str) -> None:
    kinds = (Stated.SAFE, Stated.SAFE, Stated.SAFE, Stated.NOT_THERE, Stated.UNCLEAR, Stated.NEEDS_HELP)
    with unit_of_work() as session:
        record_statements(
            session,
            [
                NewStatement(
                    crisis_id=crisis_id,
                    person_id=person_id,
                    source=StatementSource.SMS,
                    said_at=utc_now(),
                    stated=kinds[number % len(kinds)],
                    text_key=f"{key}-{number}",
                )
                for number, person_id in enumerate(ids)
            ],
        )


def _polled(env: dict[str, str], crisis_id: UUID, options: argparse.Namespace) -> dict[str, object]:
    with _web(env) as url:
        visitor = Visitor(url)
        visitor.open("/officer/sign-in")
        visitor.send(visitor.form("sign-in"), username="bench", password=PASSWORD)
        cookies = visitor._session.cookies.get_dict()
        page = requests.get(f"{url}/officer/crises/{crisis_id}/board", cookies=cookies, timeout=30)
        page.raise_for_status()
        with polling(f"{url}/officer/crises/{crisis_id}/board/fragment", cookies, options.officers) as polls:
            said = _replies(crisis_id, options.replies, options.seconds)
        assert not polls.failures, polls.failures[:3]
    return {
        "officers": options.officers,
        "replies_per_s": said,
        "polls": len(polls.seen),
        "not_modified": polls.unchanged,
        "poll_p50_ms": polls.ms(50),
        "poll_p95_ms": polls.ms(95),
        "poll_max_ms": polls.ms(100),
        "fragment_bytes": polls.largest,
    }


def _replies(crisis_id: UUID, per_second: int, seconds: float) -> float:
    """Replies come in, as the inbound worker records them; how many a second there really were."""
    ids, said, started = _people(crisis_id, 10_000), 0, time.monotonic()
    while (now := time.monotonic() - started) < seconds:
        if said < now * per_second:
            place = said % (len(ids) - STEP)
            _say(crisis_id, ids[place : place + STEP], f"live-{said}")
            said += STEP
        else:
            time.sleep(0.01)
    return round(said / seconds)


@contextmanager
def _web(env: dict[str, str]) -> Iterator[str]:
    url = env["PUBLIC_URL"]
    bind = url.removeprefix("http://")
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "gunicorn.conf.py",
        "--no-control-socket",
        "-b",
        bind,
        "wsgi:app",
    ]
    with subprocess.Popen(command, env=env, cwd=ROOT) as process:
        try:
            for _ in range(100):
                try:
                    requests.get(f"{url}/officer/sign-in", timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def _agree(crisis_id: UUID) -> bool:
    db.session.rollback()
    kept = {key: value for key, value in counters.read(crisis_id).items() if value}
    return kept == counters.recount_crisis(crisis_id)


def _print(result: dict[str, object]) -> None:
    print(f"\n{result['people']:,} people")
    for name, value in result.items():
        print(f"  {name:<20} {value}")


if __name__ == "__main__":
    sys.exit(main())
