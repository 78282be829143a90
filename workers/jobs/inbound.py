"""Read the texts that wait, and have their receipts sent."""

from consular.queueing import wakeups
from consular.services import inbound
from workers import runtime


def drain() -> int:
    """Work on waiting texts until none is left."""
    done = 0
    while not runtime.stopping.is_set() and (count := inbound.process()):
        done += count
        for queue in ("delivery", "exercise"):
            wakeups.kick(queue)
    return done
