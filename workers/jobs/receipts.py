"""Apply the receipts that wait."""

from consular.clock import utc_now
from consular.providers.receipt_words import read_reason, read_status
from consular.services import receipts, smsc_receipts
from workers import runtime


def drain() -> int:
    """Apply waiting receipts until none is left."""
    done = 0
    smsc_receipts.match(utc_now())
    while not runtime.stopping.is_set() and (count := receipts.process(read_status, read_reason)):
        done += count
    return done
