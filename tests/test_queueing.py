"""Wake-ups on a real Valkey: few, JSON, without data, and never in the way when it is gone."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from consular.domain.gateways import GATEWAYS
from consular.embedded import EmbeddedServers
from consular.queueing import EVERY_WORKER, QUEUES, Wakeups, connect, open_queue


@pytest.fixture
def redis(servers: EmbeddedServers) -> Redis:
    connection = connect(servers.redis_url)
    connection.flushdb()
    return connection


@pytest.fixture
def wakeups(servers: EmbeddedServers, redis: Redis) -> Wakeups:
    made = Wakeups()
    made.configure(servers.redis_url)
    return made


def test_many_kicks_leave_one_waiting_wake_up(wakeups: Wakeups, redis: Redis) -> None:
    assert all(wakeups.kick("inbound") for _ in range(20))
    assert open_queue("inbound", redis).count == 1


def test_as_many_wake_ups_wait_as_workers_are_asked_for(wakeups: Wakeups, redis: Redis) -> None:
    wakeups.kick("twilio", width=2)
    wakeups.kick("twilio", width=2)
    assert open_queue("twilio", redis).count == 2


@pytest.mark.parametrize(("workers", "wake_ups"), [(0, 2), (1, 2), (5, 5)])
def test_every_worker_is_woken(wakeups: Wakeups, redis: Redis, workers: int, wake_ups: int) -> None:
    key = WORKERS_BY_QUEUE_KEY % "twilio"
    for number in range(workers):
        redis.sadd(key, f"rq:worker:{number}")
    wakeups.kick("twilio", EVERY_WORKER)
    assert open_queue("twilio", redis).count == wake_ups
    redis.delete(key)


def test_a_busy_door_asks_once_in_its_interval(wakeups: Wakeups, redis: Redis) -> None:
    assert wakeups.kick("inbound", at_most_every=60)
    open_queue("inbound", redis).empty()
    assert not wakeups.kick("inbound", at_most_every=60)
    assert open_queue("inbound", redis).count == 0


@pytest.mark.parametrize("queue", QUEUES)
def test_a_wake_up_is_json_and_carries_at_most_the_name_of_a_gateway(
    wakeups: Wakeups, redis: Redis, queue: str
) -> None:
    wakeups.kick(queue)
    (job,) = open_queue(queue, redis).jobs
    assert job.serializer.__name__ == "JSONSerializer"
    assert job.kwargs == {}
    assert set(job.args) <= set(GATEWAYS)
    assert job.description == queue


def test_without_redis_nothing_is_raised_and_nobody_waits_long() -> None:
    wakeups = Wakeups()
    wakeups.configure("redis://127.0.0.1:9/0")
    started = time.monotonic()
    assert not any(wakeups.kick("inbound") for _ in range(50))
    assert time.monotonic() - started < 2.0


def test_without_a_redis_configured_kicks_are_refused_quietly() -> None:
    wakeups = Wakeups()
    wakeups.configure(None)
    assert not wakeups.kick("inbound")
