"""Read the texts that wait, and have their receipts sent."""

import time

from consular.domain.gateways import GATEWAYS
from consular.queueing import QUEUES, wakeups
from consular.services import inbound
from workers import runtime

SECONDS = 25.0
"""Far below the queue's own limit, which would break off in the middle of a text."""
GATHER_SECONDS = 0.1
"""Between two looks: in a storm many texts are read with the work of one, and webhooks have the processor meanwhile."""


def drain(seconds: float = SECONDS) -> int:
    """Work on waiting texts until none is left or the time is over; then ask for another go."""
    ends_at = time.monotonic() + seconds
    done = 0
    while not runtime.stopping.is_set() and (count := inbound.process()):
        done += count
        for gateway in set(GATEWAYS) & set(QUEUES):
            wakeups.kick(gateway)
        if time.monotonic() >= ends_at:
            wakeups.kick("inbound")
            break
        if count < inbound.BATCH:
            runtime.stopping.wait(GATHER_SECONDS)
    return done
