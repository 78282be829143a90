"""However workers are held up, no ten seconds hold more than the rate and a twentieth."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consular.services.lag import Lag

RATE = 100
BATCH = 25
STEP = 0.02
MOST = 1.0


class Sender:
    """The sender's row: places one after the other, none of them in the past."""

    free_at = 0.0

    def reserve(self, number: int, now: float) -> tuple[float, float]:
        """The first place of so many, and how long nobody's place was before it."""
        starts_at = max(now, self.free_at)
        unused, self.free_at = starts_at - self.free_at, starts_at + number / RATE
        return starts_at, unused


@dataclass
class Worker:
    """It takes places for a batch, hands them over when the first has come, and takes the next ones meanwhile."""

    lag: Lag = field(default_factory=Lag)
    batch_at: float | None = None
    due: deque[float] = field(default_factory=deque)

    def go_on(self, sender: Sender, now: float) -> int:
        """How many texts leave now."""
        if self.batch_at is None:
            self.batch_at, unused = sender.reserve(BATCH, now)
            made_up = self.lag.rested(unused, now)
            self.due = deque(place + made_up for place in self.due)
        if now >= self.batch_at + self.lag.at(now):
            self.due.extend(self.batch_at + number / RATE for number in range(BATCH))
            self.batch_at = None
        gone = 0
        while self.due and self.due[0] + self.lag.at(now) <= now:
            self.lag.left(self.due.popleft(), now, MOST)
            gone += 1
        return gone


Stalls = dict[int, tuple[float, frozenset[int]]]


def leave(stalls: Stalls, lags: bool = True, workers: int = 2, seconds: int = 40) -> list[float]:
    """When the texts leave; stalls: by number of a step, for how long which workers then do nothing."""
    sender, moments = Sender(), []
    crew = [Worker() for _ in range(workers)]
    asleep_until = [0.0] * workers
    for step in range(int(seconds / STEP)):
        now = step * STEP
        duration, whom = stalls.get(step, (0.0, frozenset()))
        for number, worker in enumerate(crew):
            if number in whom:
                asleep_until[number] = max(asleep_until[number], now + duration)
            if not lags:
                worker.lag = Lag()
            if now >= asleep_until[number]:
                moments += [now] * worker.go_on(sender, now)
    return moments


def fullest(moments: list[float]) -> int:
    first, most = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 10:
            first += 1
        most = max(most, last - first + 1)
    return most


ALLOWED = RATE * 10 * 1.05 + 1
SOME = st.sampled_from((frozenset({0}), frozenset({1}), frozenset({0, 1})))


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 1500), st.tuples(st.floats(0, 0.5), SOME), max_size=6))
def test_no_ten_seconds_hold_more_than_the_rate_allows(stalls):
    assert fullest(leave(stalls)) <= ALLOWED


BOTH = frozenset({0, 1})


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.8])
def test_a_stall_of_all_workers_is_made_up_for_slowly(seconds):
    stalls = {750: (seconds, BOTH)}
    assert fullest(leave(stalls)) <= ALLOWED
    assert fullest(leave(stalls, lags=False)) > RATE * 10 + 30


def test_in_the_end_nothing_is_lost():
    assert len(leave({500: (0.3, BOTH)}, seconds=120)) == pytest.approx(120 * RATE, abs=BATCH)


def test_a_lag_is_made_up_for_slowly():
    lag = Lag()
    lag.left(10.0, 10.85, MOST)
    assert lag.at(10.85) == pytest.approx(0.8)
    assert lag.at(30.85) == pytest.approx(0.7)
    assert lag.at(1000.0) == 0.0


def test_a_shorter_lag_does_not_shorten_a_longer_one():
    lag = Lag()
    lag.left(10.0, 10.85, MOST)
    lag.left(10.8, 10.85, MOST)
    assert lag.at(10.85) == pytest.approx(0.8)


def test_what_nobody_used_makes_up_for_a_lag():
    lag = Lag()
    lag.left(10.0, 10.85, MOST)
    assert lag.rested(0.5, 10.85) == pytest.approx(0.5)
    assert lag.at(10.85) == pytest.approx(0.3)
    assert lag.rested(9.0, 10.85) == pytest.approx(0.3)
    assert lag.at(10.85) == 0.0


def test_nobody_falls_behind_by_more_than_was_reserved():
    lag = Lag()
    lag.left(0.0, 45.0, MOST)
    assert lag.at(45.0) == MOST
