"""Send what is queued for one gateway, and settle what is unknown."""

from consular.queueing import wakeups
from consular.services import delivery, sweeping
from workers import runtime

SECONDS = 25.0


def drain(gateway: str) -> int:
    """Work on the gateway's messages for a while; ask for another go when time was up."""
    adapter = runtime.adapters().gateway(gateway)
    if adapter is None:
        return 0
    sweeping.reconcile(adapter, runtime.book())
    sent = delivery.drain(
        adapter, runtime.book(), runtime.pace(gateway), runtime.WORKER_NAME, SECONDS, runtime.stopping.is_set
    )
    if sent:
        wakeups.kick("exercise" if gateway == "exercise" else "delivery")
    return sent
