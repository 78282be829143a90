"""Which workers are alive, as RQ knows it. Only looks: reading RQ's registries with cleaning would requeue jobs."""

from __future__ import annotations

import time

from redis.exceptions import RedisError
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from consular.queueing import QUEUES, connect

_BREAK_SECONDS = 5.0
_silent_until: dict[str, float] = {}


def alive_workers(redis_url: str) -> dict[str, int] | None:
    """Living workers by queue; None when Redis does not answer, and then it is left alone for five seconds.

    A worker that was killed counts until its key ends: 90 s when it was idle, 240 s when it was at work.
    """
    if time.monotonic() < _silent_until.get(redis_url, 0.0):
        return None
    try:
        with connect(redis_url) as connection:
            members = [connection.smembers(WORKERS_BY_QUEUE_KEY % queue) for queue in QUEUES]
            return {
                queue: sum(int(connection.exists(key)) for key in keys)
                for queue, keys in zip(QUEUES, members, strict=True)
            }
    except RedisError:
        _silent_until[redis_url] = time.monotonic() + _BREAK_SECONDS
        return None
