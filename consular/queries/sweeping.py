"""Putting right what dead workers and passing time leave behind; every statement is safe to run twice and by two at
once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.canaries import CANARY_PRIORITY
from consular.domain.delivery import ACKNOWLEDGEMENT_PRIORITY, MOST_DEATHS, Verdict
from consular.domain.gateways import GATEWAYS
from consular.extensions import db
from consular.queries.receipts import IS_DUE

AnySession = Session | scoped_session[Session]
_LOCK = 7_206_912

_CLAIMED = text("""
with lost as (
    select id, state, event_id, deaths from messages where state = 'claimed' and lease_until < now()
    order by id limit :limit for update skip locked
)
update messages m set state = case when lost.deaths + 1 >= :most then 'held' else 'queued' end, deaths = lost.deaths +
1,
    lease_until = null, updated_at = now(), error_code = 'worker_died'
from lost where m.id = lost.id returning m.id, m.event_id, lost.state as before, m.state as after
""")

_SENDING = text("""
with lost as (
    select id, state, event_id, attempt_id, gateway, worker, sending_at from messages
    where state = 'sending' and lease_until < now() order by id limit :limit for update skip locked
), tried as (
    insert into message_attempts (id, message_id, gateway, worker, started_at, outcome)
    select attempt_id, id, gateway, worker, sending_at, 'unknown' from lost on conflict (id) do nothing
)
update messages m set state = 'unknown', lease_until = null, not_before = now(), error_code = 'worker_died',
updated_at = now()
from lost where m.id = lost.id returning m.id, m.event_id, lost.state as before, m.state as after
""")

_END = text("""
with over as (
    select e.id, e.stopped_at from alert_events e join counters c on c.scope_id = e.id and c.key = 'message:queued'
    where c.value > 0 and (e.stopped_at is not null or e.expires_at <= now())
), late as (
    select m.id, m.state, m.event_id, over.stopped_at from messages m join over on over.id = m.event_id
    where m.state = 'queued' order by m.id limit :limit for update of m skip locked
)
update messages m set state = case when late.stopped_at is null then 'expired' else 'cancelled' end, updated_at = now()
from late where m.id = late.id returning m.id, m.event_id, late.state as before, m.state as after
""")

_END_RECEIPTS = text(f"""
update messages set state = 'expired', updated_at = now() where id in (
    select id from messages where state = 'queued' and gateway in ({", ".join(map(repr, GATEWAYS))})
        and priority = any(:priorities)
        and event_id is null and expires_at <= now() order by id limit :limit for update skip locked)
""")  # noqa: S608 - the inserted part is a constant of consular.domain

_END_HELD_RECEIPTS = text("""
update messages set state = 'expired', updated_at = now() where id in (
    select id from messages where state = 'held' and event_id is null and expires_at <= now()
    order by id limit :limit for update skip locked)
""")

LOOK_SECONDS = 10.0
"""A text that one worker looks for is not looked for by another one meanwhile."""

_UNKNOWN = text("""
with due as (
    select id, not_before from messages where state = 'unknown' and gateway = :gateway and not_before <= now()
    order by not_before limit :limit for update skip locked
), taken as (
    update messages m set not_before = now() + :seconds * interval '1 second' from due where m.id = due.id
)
select m.id, m.attempt_id, m.event_id, m.inbound_id, m.template, m.contact_point_id, m.language, m.sending_at,
m.not_found_at,
    m.expires_at, e.stopped_at, c.value_sealed, i.sender_sealed, k.id as canary_id, k.phone_sealed,
    (select count(*) from message_attempts a where a.message_id = m.id and a.outcome = 'unknown') as unknowns
