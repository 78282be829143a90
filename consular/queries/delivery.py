"""Claiming, marking and recording messages in bulk. All times are the database's, so that a worker's clock cannot
bend a lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import ACCOUNT_REFUSED

AnySession = Session | scoped_session[Session]

_CLAIM = text("""
with picked as (
    select id from messages
    where state = 'queued' and gateway = :gateway and not_before <= now() and expires_at > now()
      and (event_id is null or (event_id <> all(cast(:without as uuid[]))
                                and event_id not in (select e.id from alert_events e where e.stopped_at is not null)))
      and not exists (select 1 from country_pauses p where p.gateway = messages.gateway and p.country = messages.country
                      and p.paused_until > now())
    order by priority desc, not_before, id limit :limit for update skip locked
), claimed as (
    update messages m set state = 'claimed', worker = :worker, lease_until = now() + :lease * interval '1 second',
        tries = tries + 1, updated_at = now(),
        attempt_id = (lpad(to_hex(m.id), 16, '0') || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid
    from picked where m.id = picked.id
    returning m.id, m.attempt_id, m.event_id, m.inbound_id, m.template, m.contact_point_id, m.language, m.country,
    m.tries,
        m.deaths, m.priority, m.expires_at
)
select claimed.*, c.value_sealed, i.sender_sealed, k.id as canary_id, k.phone_sealed, k.text_sealed from claimed
left join contact_points c on c.id = claimed.contact_point_id
left join inbound_messages i on i.id = claimed.inbound_id
left join canaries k on k.message_id = claimed.id
order by claimed.priority desc, claimed.id
""")

_MINE = """
with mine as (
    select m.id, m.state, m.event_id, m.endpoint_index, m.gateway, m.expires_at
    from messages m join unnest(cast(:ids as bigint[]), cast(:attempts as uuid[])) as b (id, attempt_id) on m.id = b.id
    where m.attempt_id = b.attempt_id and m.state = 'claimed' and m.lease_until > now()
    order by m.id for update of m
)
"""
_IS_STOPPED = "exists (select 1 from alert_events e where e.id = mine.event_id and e.stopped_at is not null)"
_IS_OPTED_OUT = """exists (select 1 from opt_outs o
    where o.value_index = mine.endpoint_index and o.ended_at is null
    and o.gateway = case mine.gateway when 'exercise' then 'exercise' else 'actual' end)"""
"""A STOP said to one real gateway counts at all of them (domain.gateways.opt_out_list)."""

_MARK = text(f"""
{_MINE}
update messages m set state = 'sending', sending_at = clock_timestamp(), not_found_at = null,
    lease_until = now() + :lease * interval '1 second', updated_at = now()
from mine where m.id = mine.id and mine.expires_at > now() and not {_IS_STOPPED} and not {_IS_OPTED_OUT}
returning m.id
""")  # noqa: S608 - the inserted parts are constants of this module

_DROP = text(f"""
{_MINE}
update messages m set state = case when mine.expires_at <= now() then 'expired' else 'cancelled' end,
    failure_reason = case when {_IS_OPTED_OUT} then 'opted_out' when mine.expires_at <= now() then 'expired' end,
    lease_until = null, updated_at = now()
from mine where m.id = mine.id and (mine.expires_at <= now() or {_IS_STOPPED} or {_IS_OPTED_OUT})
returning m.id, m.event_id, mine.state as before, m.state as after
""")  # noqa: S608

FAR_SECONDS = 300.0
"""No slot is reserved so far ahead: a later one was given before the clock was put back."""

_PACE = text("""
with line as (
    select gateway, greatest(coalesce(paused_until, now()), now(),
        case when next_free_at <= now() + :far * interval '1 second' then next_free_at end) as starts_at,
        next_free_at as free_at from senders
    where gateway = :gateway for update
)
update senders s
set next_free_at = case when starts_at > now() + :longest * interval '1 second' then s.next_free_at
                        else starts_at + :seconds * interval '1 second' end
from line where s.gateway = line.gateway
returning extract(epoch from starts_at - clock_timestamp()) as starts_in,
    greatest(0, extract(epoch from starts_at - free_at)) as unused, starts_at <= now() + :longest * interval '1 second'
""")

# An answer decides on its own attempt while that is open, also when it comes after the lease. That a text was taken is
# proof whatever became of its row meanwhile, unless a later attempt is under way or a report said more.
_RECORD = text("""
with r as (
    select * from unnest(cast(:ids as bigint[]), cast(:attempts as uuid[]), cast(:states as text[]), cast(:outcomes as
    text[]),
        cast(:provider_ids as text[]), cast(:errors as text[]), cast(:reasons as text[]), cast(:statuses as int[]),
        cast(:latencies as float8[]), cast(:waits as float8[]), cast(:ages as float8[]),
        cast(:parts as smallint[]))
    as r (id, attempt_id, state, outcome, provider_id, error, reason, http_status, latency, wait, age, parts)
), tried as (
    insert into message_attempts (id, message_id, gateway, worker, started_at, outcome, http_status,
    provider_message_id, error_code, latency_seconds, parts)
    select attempt_id, id, :gateway, :worker, now() - age * interval '1 second', outcome, http_status,
    provider_id, error, latency, parts from r
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
    not_before = case when r.state in ('queued', 'unknown') then now() + r.wait * interval '1 second' else
    m.not_before end
from r join before on before.id = r.id left join alert_events e on e.id = before.event_id
where m.id = r.id and (
    (m.attempt_id = r.attempt_id and m.state in ('sending', 'unknown'))
    or (r.state = 'accepted' and (
        m.state in ('unknown', 'queued', 'held', 'cancelled', 'expired') or m.error_code = 'no_trace'
        or (m.state = 'claimed' and m.attempt_id <> r.attempt_id))))
returning m.id, m.event_id, before.state as before, m.state as after
""")

_RELEASE = text("""
with mine as (
    select id from messages where id = any(:ids) and worker = :worker and state = 'claimed' order by id for update
)
update messages m set state = 'queued', lease_until = null, tries = greatest(tries - 1, 0), updated_at = now(),
    not_before = greatest(not_before, now() + :seconds * interval '1 second'), error_code = coalesce(:error, error_code)
from mine where m.id = mine.id
""")


class Slot(NamedTuple):
    """A part of a sender's time. starts_in: seconds from now, below 0 because the sender's row was waited for. unused:
    so many seconds before it were nobody's."""

    starts_in: float
    unused: float


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One line of _RECORD. latency: of the answer; wait: until it may be tried again; age: since it was handed over; in
    seconds. parts: None when the worker does not know any more."""

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
    age: float = 0.0
    parts: int | None = None


def claim(
    session: AnySession, gateway: str, worker: str, limit: int, lease_seconds: float, without: Collection[UUID] = ()
) -> Sequence[Row[tuple[object, ...]]]:
    """Claim up to `limit` queued messages of one gateway for `worker`, most urgent first; other workers' rows are
    skipped, and those of the events `without`."""
    values = {"gateway": gateway, "worker": worker, "limit": limit, "lease": lease_seconds, "without": list(without)}
    return session.execute(_CLAIM, values).all()


def mark_sending(session: AnySession, rows: Sequence[tuple[int, UUID]], lease_seconds: float) -> set[int]:
    """Mark claimed rows `sending`; the ids that may be sent now. Left out: lost lease, stopped, expired, opted out
    meanwhile."""
    values = {"ids": [row[0] for row in rows], "attempts": [row[1] for row in rows], "lease": lease_seconds}
    return set(session.execute(_MARK, values).scalars())


def drop(session: AnySession, rows: Sequence[tuple[int, UUID]]) -> Sequence[Row[tuple[object, ...]]]:
    """End claimed rows that must not be sent any more (stopped, expired, opted out); rows as note_changes takes
    them."""
    return session.execute(_DROP, {"ids": [row[0] for row in rows], "attempts": [row[1] for row in rows]}).all()


def reserve_slot(session: AnySession, gateway: str, seconds: float, longest_wait: float) -> Slot | None:
    """Reserve `seconds` of the sender's time after everybody else's and after a pause.

    None, and nothing is reserved, when that is more than `longest_wait` seconds away.
    """
    values = {"gateway": gateway, "seconds": seconds, "longest": longest_wait, "far": FAR_SECONDS}
    starts_in, unused, is_reserved = session.execute(_PACE, values).one()
    return Slot(float(starts_in), float(unused)) if is_reserved else None


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
        "ages": [row.age for row in rows],
        "parts": [row.parts for row in rows],
    }
    return session.execute(_RECORD, values).all()


def release(
    session: AnySession, worker: str, ids: Sequence[int], seconds: float = 0.0, error: str | None = None
) -> None:
    """Give claimed but unmarked rows back to the queue, to be claimed again after `seconds`."""
    session.execute(_RELEASE, {"ids": list(ids), "worker": worker, "seconds": seconds, "error": error})


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


_PAUSE = text("""
update senders set
    pause_reason = case when paused_until > now() and pause_reason like :refused then pause_reason
                        when :reason like :refused then :reason
                        when paused_until > now() + :seconds * interval '1 second' then pause_reason
                        else :reason end,
    paused_until = greatest(coalesce(paused_until, now()), now() + :seconds * interval '1 second')
where gateway = :gateway
""")


def pause_sender(session: AnySession, gateway: str, seconds: float, reason: str) -> None:
    """Stop the whole line of every worker for a while. The reason of the longer pause stands; that of a refused account
    as long as it lasts."""
    session.execute(
        _PAUSE, {"gateway": gateway, "seconds": seconds, "reason": reason, "refused": f"{ACCOUNT_REFUSED}%"}
    )


def open_line(session: AnySession, gateway: str) -> tuple[float, str | None]:
    """Make sure that the sender has its row; seconds until its pause is over (0: not paused), and the last reason."""
    session.execute(
        text("insert into senders (gateway, next_free_at) values (:g, now()) on conflict do nothing"), {"g": gateway}
    )
    left, reason = session.execute(
        text("select extract(epoch from paused_until - now()), pause_reason from senders where gateway = :g"),
        {"g": gateway},
    ).one()
    return max(0.0, float(left or 0.0)), reason


_REFUSALS = text("""
select extract(epoch from s.paused_until - now()) as left, s.pause_reason,
    array(select p.country from country_pauses p where p.gateway = s.gateway and p.paused_until > now()) as countries
from senders s where s.gateway = :gateway
""")


def refusals(session: AnySession, gateway: str) -> tuple[str | None, frozenset[str]]:
    """Why the line is paused now, None when it is not; and the countries that are."""
    row = session.execute(_REFUSALS, {"gateway": gateway}).one_or_none()
    if row is None:
        return None, frozenset()
    return row.pause_reason if (row.left or 0) > 0 else None, frozenset(row.countries)


def trust_line(session: AnySession, gateway: str) -> None:
    """The sender works again: forget why it was paused, unless it is paused again."""
    session.execute(
        text("""
        update senders set pause_reason = null, paused_until = null
        where gateway = :gateway and coalesce(paused_until, now()) <= now()
        """),
        {"gateway": gateway},
    )


def cancel_claimed(session: AnySession, message_id: int, attempt_id: UUID) -> None:
    """Cancel one claimed row that has nothing to say (a reply that gets no receipt)."""
    session.execute(
        text(
            "update messages set state = 'cancelled', lease_until = null"
            " where id = :id and attempt_id = :attempt and state = 'claimed'"
        ),
        {"id": message_id, "attempt": attempt_id},
    )


def note_stops(session: AnySession, ids: Sequence[int]) -> None:
    """These phones told the gateway itself that they want no more texts: our list says so, too, from now on."""
    session.execute(
        text("""
        insert into opt_outs (value_index, gateway, opted_out_at)
        select endpoint_index, case gateway when 'exercise' then gateway else 'actual' end, now()
        from messages where id = any(:ids) order by endpoint_index
        on conflict (value_index, gateway) do update set opted_out_at = excluded.opted_out_at, ended_at = null
            where opt_outs.ended_at is not null
        """),
        {"ids": list(ids)},
    )
