"""A worker that dies at a named point: `python -m tests.services.dying_drain POINT COUNT LOG`, settings from the
environment.

The gateway is in memory, but what it took is in the file LOG, one JSON line a text, so that it outlives the worker.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from config import Config
from consular import create_app
from consular.domain.ports import SmsRequest, SmsResult
from consular.queries import delivery as statements
from consular.services.delivery import Pace, drain
from consular.services.texts import TextBook
from tests.fakes import FakeGateway

POINTS = ("after_claim", "after_mark", "half_in_flight", "all_in_flight", "while_recording")


def die() -> None:
    os._exit(137)


class DyingGateway(FakeGateway):
    """Dies at the COUNT-th time that its point is reached."""

    def __init__(self, point: str, count: int, log: Path) -> None:
        super().__init__(concurrency=50)
        self.point = point
        self.count = count
        self.log = log

    def reached(self, point: str) -> None:
        if point == self.point:
            self.count -= 1
            if self.count <= 0:
                die()

    def submit(self, request: SmsRequest) -> None:
        self.reached("after_mark")
        super().submit(request)

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]:
        results = super().poll(timeout_seconds)
        if results:
            self.reached("all_in_flight")
        return results

    def take(self, request: SmsRequest, sid: str | None = None) -> None:
        super().take(request, sid)
        line = json.dumps({"to": request.to, "body": request.body, "attempt": str(request.attempt_id)})
        with self.log.open("a") as file:
            file.write(line + "\n")
        self.reached("half_in_flight")


class DyingBook(TextBook):
    """Dies while the text of a claimed row is made."""

    def __init__(self, gateway: DyingGateway) -> None:
        super().__init__("https://consular.test")
        self.gateway = gateway

    def alert(self, event_id, language, number, way):  # type: ignore[no-untyped-def]
        self.gateway.reached("after_claim")
        return super().alert(event_id, language, number)


def main(point: str, count: int, log: Path) -> None:
    gateway = DyingGateway(point, count, log)
    record = statements.record

    def record_and_note(*arguments):  # type: ignore[no-untyped-def]
        gateway.reached("while_recording")
        return record(*arguments)

    statements.record = record_and_note
    with create_app(Config.from_env()).app_context():
        drain(gateway, DyingBook(gateway), Pace(100_000, 60, claim_size=60, mark_size=20), "dying", 20, lambda: False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
