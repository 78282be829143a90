"""Wake-ups for the workers. Redis carries nothing else: a wake-up that is lost costs seconds, because the clock
repeats it."""

from __future__ import annotations

import time

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

QUEUES = ("twilio", "http", "exercise", "inbound", "receipts", "social")
_JOBS = {
    "twilio": ("workers.jobs.delivery.drain", ("twilio",)),
    "http": ("workers.jobs.delivery.drain", ("http",)),
    "exercise": ("workers.jobs.delivery.drain", ("exercise",)),
    "inbound": ("workers.jobs.inbound.drain", ()),
    "receipts": ("workers.jobs.receipts.drain", ()),
    "social": ("workers.jobs.social.drain", ()),
}
JOB_TIMEOUT_SECONDS = 180
EVERY_WORKER = None
_FEWEST_WORKERS = 2
"""Woken even when none is registered: they may be just starting."""
_BREAK_SECONDS = 5.0

log = structlog.get_logger(__name__)


def connect(redis_url: str, *, blocking: bool = False) -> Redis:
    """A client that gives up fast (web, clock); with blocking=True one for a worker's long reads. Never retries by
    itself."""
    timeout = None if blocking else 2.0
    return Redis.from_url(redis_url, socket_connect_timeout=0.5, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def open_queue(name: str, connection: Redis) -> Queue:
    """The RQ queue `name` with JSON, never pickle."""
    return Queue(name, connection=connection, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT_SECONDS)


class Wakeups:
    """Asks for work to be done. Never raises: without Redis the clock or `consular drain` does the work."""

    def __init__(self) -> None:
        self._connection: Redis | None = None
        self._broken_until = 0.0
        self._kicked_at: dict[str, float] = {}

    def configure(self, redis_url: str | None) -> None:
        """Use the Redis at `redis_url`, or none."""
        self._connection = connect(redis_url) if redis_url else None
        self._broken_until = 0.0

    def kick(self, queue: str, width: int | None = 1, at_most_every: float = 0.0) -> bool:
        """Make sure that `width` wake-ups wait in `queue`, one for each of its workers when EVERY_WORKER. True when
        Redis has them.

        at_most_every: seconds in which this process asks once; for doors that many people use at the same time.
        """
        now = time.monotonic()
        if (
            self._connection is None
            or now < self._broken_until
            or now - self._kicked_at.get(queue, -60.0) < at_most_every
        ):
            return False
        self._kicked_at[queue] = now
        function, arguments = _JOBS[queue]
        try:
            target = open_queue(queue, self._connection)
            if width is EVERY_WORKER:
                width = max(_FEWEST_WORKERS, int(self._connection.scard(WORKERS_BY_QUEUE_KEY % queue)))
            waiting = int(self._connection.llen(target.key))
            for _ in range(width - waiting):
                target.enqueue(function, *arguments, result_ttl=0, failure_ttl=3600, description=queue)
        except RedisError as error:
            self._broken_until = time.monotonic() + _BREAK_SECONDS
            log.warning("wakeup_failed", queue=queue, error=type(error).__name__)
            return False
        return True


wakeups = Wakeups()
