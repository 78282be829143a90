"""Apply the receipts that wait."""

import time

from consular.providers.receipt_words import read_reason, read_status
from consular.queueing import wakeups
from consular.services import receipts, smsc_receipts
from workers import runtime

SECONDS = 25.0
GATHER_SECONDS = 0.1
"""Between two looks: many receipts are applied with the work of one."""


def drain(seconds: float = SECONDS) -> int:
    """Apply waiting receipts until none is left, then those of an SMSC whose texts had to be found first; when the time
    is over, ask for another go."""
    ends_at = time.monotonic() + seconds
    done = _apply(ends_at)
    while not runtime.stopping.is_set() and smsc_receipts.match():
        done += _apply(ends_at)
        if time.monotonic() >= ends_at:
            wakeups.kick("receipts")
            break
    return done


def _apply(ends_at: float) -> int:
    done = 0
    while not runtime.stopping.is_set() and (count := receipts.process(read_status, read_reason)):
        done += count
        if time.monotonic() >= ends_at:
            wakeups.kick("receipts")
            break
        if count < receipts.BATCH:
            runtime.stopping.wait(GATHER_SECONDS)
    return done
