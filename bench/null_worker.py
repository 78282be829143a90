"""A sending worker whose gateway takes everything at once and in its own memory: what is left is the database's work.

`python -m bench.null_worker [THINK_MS]`: drains the exercise gateway until stopped.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from consular.domain.ports import SendOutcome, SmsRequest, SmsResult
from consular.logs import configure_logs
from workers import runtime
from workers.jobs import delivery


class NullGateway:
    """An SmsGateway that accepts at once; nothing leaves the process."""

    name = "exercise"
    concurrency = 1000

    def __init__(self) -> None:
        self._taken: deque[SmsRequest] = deque()

    @property
    def in_flight(self) -> int:
        return len(self._taken)

    def submit(self, request: SmsRequest) -> None:
        self._taken.append(request)

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]:
        taken, self._taken = self._taken, deque()
        sid = f"SM{uuid4().hex}"
        return [SmsResult(one.attempt_id, SendOutcome.ACCEPTED, 201, sid, "queued") for one in taken]

    def find(self, to: str, since: Any) -> list[Any]:
        return []

    def list_sent(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def list_inbound(self, since: Any) -> list[Any]:
        return []

    def close(self) -> None:
        pass


def main() -> int:
    """Drain until stopped."""
    configure_logs()
    with runtime.application().app_context():
        runtime.adapters()._gateways["exercise"] = NullGateway()
        print("ready", flush=True)
        while True:
            if not delivery.drain("exercise"):
                time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
