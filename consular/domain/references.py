"""Short references that people can read out on the telephone line, one per message."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BITS = 30
_MASK = (1 << _BITS) - 1
_FACTOR = 0x2545F491 & _MASK | 1
_MIX = 0x1B873593 & _MASK
_INVERSE = pow(_FACTOR, -1, 1 << _BITS)


def reference_of(number: int) -> str:
    """Six characters (more beyond 2^30 messages) for a message number; neighbours look different. Not a secret."""
    low = (number * _FACTOR ^ _MIX) & _MASK
    digits = "".join(_ALPHABET[low >> shift & 31] for shift in range(_BITS - 5, -5, -5))
    high = number >> _BITS
    return f"{_ALPHABET[high % 32]}{digits}" if high else digits


def number_of(reference: str) -> int | None:
    """The message number of a reference as a person may write it (O for 0, I or L for 1, any case); None if it is
    none."""
    text = reference.strip().upper().translate(str.maketrans("OIL", "011"))
    if not reference.isascii() or len(text) not in (6, 7) or any(sign not in _ALPHABET for sign in text):
        return None
    low = 0
    for sign in text[-6:]:
        low = low << 5 | _ALPHABET.index(sign)
    high = _ALPHABET.index(text[0]) if len(text) == 7 else 0
    return (high << _BITS) | ((low ^ _MIX) * _INVERSE & _MASK)
