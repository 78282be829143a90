"""What an approval costs in the database, and what each message costs afterwards: `python bench/fanout.py [PEOPLE
...]`.

Fan-out is one transaction as in an approval, on embedded PostgreSQL, with people made by SQL. Then 20,000 messages
are claimed,
marked `sending` and recorded as accepted in the sizes a drain uses, and every statement's plan is looked at.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import text

from config import Config
from consular import create_app
from consular.clock import utc_now
from consular.embedded import EmbeddedServers
from consular.extensions import db
from consular.models.alerts import AlertEvent
from consular.queries import delivery, reach, receipts, sweeping
from consular.queries.delivery import OutcomeRow
from consular.security.fields import generate_keys
from consular.services import dispatch
from consular.services.recording import note_changes
from consular.services.transactions import unit_of_work
from tests.conftest import migrate
from tests.factories import EVERYBODY_IN_LIBYA, make_crisis, make_event

SENT = 20_000
CLAIM, BATCH = 1000, 250

PEOPLE = (
    """insert into people (id, name_sealed, home_country, language, created_at)
    select gen_random_uuid(), decode(repeat('ab', 45), 'hex'), 'IN', (array['en','hi','ar','fr'])[1 + n % 4], now()
    from generate_series(1, :people) n""",
    """insert into contact_points (id, person_id, channel, value_sealed, value_index, country, is_valid, created_at)
    select gen_random_uuid(), id, 'sms', decode(repeat('cd', 45), 'hex'), sha256(id::text::bytea), 'LY', true, now()
    from people""",
    """insert into registrations (id, person_id, submission_key, source, people_count, consent_version, consented_at,
    created_at)
    select gen_random_uuid(), id, id::text, 'web_form', 1, '1', now(), now() from people""",
    """insert into stays (id, person_id, country, is_resident, created_at)
    select gen_random_uuid(), id, 'LY', true, now() from people""",
)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def approve() -> Any:
    """What an approval does to the database; the event's id."""
    with unit_of_work() as session:
        event = make_event(session, make_crisis(session), validity=timedelta(hours=6))
        event.people = dispatch.choose_people(session, EVERYBODY_IN_LIBYA, utc_now())
        dispatch.fan_out(session, event, "exercise")
        return event.id


def send(limit: int) -> dict[str, float]:
    """Claim, mark and record `limit` messages; microseconds a message for each."""
    spent = {"claim": 0.0, "mark": 0.0, "record": 0.0}
    with unit_of_work() as session:
        delivery.open_line(session, "exercise")
    for _ in range(limit // CLAIM):
        seconds, rows = timed(claim)
        spent["claim"] += seconds
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            spent["mark"] += timed(lambda part=part: mark(part))[0]
            spent["record"] += timed(lambda part=part: record(part))[0]
    return {name: seconds / limit * 1e6 for name, seconds in spent.items()}


def claim() -> Any:
    with unit_of_work() as session:
        return delivery.claim(session, "exercise", "bench", CLAIM, 60)


def mark(rows: Any) -> None:
    with unit_of_work() as session:
        delivery.reserve_slot(session, "exercise", 0.001, 60)
    with unit_of_work() as session:
        assert len(delivery.mark_sending(session, [(row.id, row.attempt_id) for row in rows], 60)) == len(rows)


def record(rows: Any) -> None:
    outcomes = [
        OutcomeRow(row.id, row.attempt_id, "accepted", "accepted", f"SM{uuid4().hex}", None, None, 201, 0.08, 0.0)
        for row in rows
    ]
    with unit_of_work() as session:
        note_changes(session, delivery.record(session, "exercise", "bench", outcomes))


def stop(event_id: Any) -> int:
    with unit_of_work() as session:
        session.get_one(AlertEvent, event_id).stopped_at = utc_now()
        session.flush()
        return dispatch.cancel_unsent(session, event_id, utc_now())


def plans() -> dict[str, str]:
    """How each statement of the sending path finds its messages: "index", or "scan" of the whole table."""
    ids, attempts = list(range(1, BATCH + 1)), [uuid4() for _ in range(BATCH)]
    shared: dict[str, Any] = {
        "ids": ids,
        "attempts": attempts,
        "lease": 60,
        "gateway": "exercise",
        "worker": "bench",
        "limit": CLAIM,
    }
    texts = ("states", "outcomes", "provider_ids", "errors", "reasons")
    shared |= {name: ["accepted"] * BATCH for name in texts} | {"statuses": [201] * BATCH, "ranks": [1] * BATCH}
    shared |= {name: [0.1] * BATCH for name in ("latencies", "waits", "ages")} | {"times": [utc_now()] * BATCH}
    shared |= {
        "most": 3,
        "id": 1,
        "attempt": attempts[0],
        "state": "accepted",
        "wait": 0,
        "not_found_at": None,
        "is_absent": True,
        "error": None,
        "provider_id": "x",
    }
    shared |= {"message_ids": ids, "parts": [1] * BATCH, "seconds": 10, "without": []}
    statements = {
        "claim": delivery._CLAIM,
        "mark": delivery._MARK,
        "drop": delivery._DROP,
        "record": delivery._RECORD,
        "receipts": receipts._APPLY,
        "lapse claimed": sweeping._CLAIMED,
        "lapse sending": sweeping._SENDING,
        "end": sweeping._END,
        "unknown": sweeping._UNKNOWN,
        "settle": sweeping._SETTLE,
        "pending": sweeping._PENDING,
        "reach": reach._LOCK,
    }
    found = {}
    for name, statement in statements.items():
        values = {key: shared[key] for key in statement._bindparams}
        lines = [row[0] for row in db.session.execute(text("explain " + statement.text), values)]
        found[name] = "scan" if any("Seq Scan on messages" in line for line in lines) else "index"
    db.session.rollback()
    return found


def measure(people: int) -> dict[str, Any]:
    """One run on fresh servers."""
    with EmbeddedServers.temporary(valkey=False) as servers:
        migrate(servers.database_url)
        config = Config(database_url=servers.database_url, redis_url=None, secret_key="b" * 40, keys=generate_keys())
        with create_app(config).app_context():
            for statement in PEOPLE:
                with unit_of_work() as session:
                    session.execute(text(statement), {"people": people})
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("vacuum analyze"))
            approval, event_id = timed(approve)
            costs = send(min(SENT, people // CLAIM * CLAIM))
            ways = plans()
            stopping, _ = timed(lambda: stop(event_id))
            db.session.remove()
            db.engine.dispose()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"people": people, "approval_s": approval, "stop_s": stopping, "memory_mb": memory, "plans": ways}
    return {**found, **{f"{name}_us": cost for name, cost in costs.items()}}


def main() -> int:
    """Print one table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", nargs="*", type=int, default=[18_000, 1_000_000])
    runs = [measure(people) for people in parser.parse_args().people]
    names = [name for name in runs[0] if name != "plans"]
    print("  ".join(f"{name:>12}" for name in names))
    for run in runs:
        print(
            "  ".join(f"{run[name]:>12,.2f}" if isinstance(run[name], float) else f"{run[name]:>12,}" for name in names)
        )
    for run in runs:
        scanning = [name for name, way in run["plans"].items() if way == "scan"]
        print(f"{run['people']:,} messages; the whole table is read by: {', '.join(scanning) or 'nothing'}")
    rounded = [{k: round(v, 3) if isinstance(v, float) else v for k, v in run.items()} for run in runs]
    print(json.dumps({"bench": "fanout", "runs": rounded}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
