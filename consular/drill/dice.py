"""Chance that is the same in every process: rolls depend on a seed and a subject, never on the order of calls."""

from functools import lru_cache
from hashlib import blake2b
from math import gcd
from struct import Struct
from typing import TypeVar

ROLLS = 16
_SIXTEEN = Struct("<16I")
_SCALE = 2.0**-32

Value = TypeVar("Value")
Shares = tuple[tuple[Value, float], ...]


def dice(seed: int, subject: str) -> tuple[float, ...]:
    """Sixteen independent numbers in [0, 1) for one subject (a phone number, a person's index)."""
    digest = blake2b(subject.encode(), key=str(seed).encode()).digest()
    return tuple([part * _SCALE for part in _SIXTEEN.unpack(digest)])


def pick(shares: Shares[Value], roll: float) -> Value:
    """The value whose share of [0, 1) holds `roll`; the last value takes what the shares leave over."""
    for value, share in shares:
        if roll < share:
            return value
        roll -= share
    return shares[-1][0]


def choose(options: tuple[Value, ...], roll: float) -> Value:
    """One of equally likely options."""
    return options[int(roll * len(options))]


def spread(count: int, index: int, seed: int) -> int:
    """Where `index` goes in a fixed shuffle of range(count): each place is taken exactly once."""
    return (index * _multiplier(count) + seed * 7_919) % count


@lru_cache(maxsize=64)
def _multiplier(count: int) -> int:
    """A step coprime with `count` near the golden section, so that neighbours end far apart."""
    step = max(1, int(count * 0.618))
    while gcd(step, count) != 1:
        step += 1
    return step
