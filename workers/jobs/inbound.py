"""Read the texts that wait, and have their receipts sent."""

from consular.domain.gateways import GATEWAYS
from consular.queueing import QUEUES, wakeups
from consular.services import inbound
from workers import runtime


def drain() -> int:
    """Work on waiting texts until none is left."""
    done = 0
    while not runtime.stopping.is_set() and (count := inbound.process()):
        done += count
        for gateway in set(GATEWAYS) & set(QUEUES):
            wakeups.kick(gateway)
    return done
