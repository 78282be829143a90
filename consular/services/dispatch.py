"""Fan-out of an approved event and stopping it; both inside the transaction of the officer's act."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.audience import AudienceRule
from consular.domain.delivery import ALERT_PRIORITIES, MessageState, counted_as
from consular.domain.gateways import gateways_for, opt_out_list
from consular.models.alerts import AlertEvent
from consular.queries import counters, fanout, reach
from consular.queries.audience import select_people
from consular.queries.fanout import FanOutCount

AnySession = Session | scoped_session[Session]
Route = Callable[[Mapping[str | None, int]], Mapping[str | None, str | None]]
"""From the phones in each country (None: unknown) to the gateway of each; None: no gateway reaches them."""

MOST_CANCELLED_AT_ONCE = 20_000


def choose_people(session: AnySession, rule: AudienceRule, now: datetime) -> int:
    """Hold the people that the rule selects now, for fan_out() in the same transaction; how many they are."""
    return fanout.choose_people(session, select_people(rule, now.date()))


def fan_out(session: AnySession, event: AlertEvent, route: str | Route) -> FanOutCount:
    """Insert the message, recipient and standing rows of `event` for exactly the people whom choose_people() holds.

    The event must already be flushed. Does not commit.

    route: one gateway for everybody, or what chooses one for each country; people in a country without one are listed
    with that reason. Raises ValueError when an exercise would go to a real gateway, or the reverse, and whatever
    `route` raises.
    """
    able = gateways_for(event.status)
    phones = fanout.select_phones(session, opt_out_list(able[0]))
    chosen = dict.fromkeys(phones, route) if isinstance(route, str) else route(phones)
    if {gateway for gateway in (*chosen.values(), route) if isinstance(gateway, str)} - {*able}:
        raise ValueError("an exercise goes to the practice gateway, and nothing else does")
    fanout.exclude(session, [country for country, gateway in chosen.items() if gateway is None])
    most = route if isinstance(route, str) else _most_used(phones, chosen) or able[0]
    values = {
        "event_id": event.id,
        "crisis_id": event.crisis_id,
        "gateway": most,
        "priority": ALERT_PRIORITIES[event.message_class],
        "expires_at": event.expires_at,
    }
    others = {country: gateway for country, gateway in chosen.items() if country and gateway and gateway != most}
    count = fanout.insert_rows(session, values, others)
    if sum(count.fresh.values()) < count.people:
        reach.raise_for_event(session, event.id)
    deltas = {(event.id, "message:queued"): count.messages}
    for reached, people in count.fresh.items():
        deltas[event.crisis_id, f"reach:{reached}"] = people
        deltas[event.crisis_id, f"bucket:{reached}"] = people
    counters.add(session, deltas)
    return count


def _most_used(phones: Mapping[str | None, int], chosen: Mapping[str | None, str | None]) -> str | None:
    """The gateway of phones whose country is unknown, if there are any, because it is the one for all not named; else
    that of most phones."""
    if None in chosen:
        return chosen[None]
    used: Tally[str] = Tally()
    for country, gateway in chosen.items():
        if gateway is not None:
            used[gateway] += phones[country]
    return next((gateway for gateway, _ in used.most_common(1)), None)


def cancel_unsent(session: AnySession, event_id: UUID, now: datetime) -> int:
    """Cancel every message of the event that was not yet given to a socket; the number of them. Does not commit.

    A row marked `sending` is left alone: its text may have left. event.stopped_at must be set in the same
    transaction, so that
    nothing more is marked: that alone stops the sending. Rows beyond MOST_CANCELLED_AT_ONCE are counted, and
    cancelled by the
    sweeper afterwards, so that the stop itself is never slow.
    """
    unsent = int(session.execute(text(_COUNT), {"event_id": event_id}).scalar_one())
    values = {"event_id": event_id, "now": now, "limit": MOST_CANCELLED_AT_ONCE}
    rows = session.execute(text(_CANCEL), values).all()
    if rows:
        deltas = {(event_id, f"message:{MessageState.CANCELLED}"): len(rows)}
        for before, number in Tally(counted_as(MessageState(row.before)) for row in rows).items():
            deltas[event_id, f"message:{before}"] = -number
        reach.apply(session, [row.id for row in rows])
        counters.add(session, deltas)
    return max(unsent, len(rows))


_UNSENT = """(state in ('queued', 'claimed') or (state = 'held' and not exists (
    select 1 from message_attempts a where a.message_id = messages.id and a.outcome = 'unknown')))"""
"""A held row of which nobody knows whether it left stays with the officers."""

_COUNT = f"select count(*) from messages where event_id = :event_id and {_UNSENT}"  # noqa: S608 - constants

_CANCEL = f"""
with unsent as (
    select id, state from messages
    where event_id = :event_id and {_UNSENT} order by id limit :limit for update
)
update messages m set state = 'cancelled', lease_until = null, updated_at = :now
from unsent where m.id = unsent.id
returning m.id, unsent.state as before
"""  # noqa: S608
