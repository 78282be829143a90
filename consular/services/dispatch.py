"""Fan-out of an approved event and stopping it; both inside the transaction of the officer's act."""

from __future__ import annotations

from collections import Counter as Tally
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.alerts import MessageClass
from consular.domain.audience import AudienceRule
from consular.domain.delivery import MessageState, counted_as
from consular.models.alerts import AlertEvent
from consular.queries import counters, fanout, reach
from consular.queries.audience import select_people
from consular.queries.fanout import FanOutCount

AnySession = Session | scoped_session[Session]

PRIORITIES = {MessageClass.LIFE_SAFETY: 9, MessageClass.NORMAL: 5, MessageClass.SENSITIVE: 5}


def fan_out(session: AnySession, event: AlertEvent, rule: AudienceRule, gateway_name: str, now: datetime) -> FanOutCount:
    """Insert the message, recipient and standing rows of `event`, which must already be flushed. Does not commit."""
    values = {
        "event_id": event.id,
        "crisis_id": event.crisis_id,
        "gateway": gateway_name,
        "priority": PRIORITIES[event.message_class],
        "now": now,
        "expires_at": event.expires_at,
    }
    count = fanout.insert_rows(session, select_people(rule, now.date()), values)
    reach.raise_for_event(session, event.id)
    deltas = {(event.id, "message:queued"): count.messages}
    for reached, people in count.fresh.items():
        deltas[event.crisis_id, f"reach:{reached}"] = people
        deltas[event.crisis_id, f"bucket:{reached}"] = people
    counters.add(session, deltas)
    return count


def cancel_unsent(session: AnySession, event_id: UUID, now: datetime) -> int:
    """Cancel every message of the event that was not yet given to a socket; the number of them. Does not commit.

    A row marked `sending` is left alone: its text may have left. event.stopped_at must be set in the same transaction, so that
    nothing more is marked.
    """
    rows = session.execute(text(_CANCEL), {"event_id": event_id, "now": now}).all()
    if rows:
        deltas = {(event_id, f"message:{MessageState.CANCELLED}"): len(rows)}
        for before, number in Tally(counted_as(MessageState(row.before)) for row in rows).items():
            deltas[event_id, f"message:{before}"] = -number
        reach.apply(session, [row.id for row in rows])
        counters.add(session, deltas)
    return len(rows)


_CANCEL = """
with unsent as (
    select id, state from messages
    where event_id = :event_id and state in ('queued', 'claimed', 'held') order by id for update
)
update messages m set state = 'cancelled', lease_until = null, updated_at = :now
from unsent where m.id = unsent.id
returning m.id, unsent.state as before
"""
