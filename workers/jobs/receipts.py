"""Apply the receipts that wait."""

from consular.providers.receipt_words import read_reason, read_status
from consular.services import receipts
from workers import runtime


def drain() -> int:
    """Apply waiting receipts until none is left."""
    done = 0
    while not runtime.stopping.is_set() and (count := receipts.process(read_status, read_reason)):
        done += count
    return done
