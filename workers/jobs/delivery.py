"""Send what is queued for one gateway, and settle what is unknown."""

from consular.queueing import wakeups
from consular.services import delivery, sweeping
from workers import runtime

SECONDS = 25.0


def drain(gateway: str) -> int:
    """Work on the gateway's messages for a while, then on its unknown ones; ask for another go when there was work."""
    adapter = runtime.adapters().gateway(gateway)
    if adapter is None:
        return 0
    book, pace = runtime.book(), runtime.pace(gateway)
    sent = delivery.drain(adapter, book, pace, runtime.WORKER_NAME, SECONDS, runtime.stopping.is_set)
    if not runtime.stopping.is_set():
        sweeping.reconcile(adapter, book)
    if sent:
        wakeups.kick(gateway)
    return sent
