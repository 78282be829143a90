"""However a worker is held up, no ten seconds hold more than the rate and a twentieth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.services.lag import Lag

RATE = 100


def leave(stalls: dict[int, float], seconds: int = 40) -> list[float]:
    """When each of the texts leaves whose places are 1/RATE apart; stalls: by number of a text, how long the worker
    then does nothing."""
    lag, now, moments = Lag(), 0.0, []
    for number in range(seconds * RATE):
        place = number / RATE
        now = max(now + stalls.get(number, 0.0), place + lag.at(now))
        lag.left(place, now)
        moments.append(now)
    return moments


def fullest(moments: list[float]) -> int:
    first, most = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 10:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(st.dictionaries(st.integers(0, 3000), st.floats(0, 1), max_size=12))
def test_no_ten_seconds_hold_more_than_the_rate_allows(stalls):
    total = max(1.0, sum(stalls.values()))
    stalls = {number: 1.2 * seconds / total for number, seconds in stalls.items()}
    assert fullest(leave(stalls)) <= RATE * 10 * 1.05 + 1


def test_without_it_they_would():
    moments = [max(number / RATE, 15.8 if number >= 1500 else 0.0) for number in range(40 * RATE)]
    assert fullest(moments) > RATE * 10 * 1.05 + 1


def test_what_is_held_up_for_a_moment_is_made_up_for_at_once():
    moments = leave({500: 0.1})
    assert moments[-1] == pytest.approx((len(moments) - 1) / RATE)


def test_a_lag_is_made_up_for_slowly():
    lag = Lag()
    lag.left(10.0, 10.9)
    assert lag.at(10.9) == pytest.approx(0.75)
    assert lag.at(20.9) == pytest.approx(0.6)
    assert lag.at(100.0) == 0.0


def test_a_shorter_lag_does_not_shorten_a_longer_one():
    lag = Lag()
    lag.left(10.0, 10.9)
    lag.left(10.8, 10.9)
    assert lag.at(10.9) == pytest.approx(0.75)


def test_nobody_falls_behind_by_more_than_a_second():
    lag = Lag()
    lag.left(0.0, 45.0)
    assert lag.at(45.0) == 1.0


def test_a_lag_is_forgotten():
    lag = Lag()
    lag.left(0.0, 5.0)
    lag.forget()
    assert lag.at(5.0) == 0.0
