"""L3: sending at a fixed rate while the gateway fails in all its ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench.load.outcome import Line, Sizes, paced, promises
from bench.stage import stage
from consular.clock import utc_now
from consular.services.transactions import unit_of_work

NAMES = ("L3",)
RATE = 100.0
PATIENCE_SECONDS = 420.0
FAULTS = {
    "500_before": 0.01,
    "500_after": 0.01,
    "503_before": 0.005,
    "reset_before": 0.01,
    "reset_after": 0.01,
    "truncated_after": 0.005,
    "html_after": 0.005,
    "wrong_sid_after": 0.0025,
    "hang_after": 0.0025,
}
"""429 is not among them: the sender is meant to slow down when it is told to."""

_SPEED = """
with tries as (
    select a.started_at, row_number() over (partition by a.message_id order by a.recorded_at) as number
    from message_attempts a join messages m on m.id = a.message_id
    where m.event_id = :event and a.started_at is not null and a.error_code is distinct from 'lease'
), span as (select min(started_at) as first, max(started_at) as last from tries where number = 1)
select extract(epoch from last - first) as seconds, (select count(*) from tries where started_at <= last) as texts
from span
"""
_FATES = """
select count(*) filter (where outcome = 'unknown') as unknown, count(distinct message_id) as texts,
       (select count(*) from messages where event_id = :event and possible_duplicate) as possible,
       (select count(*) from messages where event_id = :event and state = 'accepted') as accepted,
       extract(epoch from (select max(accepted_at) from messages where event_id = :event)
               - max(recorded_at) filter (where outcome <> 'accepted')) as after
from message_attempts a join messages m on m.id = a.message_id where m.event_id = :event
"""


def run(sizes: Sizes) -> Iterator[Line]:
    """One alert; then what was in doubt is settled."""
    people = sizes.faulty
    with stage("faults", {"LY": people}, rate=RATE, faults=FAULTS) as world:
        assert world.parts() == 1, "the rate is meant in texts"
        since = utc_now()
        event, _, _ = world.approve(world.submit(world.open_crisis("Libya 2011", "LY"), "LY"))
        is_over = world.wait(lambda: not _open(event), people / RATE + PATIENCE_SECONDS)
        yield _speed(event, people)
        yield paced("L3", world, since, RATE)
        yield _fates(event, people, is_over)
        yield from promises("L3", world, rates={"exercise": RATE})


def _speed(event: UUID, people: int) -> Line:
    row = _one(_SPEED, event)
    rate = row.texts / float(row.seconds)
    share = round(sum(FAULTS.values()) * 100, 1)
    conditions = f"{people:,} texts at {RATE:g}/s, {share:g} % of requests fail in {len(FAULTS)} ways"
    measured = f"{rate:.1f}/s, {row.texts:,} requests in {float(row.seconds):.0f} s"
    return Line("L3", conditions, ">= 95 % of the rate", measured, rate >= 0.95 * RATE)


def _fates(event: UUID, people: int, is_over: bool) -> Line:
    row = _one(_FATES, event)
    told = f"{row.accepted:,} accepted; {row.unknown} in doubt, {row.possible} sent again as possible duplicates; "
    told += f"all settled {float(row.after or 0):.0f} s after the last doubt"
    return Line("L3", "what becomes of everybody", "all accepted", told, is_over and row.accepted == people)


def _open(event: UUID) -> bool:
    row = _one(
        "select exists (select 1 from messages where event_id = :event"
        " and state in ('queued', 'claimed', 'sending', 'unknown')) as is_open",
        event,
    )
    return bool(row.is_open)


def _one(statement: str, event: UUID) -> Any:
    with unit_of_work() as session:
        return session.execute(text(statement), {"event": event}).one()
