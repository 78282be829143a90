"""Claiming, marking and recording messages in bulk. All times are the database's, so that a worker's clock cannot bend a lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

AnySession = Session | scoped_session[Session]

_CLAIM = text("""
with picked as (
    select id from messages
    where state = 'queued' and gateway = :gateway and not_before <= now() and expires_at > now()
      and not exists (select 1 from country_pauses p where p.gateway = messages.gateway and p.country = messages.country
                      and p.paused_until > now())
    order by priority desc, not_before, id limit :limit for update skip locked
), claimed as (
    update messages m set state = 'claimed', worker = :worker, lease_until = now() + :lease * interval '1 second',
        tries = tries + 1, updated_at = now(),
        attempt_id = (lpad(to_hex(m.id), 16, '0') || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid
    from picked where m.id = picked.id
    returning m.id, m.attempt_id, m.event_id, m.inbound_id, m.template, m.contact_point_id, m.language, m.country, m.tries,
        m.priority, m.expires_at
)
select claimed.*, c.value_sealed, i.sender_sealed from claimed
left join contact_points c on c.id = claimed.contact_point_id
left join inbound_messages i on i.id = claimed.inbound_id
order by claimed.priority desc, claimed.id
""")

_MARK = text("""
update messages m set state = 'sending', sending_at = clock_timestamp(), not_found_at = null,
    lease_until = now() + :lease * interval '1 second', updated_at = now()
from unnest(cast(:ids as bigint[]), cast(:attempts as uuid[])) as b (id, attempt_id)
where m.id = b.id and m.attempt_id = b.attempt_id and m.state = 'claimed' and m.lease_until > now() and m.expires_at > now()
  and (m.event_id is null or exists (select 1 from alert_events e where e.id = m.event_id and e.stopped_at is null))
  and not exists (select 1 from opt_outs o where o.value_index = m.endpoint_index and o.ended_at is null)
returning m.id
""")

_PACE = text("""
update senders set next_free_at = greatest(next_free_at, now()) + :seconds * interval '1 second'
where gateway = :gateway
returning extract(epoch from next_free_at - clock_timestamp()) - :seconds as starts_in
""")

_RECORD = text("""
with r as (
    select * from unnest(cast(:ids as bigint[]), cast(:attempts as uuid[]), cast(:states as text[]), cast(:outcomes as text[]),
        cast(:provider_ids as text[]), cast(:errors as text[]), cast(:reasons as text[]), cast(:statuses as int[]),
        cast(:latencies as float8[]), cast(:waits as float8[]))
    as r (id, attempt_id, state, outcome, provider_id, error, reason, http_status, latency, wait)
), tried as (
    insert into message_attempts (id, message_id, gateway, worker, started_at, outcome, http_status, provider_message_id,
                                  error_code, latency_seconds)
    select attempt_id, id, :gateway, :worker, now() - latency * interval '1 second', outcome, http_status, provider_id, error,
           latency from r
    on conflict (id) do nothing
), before as (
    select m.id, m.state, m.event_id from messages m join r on r.id = m.id order by m.id for update of m
)
update messages m set
    state = case when r.state = 'queued' and e.stopped_at is not null then 'cancelled'
                 when r.state = 'queued' and m.expires_at <= now() then 'expired' else r.state end,
    provider_message_id = coalesce(r.provider_id, m.provider_message_id),
    error_code = r.error, failure_reason = r.reason, lease_until = null, updated_at = now(),
    accepted_at = case when r.state = 'accepted' then now() else m.accepted_at end,
    not_before = case when r.state in ('queued', 'unknown') then now() + r.wait * interval '1 second' else m.not_before end,
    tries = case when r.state = 'queued' then 0 else m.tries end
from r join before on before.id = r.id left join alert_events e on e.id = before.event_id
where m.id = r.id and m.attempt_id = r.attempt_id
  and (m.state = 'sending' or (m.state = 'unknown' and r.state = 'accepted'))
returning m.id, m.event_id, before.state as before, m.state as after
""")

_RELEASE = text("""
update messages set state = 'queued', lease_until = null, tries = greatest(tries - 1, 0), updated_at = now()
where id = any(:ids) and worker = :worker and state = 'claimed'
""")


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One line of _RECORD; waits in seconds."""

    id: int
    attempt_id: UUID
    state: str
    outcome: str
    provider_id: str | None
    error: str | None
    reason: str | None
    http_status: int | None
    latency: float
    wait: float


def claim(
    session: AnySession, gateway: str, worker: str, limit: int, lease_seconds: float
) -> Sequence[Row[tuple[object, ...]]]:
    """Claim up to `limit` queued messages of one gateway for `worker`, most urgent first; other workers' rows are skipped."""
    values = {"gateway": gateway, "worker": worker, "limit": limit, "lease": lease_seconds}
    return session.execute(_CLAIM, values).all()


def mark_sending(session: AnySession, rows: Sequence[tuple[int, UUID]], lease_seconds: float) -> set[int]:
    """Mark claimed rows `sending`; the ids that may be sent now. Left out: lost lease, stopped, expired, opted out meanwhile."""
    values = {"ids": [row[0] for row in rows], "attempts": [row[1] for row in rows], "lease": lease_seconds}
    return set(session.execute(_MARK, values).scalars())


def reserve_slot(session: AnySession, gateway: str, seconds: float) -> float:
    """Reserve `seconds` of the sender's time after everybody else's; how many seconds from now the slot starts (<= 0: now)."""
    return float(session.execute(_PACE, {"gateway": gateway, "seconds": seconds}).scalar_one())


def record(
    session: AnySession, gateway: str, worker: str, rows: Sequence[OutcomeRow]
) -> Sequence[Row[tuple[object, ...]]]:
    """Write every outcome in one statement; (id, event_id, before, after) of the messages that changed."""
    values = {
        "gateway": gateway,
        "worker": worker,
        "ids": [row.id for row in rows],
        "attempts": [row.attempt_id for row in rows],
        "states": [row.state for row in rows],
        "outcomes": [row.outcome for row in rows],
        "provider_ids": [row.provider_id for row in rows],
        "errors": [row.error for row in rows],
        "reasons": [row.reason for row in rows],
        "statuses": [row.http_status for row in rows],
        "latencies": [row.latency for row in rows],
        "waits": [row.wait for row in rows],
    }
    return session.execute(_RECORD, values).all()


def release(session: AnySession, worker: str, ids: Sequence[int]) -> None:
    """Give claimed but unmarked rows back to the queue (end of a drain, clean stop)."""
    session.execute(_RELEASE, {"ids": list(ids), "worker": worker})


def pause_country(session: AnySession, gateway: str, country: str, error_code: str, seconds: float) -> None:
    """Keep the country's rows queued for a while instead of failing them one by one."""
    session.execute(
        text("""
        insert into country_pauses (gateway, country, error_code, refusals, paused_until)
        values (:gateway, :country, :error, 1, now() + :seconds * interval '1 second')
        on conflict (gateway, country) do update set refusals = country_pauses.refusals + 1, error_code = :error,
            paused_until = excluded.paused_until
        """),
        {"gateway": gateway, "country": country, "error": error_code, "seconds": seconds},
    )


def pause_sender(session: AnySession, gateway: str, seconds: float, reason: str) -> None:
    """Stop the whole line for a while: the account is refused or throttled."""
    session.execute(
        text("""
        update senders set pause_reason = :reason,
            paused_until = greatest(coalesce(paused_until, now()), now() + :seconds * interval '1 second')
        where gateway = :gateway
        """),
        {"gateway": gateway, "seconds": seconds, "reason": reason},
    )


def open_line(session: AnySession, gateway: str) -> float:
    """Make sure that the sender has its row; seconds until its pause is over (0: not paused)."""
    session.execute(
        text("insert into senders (gateway, next_free_at) values (:g, now()) on conflict do nothing"), {"g": gateway}
    )
    left = session.execute(
        text("select extract(epoch from paused_until - now()) from senders where gateway = :g"), {"g": gateway}
    ).scalar()
    return max(0.0, float(left or 0.0))


def cancel_claimed(session: AnySession, message_id: int, attempt_id: UUID) -> None:
    """Cancel one claimed row that has nothing to say (a reply that gets no receipt)."""
    session.execute(
        text(
            "update messages set state = 'cancelled', lease_until = null where id = :id and attempt_id = :attempt and state = 'claimed'"
        ),
        {"id": message_id, "attempt": attempt_id},
    )
