"""What stands in the way at each gateway now, and moving texts that wait at one gateway to another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import ACCOUNT_REFUSED, ACKNOWLEDGEMENT_PRIORITY, NO_ANSWER, UNREACHABLE
from consular.domain.gateways import GATEWAYS_WITH_A_BIND

AnySession = Session | scoped_session[Any]

_LOCK = 7_206_915

_LINES = text("""
select gateway, paused_until from senders
where (pause_reason like :refused or pause_reason = any(:silent)) and paused_until > now() - :lately
""")

_COUNTRIES = text("""
select gateway, country, paused_until from country_pauses
where paused_until > now() - :lately
""")

_BOUND = text("""
select task from heartbeats where task = any(:gateways) and done_at > now() - interval '45 seconds'
""")
"""So long after a connection last stood texts still wait for it: it may come back, and what moved does not return."""

_RUNNING = text("""
select e.id from alert_events e
join counters c on c.scope_id = e.id and c.key = 'message:queued'
where c.value > 0 and e.status = 'Actual' and e.stopped_at is null and e.expires_at > now()
""")

_HAS_WAITING = text("""
select (select 1 from messages where state = 'queued' and gateway = :gateway
        order by priority desc, not_before, id limit 1) is not null
""")

_IN_FRONT = text("""
select distinct country from (
    select country from messages where state = 'queued' and gateway = :gateway and kind = 'alert'
    order by priority desc, not_before, id limit :limit
) front
""")

_PICK = """
select m.id, m.country from messages m
where m.state = 'queued' and m.gateway = :gateway and m.expires_at > now() and (:is_gone or not m.possible_duplicate)
  and {which}
  and (m.country = any(cast(:movable as text[]))
       or (:moves_rest and (m.country is null or m.country <> all(cast(:special as text[])))))
order by m.priority desc, m.not_before, m.id limit :limit for update of m skip locked
"""
"""In the order of the queue, so that its index is walked and the most urgent texts move first."""

_MOVE = """
with waiting as materialized ({pick}), moved as (
    update messages m set gateway = coalesce(r.target, :rest), not_before = least(m.not_before, now()),
        error_code = null, updated_at = now()
    from waiting w
    left join unnest(cast(:movable as text[]), cast(:targets as text[])) as r (country, target) on r.country = w.country
    where m.id = w.id
    returning m.gateway
)
select gateway, count(*) as number from moved group by gateway
"""
"""What was picked is locked and needs no second look: with one, the planner reads the whole queue for every row, as
long as it does not know yet what an approval has just written."""

_MOVE_ALERTS = text(_MOVE.format(pick=_PICK.format(which="m.event_id = any(cast(:events as uuid[]))")))
_MOVE_RECEIPTS = text(
    _MOVE.format(pick=_PICK.format(which=f"m.kind = 'acknowledgement' and m.priority = {ACKNOWLEDGEMENT_PRIORITY}"))
)
"""With their priority the index begins where they are, behind all alerts that wait."""


@dataclass(frozen=True, slots=True)
class Stops:
    """What refuses, or does not answer, now or did so lately. lines: gateway to until when; countries: (gateway,
    country) to until when. cut_off: gateways whose one connection does not stand, nor did so just now.

    at: the database's clock, by which both are meant.
    """

    at: datetime
    lines: Mapping[str, datetime]
    countries: Mapping[tuple[str, str], datetime]
    cut_off: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Detour:
    """Where the texts of one gateway go instead. targets: by country, None to stay; rest: for all other countries.
    is_gone: the gateway will never send again, so that also the repetition of what may have left goes elsewhere."""

    gateway: str
    targets: tuple[tuple[str, str | None], ...]
    rest: str | None
    is_gone: bool = False

    @property
    def leads_anywhere(self) -> bool:
        """Whether any text would move."""
        return self.rest is not None or any(target for _, target in self.targets)


def stops(session: AnySession, lately: timedelta) -> Stops:
    """Refusals of accounts and countries that last, or were over at most `lately` ago; connections that are down."""
    values = {"lately": lately, "refused": f"{ACCOUNT_REFUSED}%", "silent": [NO_ANSWER, UNREACHABLE]}
    bound = session.execute(_BOUND, {"gateways": list(GATEWAYS_WITH_A_BIND)}).scalars()
    return Stops(
        at=session.execute(text("select now()")).scalar_one(),
        lines={row.gateway: row.paused_until for row in session.execute(_LINES, values)},
        countries={(row.gateway, row.country): row.paused_until for row in session.execute(_COUNTRIES, values)},
        cut_off=frozenset(GATEWAYS_WITH_A_BIND) - {*bound},
    )


def running_events(session: AnySession) -> Sequence[UUID]:
    """Real alerts with texts that wait."""
    return session.execute(_RUNNING).scalars().all()


def has_waiting(session: AnySession, gateway: str) -> bool:
    """Whether any text waits at a gateway."""
    return bool(session.execute(_HAS_WAITING, {"gateway": gateway}).scalar_one())


def countries_in_front(session: AnySession, gateway: str, limit: int) -> list[str | None]:
    """The countries of the first texts of alerts that wait at a gateway: whatever cannot leave gathers there."""
    return list(session.execute(_IN_FRONT, {"gateway": gateway, "limit": limit}).scalars())


def move_alerts(session: AnySession, detour: Detour, events: Collection[UUID], limit: int) -> dict[str, int]:
    """Move up to `limit` texts of these events that certainly were not sent, or are to be sent again by a gateway that
    is gone; how many went to which gateway."""
    rows = session.execute(_MOVE_ALERTS, _values(detour, limit) | {"events": list(events)})
    return {row.gateway: row.number for row in rows}


def move_receipts(session: AnySession, detour: Detour, limit: int) -> dict[str, int]:
    """Move up to `limit` receipts for replies; how many went to which gateway."""
    return {row.gateway: row.number for row in session.execute(_MOVE_RECEIPTS, _values(detour, limit))}


def try_lock(session: AnySession) -> bool:
    """Whether this transaction is the only one that moves texts now."""
    return bool(session.execute(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar())


def _values(detour: Detour, limit: int) -> dict[str, Any]:
    movable = {country: target for country, target in detour.targets if target is not None}
    return {
        "gateway": detour.gateway,
        "movable": list(movable),
        "targets": list(movable.values()),
        "special": [country for country, _ in detour.targets],
        "rest": detour.rest,
        "moves_rest": detour.rest is not None,
        "limit": limit,
        "is_gone": detour.is_gone,
    }
