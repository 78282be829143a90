"""One RQ worker process for one queue: `python -m workers.worker QUEUE`."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from rq import SimpleWorker
from rq.serializers import JSONSerializer

from consular.logs import configure_logs
from consular.queueing import QUEUES, connect, open_queue
from workers import runtime


class ConsularWorker(SimpleWorker):
    """Runs jobs in this process, so that connections to gateways live on. A job is only a wake-up: losing one loses
    nothing."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Finish what is in flight, then stop."""
        runtime.stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

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


def _redis_url() -> str:
    url = runtime.adapters().config.redis_url
    if url is None:
        raise SystemExit("REDIS_URL is not set: a worker needs Redis to be woken. Without it, run `consular drain`.")
    return url


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
