"""Officers' passwords: argon2id, and the same work for a name nobody has."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 256
_LEAST_DIFFERENT = 5

_hasher = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1, type=Type.ID)
_hash_of_nobody: list[str] = []


def password_problem(password: str, username: str) -> str | None:
    """Why `password` cannot be used, as a sentence with the cure; None when it can."""
    if len(password) < LEAST_CHARACTERS:
        return f"Use at least {LEAST_CHARACTERS} characters; several words are easy to remember."
    if len(password) > MOST_CHARACTERS:
        return f"Use at most {MOST_CHARACTERS} characters."
    if len(set(password)) < _LEAST_DIFFERENT or password.casefold() == username.casefold():
        return "This password is too easy to guess: use several words."
    return None


def hash_password(password: str) -> str:
    """The argon2id hash of `password` in PHC form."""
    return _hasher.hash(_canonical(password))


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether `password` belongs to `password_hash`. None (nobody of that name) takes the same time and is False."""
    try:
        _hasher.verify(password_hash or _nobody(), _canonical(password[: MOST_CHARACTERS + 1]))
    except (Argon2Error, InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _canonical(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _nobody() -> str:
    if not _hash_of_nobody:
        _hash_of_nobody.append(_hasher.hash(b"nobody"))
    return _hash_of_nobody[0]