from due join messages m on m.id = due.id left join contact_points c on c.id = m.contact_point_id
left join inbound_messages i on i.id = m.inbound_id
left join alert_events e on e.id = m.event_id left join canaries k on k.message_id = m.id
order by due.not_before
""")

_SETTLE = text("""
with before as (
    select m.id, m.state, m.expires_at, e.stopped_at from messages m left join alert_events e on e.id = m.event_id
    where m.id = :id and m.attempt_id = :attempt and m.state = 'unknown' for update of m
)
update messages m set updated_at = now(), not_found_at = :not_found_at,
    state = case when :state <> 'queued' or (before.stopped_at is null and before.expires_at > now()) then :state
                 when not :is_absent then 'unknown'
                 when before.stopped_at is not null then 'cancelled' else 'expired' end,
    error_code = coalesce(:error, m.error_code), provider_message_id = coalesce(:provider_id, m.provider_message_id),
    accepted_at = case when :state = 'accepted' then coalesce(m.accepted_at, m.sending_at) else m.accepted_at end,
    not_before = now() + :wait * interval '1 second',
    possible_duplicate = m.possible_duplicate or (:state = 'queued' and before.stopped_at is null and
    before.expires_at > now())
from before where m.id = before.id returning m.id, m.event_id, before.state as before, m.state as after
""")

_FIRST_QUEUED = """(select 1 from messages where state = 'queued' and gateway = '{0}' and not_before <= now()
     order by priority desc, not_before, id limit 1) is not null as {0},"""
_FIRST_UNKNOWN = """exists (select 1 from messages where state = 'unknown' and gateway = '{0}' and not_before <= now())
    as {0}_unknown,"""

_PENDING = text(f"""
select
    {" ".join(_FIRST_QUEUED.format(name) + _FIRST_UNKNOWN.format(name) for name in GATEWAYS)}
    exists (select 1 from inbound_messages where processed_at is null) as inbound,
    exists (select 1 from receipt_events where processed_at is null and {IS_DUE}) as receipts,
    exists (select 1 from social_posts where state in ('queued', 'sending', 'unknown') and not_before <= now()) as
    social
""")  # noqa: S608 - the inserted parts are constants of this module
"""The order makes the planner walk the index of the queue, also when its statistics are from the minute of the
fan-out."""


def try_lock(session: AnySession) -> bool:
    """Whether this transaction is the only sweeper now."""
    return bool(session.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar())


def lapse(session: AnySession, limit: int) -> list[Row[Any]]:
    """Give up leases that are over: claimed rows go back, `sending` rows become `unknown`. Changed rows as
    note_changes takes them."""
    claimed = session.execute(_CLAIMED, {"limit": limit, "most": MOST_DEATHS}).all()
    return [*claimed, *session.execute(_SENDING, {"limit": limit}).all()]


def end(session: AnySession, limit: int) -> Sequence[Row[Any]]:
    """Take queued rows out whose alert is over or stopped, found by the events' counters; at most `limit`."""
    return session.execute(_END, {"limit": limit}).all()


def end_receipts(session: AnySession, limit: int) -> None:
    """Take receipts for replies, and test texts, out that come too late to be of use: queued ones, and those held
    because their workers died, on which no officer needs to decide."""
    session.execute(_END_RECEIPTS, {"limit": limit, "priorities": [ACKNOWLEDGEMENT_PRIORITY, CANARY_PRIORITY]})
    session.execute(_END_HELD_RECEIPTS, {"limit": limit})


def unknowns(session: AnySession, gateway: str, limit: int) -> Sequence[Row[Any]]:
    """Take texts nobody knows the fate of that are due for a look at the gateway's list; nobody else gets them for
    LOOK_SECONDS."""
    return session.execute(_UNKNOWN, {"gateway": gateway, "limit": limit, "seconds": LOOK_SECONDS}).all()


def settle(session: AnySession, row: Row[Any], verdict: Verdict) -> Sequence[Row[Any]]:
    """Move one `unknown` row of the same attempt; nothing when a receipt was faster. A resend is a possible duplicate,
    and an alert that ended is sent to nobody again."""
    return session.execute(_SETTLE, {"id": row.id, "attempt": row.attempt_id, **asdict(verdict)}).all()


def pending() -> dict[str, bool]:
    """Which kinds of work wait in the database."""
    return dict(db.session.execute(_PENDING).one()._mapping)


def database_now(session: AnySession) -> datetime:
    """The database's clock, by which leases and waits are measured."""
    now: datetime = session.execute(text("select now()")).scalar_one()
    return now
