"""Apply the receipts that wait."""

from consular.providers.twilio.codes import failure_reason, map_status
from consular.services import receipts
from workers import runtime


def drain() -> int:
    """Apply waiting receipts until none is left."""
    done = 0
    while not runtime.stopping.is_set() and (count := receipts.process(map_status, failure_reason)):
        done += count
    return done
