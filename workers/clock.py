"""The clock process: sweeps, reroutes and wakes every second, and watches beside it. Any number may run; one at a time
sweeps."""

from __future__ import annotations

import sys

import structlog
from sqlalchemy.exc import SQLAlchemyError

from consular.clock import utc_now
from consular.logs import configure_logs
from consular.queueing import wakeups
from consular.services import operations, routing, sweeping
from consular.services.routing import Quiet
from workers import runtime, watch

TICK_SECONDS = 1.0

log = structlog.get_logger(__name__)


_quiet: Quiet = {}


def tick() -> None:
    """One round; a database that is away is waited for."""
    try:
        sweeping.sweep()
        routing.reroute(runtime.senders(), wakeups, _quiet)
        sweeping.wake(wakeups)
        operations.beat(operations.CLOCK, utc_now())
    except SQLAlchemyError as error:
        log.warning("tick_failed", error=type(error).__name__)


def main() -> int:
    """Tick until stopped."""
    configure_logs()
    runtime.heed_signals()
    with runtime.application().app_context():
        watch.start()
        while not runtime.stopping.wait(TICK_SECONDS):
            tick()
    return 0


if __name__ == "__main__":
    sys.exit(main())
