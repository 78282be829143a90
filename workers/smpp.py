"""The process that owns the bind to the operator's SMSC: `python -m workers.smpp`. A second one stands by."""

from __future__ import annotations

import sys
import traceback
from pathlib import PurePath

import structlog

from consular.domain.gateways import SMPP
from consular.extensions import db
from consular.logs import configure_logs
from consular.services.arrivals import Arrivals
from consular.services.bind import Bind, Means
from consular.services.bind_lock import BindLock
from workers import runtime

log = structlog.get_logger(__name__)


def main() -> int:
    """Send and listen until stopped; without SMPP_* settings only wait for that."""
    configure_logs()
    runtime.heed_signals()
    with runtime.application().app_context():
        if runtime.adapters().gateway_config(SMPP) is None:
            log.info("smpp_not_configured", cure="set SMPP_HOST and the others; until then this process only waits")
            runtime.stopping.wait()
            return 0
        _own()
    return 0


def _own() -> None:
    stopping = runtime.stopping
    means = Means(runtime.book(), runtime.pace(SMPP), runtime.WORKER_NAME, stopping.wait, stopping.is_set)
    bind = Bind(BindLock(db.engine.url), lambda: runtime.adapters().open_smpp(Arrivals(SMPP).store), means)
    try:
        while not runtime.stopping.is_set():
            try:
                bind.round()
            except Exception as error:  # noqa: BLE001 - a bind that ended for one text would end for all
                log.error("smpp_round_failed", error=type(error).__name__, where=_where(error))  # noqa: TRY400 - no texts
                runtime.stopping.wait(1.0)
    finally:
        bind.close()


def _where(error: BaseException) -> str:
    """File and line without values: a whole trace could hold a text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(last.filename).name}:{last.lineno}"


if __name__ == "__main__":
    sys.exit(main())
