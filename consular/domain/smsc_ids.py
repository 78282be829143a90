"""Message ids of an SMSC: one number is often hex in the answer to submit_sm and decimal in the receipt, or the
reverse."""

from __future__ import annotations

_DECIMAL = frozenset("0123456789")
_HEXADECIMAL = frozenset("0123456789abcdef")
_LONGEST_NUMBER = 32
_DIGITS_COMPARED = 8


def spellings(message_id: str) -> tuple[str, ...]:
    """What an id may be called elsewhere, the plainest first: lower case without leading zeros, then the number it is
    in hexadecimal, then in decimal. Two different ids can share a spelling: check the phone as well."""
    plain = message_id.strip().lower().lstrip("0") or "0"
    found = [plain]
    if len(plain) <= _LONGEST_NUMBER and _DECIMAL.issuperset(plain):
        found.append(f"{int(plain):x}")
    if len(plain) <= _LONGEST_NUMBER and _HEXADECIMAL.issuperset(plain):
        found.append(str(int(plain, 16)))
    return tuple(dict.fromkeys(found))


def same_phone(one: str, other: str) -> bool:
    """Whether two spellings of a number, with or without +, country code or zero, can mean the same phone."""
    digits = [spelling.lstrip("+0") for spelling in (one, other)]
    if not all(digits):
        return False
    return digits[0] == digits[1] or (
        min(map(len, digits)) >= _DIGITS_COMPARED and digits[0][-_DIGITS_COMPARED:] == digits[1][-_DIGITS_COMPARED:]
    )
