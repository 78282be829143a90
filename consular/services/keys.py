"""Noticing a missing or wrong encryption key before anything is written with it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

from sqlalchemy import select

from consular.clock import utc_now
from consular.extensions import cipher
from consular.models.audit import KeyCheck
from consular.security.fields import FieldCipher, KeyUnavailableError
from consular.services.transactions import unit_of_work

_SAMPLE = "consular key check"
_PLACE = "key_checks.sealed"
_CURE = "Set CONSULAR_KEYS or CONSULAR_KEY_FILE to the keys this database was made with. Nothing was changed."


def note_keys() -> None:
    """Remember, once per database, what the present keys make of a known text. Raises KeyUnavailableError when they
    differ."""
    with unit_of_work() as session:
        if session.execute(select(KeyCheck.id).limit(1)).first() is None:
            check_id = uuid4()
            sealed = cipher.seal(_SAMPLE, _PLACE, check_id)
            sample = cipher.index(_SAMPLE, "key_check")
            session.add(KeyCheck(id=check_id, sealed=sealed, index_sample=sample, created_at=utc_now()))
    verify_keys()


def verify_keys() -> None:
    """Raise KeyUnavailableError unless the configured keys are those this database was made with."""
    with unit_of_work() as session:
        checks = session.execute(select(KeyCheck).where(KeyCheck.retired_at.is_(None))).scalars().all()
        problem = keys_problem(cipher, ((check.id, check.sealed, check.index_sample) for check in checks))
    if problem:
        raise KeyUnavailableError(problem)


def keys_problem(keys: FieldCipher, checks: Iterable[tuple[UUID, bytes, bytes]]) -> str | None:
    """Why `keys` are not those that made `checks` (id, sealed, index sample), as a sentence; None when they are."""
    for check_id, sealed, index_sample in checks:
        try:
            keys.open(sealed, _PLACE, check_id)
        except KeyUnavailableError:
            return f"The data key is not the one this database was made with. {_CURE}"
        if keys.index(_SAMPLE, "key_check") != index_sample:
            return f"The index key is not the one this database was made with. {_CURE}"
    return None
