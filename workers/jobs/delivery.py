"""Send what is queued for one gateway, and settle what is unknown."""

import random

from consular.queueing import wakeups
from consular.services import delivery, sweeping
from workers import runtime

SECONDS = 25.0
SPREAD = 0.3
"""Workers woken at the same moment would settle what is unknown at the same moment, and nobody would send meanwhile."""


def drain(gateway: str) -> int:
    """Work on the gateway's messages for a while, then on its unknown ones; ask for another go when there was work."""
    adapter = runtime.adapters().gateway(gateway)
    if adapter is None:
        return 0
    book, pace = runtime.book(), runtime.pace(gateway)
    seconds = SECONDS * random.uniform(1 - SPREAD, 1 + SPREAD)
    sent = delivery.drain(adapter, book, pace, runtime.WORKER_NAME, seconds, runtime.stopping.is_set)
    if not runtime.stopping.is_set():
        sweeping.reconcile(adapter, book)
    if sent:
        wakeups.kick(gateway)
    return sent
