"""Apply the receipts that wait."""

from consular.clock import utc_now
from consular.providers.receipt_words import read_reason, read_status
from consular.services import receipts, smsc_receipts
from workers import runtime


def drain() -> int:
    """Apply waiting receipts until none is left, then those of an SMSC whose texts had to be found first."""
    done = _apply()
    if not runtime.stopping.is_set() and smsc_receipts.match(utc_now()):
        done += _apply()
    return done


def _apply() -> int:
    done = 0
    while not runtime.stopping.is_set() and (count := receipts.process(read_status, read_reason)):
        done += count
    return done
