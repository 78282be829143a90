"""The bare pipeline to measure against: claim rows, hand them over by the product's own HTTP client, update in bulk.

No states between, no pace, no lease check before sending, no attempts, counters or people's standing: what is lost here
when a process dies, nobody knows. `python -m bench.bare_pipeline` works on bare_messages until nothing is left; as many
processes as wanted.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Any
from uuid import UUID

import psycopg

from config import Config
from consular.domain.ports import SmsRequest, SmsResult
from consular.providers.registry import open_gateway

CLAIM, RECORD = 1000, 250
_LONGEST_DELAY_SECONDS = 0.15
_LEASE_SECONDS = 3600.0

TABLE = """
create table if not exists bare_messages (id bigint primary key, phone text not null, body text not null,
    state text not null, attempt_id uuid, sid text, started_at timestamptz, recorded_at timestamptz);
create index if not exists ix_bare_messages_queued on bare_messages (id) where state = 'queued'
"""
_CLAIM = f"""
update bare_messages m set state = 'claimed', attempt_id = gen_random_uuid()
from (select id from bare_messages where state = 'queued' order by id limit {CLAIM} for update skip locked) picked
where m.id = picked.id returning m.attempt_id, m.phone, m.body
"""
_RECORD = """
update bare_messages m set state = r.state, sid = r.sid, started_at = now() - r.latency * interval '1 second',
    recorded_at = clock_timestamp()
from unnest(%s::uuid[], %s::text[], %s::text[], %s::float8[]) as r (attempt_id, state, sid, latency)
where m.attempt_id = r.attempt_id
"""


def main() -> int:
    """Wait for the first row, then work until there is none."""
    config = Config.from_env()
    assert config.exercise_gateway is not None
    gateway = open_gateway(config.exercise_gateway, config)
    url = config.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("create index if not exists ix_bare_attempts on bare_messages (attempt_id)")
        print("ready", flush=True)
        while not database.execute("select 1 from bare_messages limit 1").fetchall():
            time.sleep(0.005)
        _drain(gateway, database)
    return 0


def _drain(gateway: Any, database: psycopg.Connection[Any]) -> None:
    waiting: deque[Any] = deque()
    results: list[SmsResult] = []
    recorded_at = time.monotonic()
    while True:
        if not waiting:
            waiting.extend(database.execute(_CLAIM).fetchall())
        while waiting and gateway.in_flight < gateway.concurrency:
            gateway.submit(_request(*waiting.popleft()))
        if not gateway.in_flight and not results:
            return
        results += gateway.poll(0.05)
        is_late = time.monotonic() - recorded_at >= _LONGEST_DELAY_SECONDS
        if results and (len(results) >= RECORD or is_late or not gateway.in_flight):
            database.execute(_RECORD, _columns(results))
            results, recorded_at = [], time.monotonic()


def _request(attempt_id: UUID, phone: str, body: str) -> SmsRequest:
    return SmsRequest(attempt_id, phone, body, 3600, time.monotonic() + _LEASE_SECONDS)


def _columns(results: list[SmsResult]) -> tuple[list[Any], ...]:
    return (
        [one.attempt_id for one in results],
        [one.outcome.value for one in results],
        [one.provider_message_id for one in results],
        [one.latency_seconds for one in results],
    )


if __name__ == "__main__":
    sys.exit(main())
