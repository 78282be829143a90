"""Storing receipts as they come and applying them in bulk, forward only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import NO_TRACE, RANK

AnySession = Session | scoped_session[Session]

_RANKS = " ".join(f"when m.state = '{state.value}' then {rank}" for state, rank in RANK.items())
_RANK_SQL = f"case when m.error_code = '{NO_TRACE}' then 0 {_RANKS} end"

_STORE = text("""
insert into receipt_events (id, gateway, provider_message_id, attempt_id, status, error_code, raw_sealed, received_at)
values (:id, :gateway, :provider_message_id, :attempt_id, :status, :error_code, :raw_sealed, :received_at)
on conflict (gateway, provider_message_id, status, error_code, attempt_id) do nothing
""")

WAITS = (2, 6, 22, 60, 150)
"""Seconds between looks at a receipt that fits nothing yet: it may have overtaken the answer that brings its text's id.
All of them together are longer than any answer waits to be written."""

_WAITING = "wait"
IS_DUE = f"""case when result like '{_WAITING}%' then cast(split_part(result, ' ', 2) as bigint)
    <= extract(epoch from now()) else result is null end"""
"""Of a receipt that is not processed: whether it is to be looked at now. By the database's clock alone, since the one
that stored the receipt may be wrong."""

OF_AN_SMSC = "gateway = 'smpp' and attempt_id is null"
"""A receipt whose text services.smsc_receipts finds first: its id alone does not tell."""

_COLUMNS = "id, gateway, provider_message_id, attempt_id, status, error_code, received_at, result"
_TAKE = text(f"""
select {_COLUMNS} from receipt_events
where processed_at is null and result is null and not ({OF_AN_SMSC})
order by received_at limit :limit for update skip locked
""")  # noqa: S608 - the inserted parts are constants of this module

_TAKE_AGAIN = text(f"""
select {_COLUMNS} from receipt_events
where processed_at is null and result is not null and not ({OF_AN_SMSC}) and {IS_DUE}
order by received_at limit :limit for update skip locked
""")  # noqa: S608 - the inserted parts are constants of this module

_APPLY = text(f"""
with r as (
    select * from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:ranks as int[]), cast(:provider_ids as
    text[]),
        cast(:errors as text[]), cast(:reasons as text[]), cast(:times as timestamptz[]), cast(:attempts as uuid[]))
    as r (id, state, rank, provider_id, error, reason, received_at, attempt_id)
), before as (
    select m.id, m.state, m.attempt_id from messages m join r on r.id = m.id order by m.id for update of m
)
update messages m set state = r.state, updated_at = now(), lease_until = null,
    provider_message_id = coalesce(m.provider_message_id, r.provider_id),
    error_code = r.error, failure_reason = r.reason,
    accepted_at = coalesce(m.accepted_at, r.received_at),
    delivered_at = case when r.state in ('delivered', 'read') then coalesce(m.delivered_at, r.received_at) else
    m.delivered_at end,
    possible_duplicate = m.possible_duplicate
        or (before.state = 'sending' and r.attempt_id is not null and r.attempt_id <> before.attempt_id)
from r join before on before.id = r.id
where m.id = r.id and r.rank > {_RANK_SQL}
returning m.id, m.event_id, before.state as before, m.state as after
""")  # noqa: S608 - the inserted part is a constant of this module

_BY_PROVIDER_ID = text("""
select provider_message_id as pid, id from messages
where provider_message_id = any(:ids) and gateway = :gateway order by accepted_at nulls first, id
""")

_BY_ATTEMPT = text("""
select provider_message_id as pid, message_id, id from message_attempts
where provider_message_id = any(:ids) and gateway = :gateway order by recorded_at
""")

_FINISH = text(f"""
update receipt_events e set processed_at = case when b.result like '{_WAITING}%' then null else now() end,
    result = b.result
from unnest(cast(:ids as uuid[]), cast(:results as text[])) as b (id, result) where e.id = b.id
""")  # noqa: S608 - the inserted part is a constant of this module


@dataclass(frozen=True, slots=True)
class Report:
    """The furthest news of one message in a batch."""

    message_id: int
    state: str
    rank: int
    provider_message_id: str
    error: str | None
    reason: str | None
    received_at: datetime
    attempt_id: UUID | None


def store(session: AnySession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert receipts; one already there stays as it is."""
    session.execute(_STORE, list(rows))


def take(session: AnySession, limit: int) -> Sequence[Row[Any]]:
    """Lock the oldest new receipts that nobody else works on, and a few of those that waited long enough to be looked
    at again: however many fit nothing, new ones come first."""
    new = session.execute(_TAKE, {"limit": limit}).all()
    again = session.execute(_TAKE_AGAIN, {"limit": max(1, limit // 5)}).all()
    return [*new, *again]


def find_numbers(session: AnySession, gateway: str, provider_ids: Sequence[str]) -> dict[str, tuple[int, UUID | None]]:
    """Message number, and the attempt if it is an earlier one, by the gateway's own id. Of two texts that were given
    the same id (short ids come round again) the later one is meant."""
    values = {"ids": list(provider_ids), "gateway": gateway}
    found: dict[str, tuple[int, UUID | None]] = {
        row.pid: (int(row.id), None) for row in session.execute(_BY_PROVIDER_ID, values)
    }
    earlier = [one for one in provider_ids if one not in found]
    if not earlier:
        return found
    rows = session.execute(_BY_ATTEMPT, {**values, "ids": earlier})
    return {**found, **{row.pid: (int(row.message_id), row.id) for row in rows}}


def existing(session: AnySession, gateways: Sequence[str], numbers: Sequence[int]) -> set[int]:
    """Which of these messages exist and may be reported on by one of `gateways`, whichever they go by now."""
    found = session.execute(
        text("select id from messages where id = any(:ids) and gateway = any(:gateways)"),
        {"ids": list(numbers), "gateways": list(gateways)},
    )
    return set(found.scalars())


def apply(session: AnySession, reports: Sequence[Report]) -> Sequence[Row[Any]]:
    """Move messages forward, at most one report each; (id, event_id, before, after) of those that moved."""
    values = {
        "ids": [report.message_id for report in reports],
        "states": [report.state for report in reports],
        "ranks": [report.rank for report in reports],
        "provider_ids": [report.provider_message_id for report in reports],
        "errors": [report.error for report in reports],
        "reasons": [report.reason for report in reports],
        "times": [report.received_at for report in reports],
        "attempts": [report.attempt_id for report in reports],
    }
    return session.execute(_APPLY, values).all()


def next_wait(result: str | None, now: datetime) -> str | None:
    """What to finish a receipt with that fits nothing, so that it is looked at again; None when that was done often
    enough. result: what it was finished with before."""
    look = int(result.removeprefix(_WAITING).split()[0]) + 1 if result else 0
    return f"{_WAITING}{look} {int(now.timestamp()) + WAITS[look]}" if look < len(WAITS) else None


def finish(session: AnySession, results: dict[UUID, str]) -> None:
    """Mark receipts with what became of each; one that next_wait named stays open."""
    session.execute(_FINISH, {"ids": list(results), "results": list(results.values())})
