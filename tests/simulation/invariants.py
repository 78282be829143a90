"""What must be true after every simulated run (catalogue I1, I2, I3, I5, I8, I9, I10, I11); each finding names rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from consular.domain.delivery import NO_TRACE, RANK, MessageState, counted_as, message_number
from consular.providers.twilio.codes import map_status
from tests.simulation.operator import LAGS, LEASE_NEEDED, PAUSE_BEFORE_WRITE, Write
from tests.simulation.rows import Message
from tests.simulation.settled import LEASE, SETTLED
from tests.simulation.world import RECOVERY, World

STOP_SECONDS = 5.0
WINDOW_SECONDS = 10.0
TOLERANCE = 1.05
HANDED_OVER = ("accepted", "sent", "delivered", "read", "undelivered")
DENIED = ("queued", "claimed", "sending", "cancelled", "expired", "refused")


def findings(world: World) -> list[str]:
    """Every broken promise of a finished run, with its number in the catalogue."""
    checks = (conserved, counted, not_twice, true, confluent, alive, stopped, eligible, paced)
    return [f"{check.__doc__} {found}" for check in checks for found in check(world)]


def conserved(world: World) -> Iterator[str]:
    """I1: every row ends in a final state or is held."""
    for message in world.store.messages.values():
        if message.state not in SETTLED:
            yield f"{message.id}:{message.state}"


def counted(world: World) -> Iterator[str]:
    """I1: counters equal a recount."""
    for event_id in world.events:
        mine = [m for m in world.store.messages.values() if m.event_id == event_id]
        recount = Counter(f"message:{counted_as(MessageState(m.state))}" for m in mine)
        kept = {key: value for (scope, key), value in world.store.counters.items() if scope == event_id and value}
        if kept != dict(recount):
            yield f"event {event_id.int}: {kept} instead of {dict(recount)}"


def not_twice(world: World) -> Iterator[str]:
    """I2: a text is taken once; more often only when that was declared, and never where the list tells at once."""
    times = Counter(one.number for one in world.operator.taken)
    doubts = Counter(one.message_id for one in world.store.attempts.values() if one.outcome == "unknown")
    for number, taken in times.items():
        message = world.store.messages[number]
        if taken > 1 and not message.possible_duplicate:
            yield f"{number} was taken {taken} times and nobody said so"
        if taken > 1 + doubts[number]:
            yield f"{number} was taken {taken} times after {doubts[number]} doubts"
        if taken > 1 and has_prompt_list(world):
            yield f"{number} was taken {taken} times although the list shows everything at once"
    for message in world.store.messages.values():
        if message.possible_duplicate and not doubts[message.id]:
            yield f"{message.id} is declared a possible duplicate without any doubt"


def has_prompt_list(world: World) -> bool:
    """Whether the list, asked in time, shows every text that was taken."""
    return LAGS.get(world.plan.list_mode, 60.0) < 60.0 and not world.facts.has_jumped


def true(world: World) -> Iterator[str]:
    """I3: accepted here is accepted there, and the reverse."""
    taken: dict[int, set[str]] = {}
    for one in world.operator.taken:
        taken.setdefault(one.number, set()).add(one.sid)
    for message in world.store.messages.values():
        sids = taken.get(message.id, set())
        if message.state in HANDED_OVER and not sids:
            yield f"{message.id} is {message.state} and was never taken"
        if message.provider_message_id is not None and message.provider_message_id not in sids:
            yield f"{message.id} has the id of another text"
        if message.id in world.store.answered and message.state in ("cancelled", "expired"):
            yield f"{message.id} is {message.state} although the gateway said that it took it"
        if sids and message.state in DENIED and not _is_doubted(world, message):
            yield f"{message.id} is {message.state} and was taken"


def _is_doubted(world: World, message: Message) -> bool:
    """Where nobody can know, a row says that (possible_duplicate, held, no_trace) or its list was known to lag."""
    doubts = [one for one in world.store.attempts.values() if one.message_id == message.id and one.outcome == "unknown"]
    if has_prompt_list(world) or not doubts:
        return False
    return world.plan.list_mode != "none" or message.possible_duplicate


def confluent(world: World) -> Iterator[str]:
    """I5: what the operator reported last counts by its rank, in whatever order it came."""
    best: dict[int, int] = {}
    for receipt in world.store.receipts.values():
        state = map_status(receipt.status)
        if receipt.attempt_id is not None and state is not None:
            number = message_number(receipt.attempt_id)
            best[number] = max(best.get(number, 0), RANK[state])
    for number, rank in best.items():
        message = world.store.messages.get(number)
        if message is not None and _rank(message) < rank:
            yield f"{number} is {message.state} although more was reported"
    if world.store.waiting:
        yield f"{len(world.store.waiting)} receipts were never read"


def _rank(message: Message) -> int:
    state = MessageState(message.state)
    return 0 if message.error_code == NO_TRACE else RANK[state]


def alive(world: World) -> Iterator[str]:
    """I8: after the last fault everything is settled in time or has a reason to wait."""
    for row in world.facts.unexplained:
        yield f"{row} {RECOVERY:.0f} s after the last fault"


def stopped(world: World) -> Iterator[str]:
    """I9: nothing leaves later than 5 s after a stop."""
    for write in world.operator.writes:
        event_id = world.store.messages[write.number].event_id
        at = world.facts.stopped_at.get(event_id) if event_id is not None else None
        if at is not None and _is_late(write, at):
            yield f"{write.number} left {write.at - at:.1f} s after the stop"


def eligible(world: World) -> Iterator[str]:
    """I10: nobody who opted out gets another text."""
    for write in world.operator.writes:
        at = world.facts.opted_out_at.get(world.store.messages[write.number].endpoint_index)
        if at is not None and _is_late(write, at):
            yield f"{write.number} left {write.at - at:.1f} s after its phone opted out"


def _is_late(write: Write, ended_at: float) -> bool:
    """A process that stands still around its lease check may write later, but not later than its lease lets it."""
    longest = STOP_SECONDS + LEASE - LEASE_NEEDED + PAUSE_BEFORE_WRITE
    return write.at - write.paused > ended_at + STOP_SECONDS or write.at > ended_at + longest


def paced(world: World) -> Iterator[str]:
    """I11: no ten seconds have more texts than the sender may send."""
    if world.facts.has_jumped:
        return
    moments = sorted(write.at - write.paused for write in world.operator.writes)
    most = int(world.plan.rate * WINDOW_SECONDS * TOLERANCE) + 1
    for first, last in zip(moments, moments[most:], strict=False):
        if last - first < WINDOW_SECONDS:
            yield f"{most + 1} texts within {last - first:.1f} s at {world.plan.rate} a second"


def recovery(world: World) -> float:
    """Seconds from the last fault until all was settled; 0 when it already was, or waited for a reason."""
    if world.facts.settled_at is None or world.facts.has_jumped:
        return 0.0
    return max(0.0, world.facts.settled_at - world.facts.last_fault)
