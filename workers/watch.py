"""Beside the clock's sweep, in a thread of its own so that a slow gateway or Redis never delays it: what proves our
paths, daily test texts, alarms, gateways that are gone, gaps."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from consular.clock import utc_now
from consular.domain.gateways import GATEWAYS_WITH_A_LIST
from consular.services import canaries, gap_filling, operations, proofs, readiness, restoring, sweeping
from consular.services.canaries import Plan
from consular.services.operations import Installation
from workers import runtime

SECONDS = 5.0

log = structlog.get_logger(__name__)


def start() -> threading.Thread:
    """Watch until the process is told to stop."""
    thread = threading.Thread(target=_run, name="watch", daemon=True)
    thread.start()
    return thread


def look() -> None:
    """One round: whether this is still the database it was, what proves our paths, daily test texts, alarms, texts of
    gateways that are gone; then what may take seconds: counts, lists. What fails keeps nothing else from being done."""
    config = runtime.adapters().config
    _try(restoring.notice)
    _try(_prove)
    _try(canaries.send_daily, Plan.of(config), utc_now())
    _try(operations.watch, Installation.of(config), utc_now())
    _try(sweeping.settle_gone, runtime.senders(), runtime.book())
    _try(readiness.refresh, utc_now())
    for name in GATEWAYS_WITH_A_LIST:
        gateway = runtime.adapters().gateway(name)
        if gateway is not None:
            _try(gap_filling.watch, gateway, utc_now())


def _prove() -> None:
    if proofs.update(utc_now()):
        canaries.note_results()


def _try(act: Callable[..., object], *arguments: object) -> None:
    try:
        act(*arguments)
    except Exception as error:  # noqa: BLE001 - a watch that ended unnoticed would be worse than any failure
        log.warning("watch_failed", act=f"{act.__module__}.{act.__name__}", error=type(error).__name__)


def _run() -> None:
    with runtime.application().app_context():
        while not runtime.stopping.wait(SECONDS):
            _try(look)
