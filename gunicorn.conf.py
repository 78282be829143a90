"""gunicorn's settings for both web processes of the Procfile; the address is given there."""

import gc
import os
import sys
import traceback
from typing import Any

from gunicorn.glogging import Logger


class DiscreetLogger(Logger):
    """Says that a request failed and where, never what was in it: calls of gateways have phones and texts in their
    addresses."""

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if str(msg).startswith("Invalid request"):
            msg, args = "A request that is not HTTP was refused.", ()
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        if not str(msg).startswith("Error handling request"):
            super().exception(msg, *args, **kwargs)
            return
        kind, _, trace = sys.exc_info()
        super().error("A request failed: %s\n%s", kind, "".join(traceback.format_tb(trace)))


def post_worker_init(_: Any) -> None:
    """Nothing that was loaded goes away again: looking through it for garbage took a fifth of the work on webhooks."""
    gc.collect()
    gc.freeze()


logger_class = DiscreetLogger
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "32"))
timeout = 30
graceful_timeout = 20
keepalive = 5
backlog = 2048
max_requests = 50_000
max_requests_jitter = 5_000
limit_request_line = 8190
limit_request_fields = 60
preload_app = False
accesslog = None
errorlog = "-"
