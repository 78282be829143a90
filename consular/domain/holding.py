"""Texts that only an officer may decide on: why each is held, and how it may go on."""

from __future__ import annotations

from enum import StrEnum

from consular.domain.delivery import MOST_UNKNOWNS, SUSPECT_DEATHS

RESTORED = "restored"
"""Error code of texts that came out of a backup: the gateway may have taken them after it was made."""

DEATHS_AFTER_RELEASE = SUSPECT_DEATHS
"""What an officer sends again is claimed alone, and held again when one more worker dies of it."""

__all__ = ["DEATHS_AFTER_RELEASE", "MOST_UNKNOWNS", "RESTORED", "Why"]


class Why(StrEnum):
    """Why a text is held, in the order in which it is asked. All but WORKER_DIED may have left already; that may, too,
    when an earlier try ended in doubt."""

    RESTORED = "restored"
    WORKER_DIED = "worker_died"
    UNKNOWN_OFTEN = "unknown_often"
    SENSITIVE = "sensitive"
    UNKNOWN = "unknown"
