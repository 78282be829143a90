"""When each path was last proven: read from what is new since the last look, so that a million texts cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.routing import EVERYWHERE
from consular.extensions import db

AnySession = Session | scoped_session[Session]

_ACCEPTED = text("""
insert into path_proofs (gateway, country, accepted_at)
select a.gateway, m.country, max(a.recorded_at) from message_attempts a join messages m on m.id = a.message_id
where a.recorded_at > :since and a.outcome = 'accepted' and m.country is not null
group by a.gateway, m.country order by a.gateway, m.country
on conflict (gateway, country) do update set accepted_at = greatest(path_proofs.accepted_at, excluded.accepted_at)
""")

_DELIVERED = text("""
insert into path_proofs (gateway, country, accepted_at, delivered_at)
select r.gateway, m.country, max(m.delivered_at), max(m.delivered_at)
from receipt_events r join messages m on m.id = case
    when r.attempt_id is null then (
        select o.id from messages o
        where o.provider_message_id = r.provider_message_id and o.gateway = r.gateway order by o.id desc limit 1)
    else ('x' || left(replace(cast(r.attempt_id as text), '-', ''), 16))::bit(64)::bigint end
where r.processed_at > :since and r.result = 'applied' and m.delivered_at is not null and m.country is not null
group by r.gateway, m.country order by r.gateway, m.country
on conflict (gateway, country) do update set
    accepted_at = greatest(path_proofs.accepted_at, excluded.accepted_at),
    delivered_at = greatest(path_proofs.delivered_at, excluded.delivered_at)
""")

_HEARD = text("""
insert into path_proofs (gateway, country, heard_at)
select i.gateway, m.country, max(i.received_at)
from inbound_messages i join messages m on m.id = i.message_id and m.gateway = i.gateway
where i.processed_at > :since and m.country is not null
group by i.gateway, m.country order by i.gateway, m.country
on conflict (gateway, country) do update set heard_at = greatest(path_proofs.heard_at, excluded.heard_at)
""")

_ALL = text("""
select p.gateway, p.country, p.accepted_at, p.heard_at,
    case when coalesce(own.receipts_believable, elsewhere.receipts_believable, true) then p.delivered_at end
        as delivered_at,
    coalesce(own.receipts_believable, elsewhere.receipts_believable, true) as receipts_believable
from path_proofs p
left join gateway_capabilities own on own.gateway = p.gateway and own.country = p.country
left join gateway_capabilities elsewhere on elsewhere.gateway = p.gateway and elsewhere.country = :everywhere
order by p.country, p.gateway
""")


def note_new(session: AnySession, since: datetime) -> None:
    """Carry what was recorded since then to the proofs. Reading the same rows twice changes nothing.

    Every table is read by its indexes: a minute of a fast alert tempts the planner to read a million messages whole.
    """
    session.execute(text("set local enable_seqscan = off"))
    for statement in (_ACCEPTED, _DELIVERED, _HEARD):
        session.execute(statement, {"since": since})


def all_proofs() -> Sequence[Row[Any]]:
    """Every path that was ever used: (gateway, country, accepted_at, delivered_at, heard_at, receipts_believable).

    delivered_at is None where the table of capabilities says that receipts cannot be believed.
    """
    return db.session.execute(_ALL, {"everywhere": EVERYWHERE}).all()
