"""Calls at our webhooks that nobody of ours signed: counted, for they may be real ones after a change of the settings.

Whoever floods us with them costs little: the first few are written at once, then each process writes once a second
what it counted, into a handful of rows. Nothing of a call is kept.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from consular.clock import utc_now
from consular.queries import operations
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

_AT_ONCE = 10
_PER_SECOND = 1.0


class RefusedCalls:
    """The count of one process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counted: Counter[str] = Counter()
        self._writes_left = float(_AT_ONCE)
        self._filled_at = monotonic()

    def note(self, door: str) -> None:
        """One more at this door ("twilio" or "http"). Never raises: what the database does not take now is written
        with a later one."""
        with self._lock:
            self._counted[door] += 1
            now = self._monotonic()
            earned = (now - self._filled_at) * _PER_SECOND
            self._writes_left, self._filled_at = min(_AT_ONCE, self._writes_left + earned), now
            if self._writes_left < 1:
                return
            self._writes_left -= 1
        self.flush()

    def flush(self) -> None:
        """Write what is counted and not written yet."""
        with self._lock:
            taken, self._counted = self._counted, Counter()
        try:
            self._write(taken)
        except SQLAlchemyError:
            with self._lock:
                self._counted.update(taken)

    @staticmethod
    def _write(taken: Mapping[str, int]) -> None:
        with unit_of_work() as session:
            for door, number in sorted(taken.items()):
                operations.count_refused(session, door, number, utc_now())
        for door, number in sorted(taken.items()):
            log.warning("webhooks_refused", door=door, calls=number)


refused_calls = RefusedCalls()
