"""Post approved alerts on the mission's public accounts."""

from consular.queueing import wakeups
from consular.services import social
from workers import runtime

SECONDS = 25.0


def drain() -> int:
    """Post what is due for a while; ask for another go when something was posted."""
    done = social.drain(runtime.adapters().publishers, SECONDS, runtime.stopping.is_set)
    if done:
        wakeups.kick("social")
    return done
