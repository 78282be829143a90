"""One RQ worker process for one queue: `python -m workers.worker QUEUE`."""

from __future__ import annotations

import gc
import sys
from types import FrameType
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from consular.logs import configure_logs
from consular.queueing import QUEUES, connect, open_queue
from workers import runtime

RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class ConsularWorker(SimpleWorker):
    """Runs jobs in this process, so that connections to gateways live on. A job is only a wake-up: losing one loses
    nothing."""

    def _install_signal_handlers(self) -> None:
        """A signal that came before there was a loop to end ends it before it begins."""
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        if runtime.stopping.is_set():
            self._stop_requested = True

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish what is in flight, then stop."""
        runtime.note_stop()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def set_shutdown_requested_date(self) -> None:
        """Nothing: this is called within a signal's handler, and an error of Redis there would break sending off."""

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """A second signal changes nothing: breaking off would leave texts of which nobody knows whether they left."""


def main(arguments: list[str]) -> int:
    """Work on one queue until stopped; 2 when the queue's name is missing or wrong."""
    if len(arguments) != 1 or arguments[0] not in QUEUES:
        print(f"Say which one queue to work on: {', '.join(QUEUES)}.", file=sys.stderr)  # noqa: T201
        return 2
    configure_logs()
    application = runtime.application()
    connection = connect(_redis_url(), blocking=True)
    if not _wait_for(connection):
        return 0
    gc.collect()
    gc.freeze()
    options: dict[str, Any] = {"worker_ttl": 30, "maintenance_interval": 20, "job_monitoring_interval": 5}
    with application.app_context():
        worker = ConsularWorker(
            [open_queue(arguments[0], connection)],
            connection=connection,
            serializer=JSONSerializer,
            log_job_description=False,
            **options,
        )
        worker.work(with_scheduler=False, logging_level="WARNING")
    return 0


def _wait_for(connection: Redis) -> bool:
    """True as soon as Redis answers; False when told to stop. A worker that ended would take the site with it."""
    runtime.heed_signals()
    is_told = False
    while not runtime.stopping.is_set():
        try:
            connection.ping()
        except RedisError:
            if not is_told:
                log.warning("redis_does_not_answer", cure="check REDIS_URL; `consular drain` sends without Redis")
            is_told = True
            runtime.stopping.wait(RETRY_SECONDS)
        else:
            return True
    return False


def _redis_url() -> str:
    url = runtime.adapters().config.redis_url
    if url is None:
        raise SystemExit("REDIS_URL is not set: a worker needs Redis to be woken. Without it, run `consular drain`.")
    return url


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
