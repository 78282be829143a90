"""Scale-out: worker hosts share one alert's work; and where the database's limit is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from bench.load.outcome import Line, Sizes, promises
from bench.processes import cpu_seconds, on_host, with_host_name
from bench.stage import Stage, stage
from consular.services.transactions import unit_of_work

NAMES = ("hosts", "database")
HOSTS = (1, 2, 3, 4)
UNLIMITED = 1_000_000.0
"""Parts a second: never reached, so that nothing but the machine limits the workers."""
LATENCY_MS, NARROW, WIDE = 400.0, 100, 2000
PROCESSES = (1, 2, 3, 4)

_MIDDLE = """
with done as (
    select a.recorded_at as at, a.worker from message_attempts a join messages m on m.id = a.message_id
    where m.event_id = :event and a.outcome = 'accepted'
), span as (
    select percentile_disc(0.1) within group (order by at) as first, percentile_disc(0.9) within group (order by at)
    as last from done
)
select (select count(*) from done where at > first and at <= last) / extract(epoch from last - first) as rate,
       (select count(*) from done) as texts,
       (select string_agg(host || ' ' || number, ', ' order by host) from (
           select regexp_replace(worker, '-[0-9]+$', '') as host, count(*) as number from done group by 1) h) as shares
from span
"""
_LEFT = "select count(*) as number from messages where event_id = :event and state in ('queued', 'claimed', 'sending')"


class Best(NamedTuple):
    """How fast so many processes were, and how many cores they and PostgreSQL used."""

    rate: float
    cores: float
    processes: int


def run(sizes: Sizes) -> Iterator[Line]:
    """Two worlds: one with a gateway that takes its time, one without any."""
    yield from _hosts(sizes)
    yield from _database(sizes)


def _hosts(sizes: Sizes) -> Iterator[Line]:
    plan: dict[str, Any] = {"rate": UNLIMITED, "concurrency": NARROW, "latency_ms": LATENCY_MS}
    with stage("hosts", {"LY": sizes.shared}, **plan) as world:
        world.halt("worker-exercise")
        crisis = world.open_crisis("Libya 2011", "LY")
        by_hosts: dict[tuple[int, int], float] = {}
        for at_once in (NARROW, WIDE):
            for hosts in HOSTS if at_once == NARROW else HOSTS[:2]:
                rate, line = _shared(world, crisis, hosts, at_once)
                by_hosts[at_once, hosts] = rate
                yield replace(line, conditions=_about(hosts, at_once, sizes), **_judged(by_hosts, hosts, at_once))
        yield from promises("hosts", world, rates={"exercise": UNLIMITED})


def _about(hosts: int, at_once: int, sizes: Sizes) -> str:
    way = "own UTS namespace each" if with_host_name() else "host names told"
    limit = "limited by latency x requests in flight" if at_once == NARROW else "limited by CPU"
    return (
        f"{hosts} host(s) ({way}), one worker each, {at_once} requests in flight, {LATENCY_MS:g} ms gateway, "
        f"{sizes.shared:,} texts: {limit}"
    )


def _judged(rates: dict[tuple[int, int], float], hosts: int, at_once: int) -> dict[str, Any]:
    """Two hosts must bring 1.6 times as much as one while nothing but waiting limits them. Of more hosts, and of those
    that the CPU limits, nothing is promised: they show where the machine's limit is."""
    if at_once != NARROW or hosts != 2:
        return {"wanted": "", "ok": None}
    return {"wanted": ">= 1.6 x one host", "ok": rates[NARROW, 2] >= 1.6 * rates[NARROW, 1]}


def _shared(world: Stage, crisis: str, hosts: int, at_once: int) -> tuple[float, Line]:
    names = [f"host-{number + 1}" for number in range(hosts)]
    template = world.running.group["worker-inbound"].program
    env = {**template.env, "EXERCISE_GATEWAY_CONCURRENCY": str(at_once)}
    for name in names:
        world.running.group.start(
            replace(template, name=name, argv=on_host(name, "workers.worker", "exercise"), env=env)
        )
    world.wait(lambda: _listening(world) >= hosts, 60)
    groups = {
        "hosts": [world.running.group[name].pid for name in names],
        "gateway": [world.running.group["gateway"].pid],
        "PostgreSQL": [world.servers._group["postgres"].pid],
    }
    alert = world.submit(crisis, "LY")
    event, used = _watched(world, alert, groups)
    for name in names:
        world.running.group.stop_child(name)
    row = _one(_MIDDLE, event)
    told = f"{row.rate:,.0f} texts/s ({row.shares}); {_costs(used, row.rate)}"
    return float(row.rate), Line("hosts", "", "", told)


