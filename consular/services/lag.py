"""How far behind its reserved places a worker sends, so that what was held up is not made up for all at once."""

from __future__ import annotations

_TOLERATED_SECONDS = 0.15
_MADE_UP_PER_SECOND = 0.015
_MOST_SECONDS = 1.0


class Lag:
    """One worker's lag, in seconds; moments are those of one monotonic clock.

    After a commit or a process was held up, all places that have passed would be used in one moment, and the ten
    seconds from then on hold more than the rate allows. Instead what follows leaves later by the lag, which is made up
    for slowly: together at most 3 % too much in any ten seconds (invariant I11 allows 5 %).
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since = 0.0

    def at(self, now: float) -> float:
        """By how many seconds later than its place a text leaves now: 0 to 1."""
        return max(0.0, self._seconds - _MADE_UP_PER_SECOND * (now - self._since))

    def left(self, place: float, now: float) -> None:
        """A text whose place was `place` leaves now."""
        lag = min(_MOST_SECONDS, now - place - _TOLERATED_SECONDS)
        if lag > self.at(now):
            self._seconds, self._since = lag, now

    def forget(self) -> None:
        """Nobody waits for a place: there is nothing to make up for."""
        self._seconds = 0.0
