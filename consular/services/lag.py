"""How far behind its reserved places a worker sends, so that what was held up is not made up for all at once."""

from __future__ import annotations

_TOLERATED_SECONDS = 0.05
_MADE_UP_PER_SECOND = 0.005


class Lag:
    """One process's lag on one sender, in seconds; moments are those of one monotonic clock.

    After a commit or a process was held up, all places that have passed would be used in one moment, and the ten
    seconds from then on hold more than the rate allows. Instead what follows leaves later by the lag, which is made up
    for slowly. It outlives a drain: a next one that began without it would leave its texts among those of the last.
    What is tolerated, what is made up for in ten seconds and what the lags of two workers differ by are together less
    than the twentieth that invariant I11 allows.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since = 0.0

    def at(self, now: float) -> float:
        """By how many seconds later than its place a text leaves now."""
        return max(0.0, self._seconds - _MADE_UP_PER_SECOND * (now - self._since))

    def left(self, place: float, now: float, most: float) -> None:
        """A text whose place was `place` leaves now. most: seconds; no more is owed than was reserved at once."""
        lag = min(most, now - place - _TOLERATED_SECONDS)
        if lag > self.at(now):
            self._seconds, self._since = lag, now

    def rested(self, seconds: float, now: float) -> float:
        """So many seconds of the sender's time were nobody's place: they make up for as many of the lag. How many: the
        places from before are late by so much less."""
        lag = self.at(now)
        made_up = min(lag, seconds)
        self._seconds, self._since = lag - made_up, now
        return made_up
