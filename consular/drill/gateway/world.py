"""What every part of the practice world shares."""

from collections.abc import Callable
from dataclasses import dataclass

from consular.drill.behaviour import Rates
from consular.drill.gateway.store import Store
from consular.drill.gateway.timing import Schedule

API_VERSION = "2010-04-01"


@dataclass(frozen=True, slots=True)
class World:
    """One run of the gateway. rates None: nobody lives behind it. latency_seconds: when clients get their 201.

    sender: the number a messaging service sends from, when a request names none.
    clock: seconds since the epoch, on the wall; speed: seconds of real events per second on the wall.
    """

    account_sid: str
    sender: str
    seed: int
    speed: float
    latency_seconds: float
    rates: Rates | None
    store: Store
    schedule: Schedule
    clock: Callable[[], float]

    def wall(self, seconds: float) -> float:
        """Seconds on the wall for seconds of real events."""
        return seconds / self.speed