def _listening(world: Stage) -> int:
    from redis import Redis

    with Redis.from_url(world.running.env["REDIS_URL"]) as redis:
        return int(redis.scard("rq:workers:exercise"))


def _costs(used: dict[str, float], rate: float) -> str:
    """CPU of a text in each group, and how many cores that is at this rate."""
    told = ", ".join(f"{name} {seconds * 1e6:,.0f}" for name, seconds in used.items())
    return f"CPU us a text: {told}; cores used: {sum(used.values()) * float(rate):.2f}"


def _database(sizes: Sizes) -> Iterator[Line]:
    """Claim, mark and record by the product's own code with a gateway that costs nothing."""
    with stage("database", {"LY": sizes.plain}, rate=UNLIMITED) as world:
        world.halt("worker-exercise")
        crisis = world.open_crisis("Libya 2011", "LY")
        found = []
        for number in PROCESSES:
            one, line = _plain(world, crisis, number, sizes)
            found.append(one)
            yield line
        yield from promises_without_gateway(world)
        yield _limit(max(found))


def _limit(best: Best) -> Line:
    """Where another process adds nothing, and whether that is the CPU or waiting for each other."""
    cores = os.cpu_count() or 1
    why = "the CPU is used up" if best.cores > 0.8 * cores else "not by the CPU alone"
    told = f"{best.rate:,.0f} messages/s with {best.processes} process(es), {best.cores:.2f} of {cores} cores: {why}"
    return Line("database", "the most that PostgreSQL and workers do together on this machine", "", told)


def promises_without_gateway(world: Stage) -> Iterator[Line]:
    """Nobody but the database saw these texts."""
    from consular.services.verification import check_invariants

    rates = {"exercise": UNLIMITED}
    broken = [f"{one.code} {one.name}: {one.detail}" for one in check_invariants(rates=rates) if not one.ok]
    yield Line("database", "check_invariants", "0 broken", "; ".join(broken) or "all kept", not broken)


def _plain(world: Stage, crisis: str, number: int, sizes: Sizes) -> tuple[Best, Line]:
    names = [f"null-{one + 1}" for one in range(number)]
    template = world.running.group["worker-inbound"].program
    for name in names:
        argv = [sys.executable, "-m", "bench.null_worker"]
        world.running.group.start(replace(template, name=name, argv=argv, supervise=False))
    world.wait(lambda: all("ready" in world.running.group.tail(name) for name in names), 60)
    groups = {
        "workers": [world.running.group[name].pid for name in names],
        "PostgreSQL": [world.servers._group["postgres"].pid],
    }
    alert = world.submit(crisis, "LY")
    transactions = _commits()
    event, used = _watched(world, alert, groups)
    commits = (_commits() - transactions) / sizes.plain
    for name in names:
        world.running.group.stop_child(name)
    row = _one(_MIDDLE, event)
    conditions = f"{number} process(es) claim, mark and record {sizes.plain:,} messages, no HTTP"
    told = f"{row.rate:,.0f} messages/s, {commits * float(row.rate):,.0f} transactions/s; {_costs(used, row.rate)}"
    cores = sum(used.values()) * float(row.rate)
    return Best(float(row.rate), cores, number), Line("database", conditions, "", told)


def _watched(world: Stage, alert: str, groups: dict[str, list[int]]) -> tuple[UUID, dict[str, float]]:
    """Release the alert and wait for its end; CPU seconds that each text cost each group once the fan-out was over."""
    event, _, _ = world.approve(alert)
    before = {name: cpu_seconds(pids) for name, pids in groups.items()}
    left = max(1, int(_one(_LEFT, event).number))
    world.wait(lambda: not _unsent(event))
    return event, {name: (cpu_seconds(pids) - before[name]) / left for name, pids in groups.items()}


def _commits() -> int:
    with unit_of_work() as session:
        session.execute(text("select pg_stat_clear_snapshot()"))
        statement = "select xact_commit from pg_stat_database where datname = current_database()"
        return int(session.execute(text(statement)).scalar_one())


def _unsent(event: UUID) -> bool:
    statement = (
        "select exists (select 1 from messages where event_id = :event"
        " and state in ('queued', 'claimed', 'sending', 'unknown')) as is_any"
    )
    return bool(_one(statement, event).is_any)


def _one(statement: str, event: UUID) -> Any:
    with unit_of_work() as session:
        return session.execute(text(statement), {"event": event}).one()
