"""How many people stay where with which kind of phone, as the fan-out of a real alert would choose it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.gateways import TWILIO, opt_out_list
from consular.extensions import db

AnySession = Session | scoped_session[Session]

_RECOUNT = text("""
with staying as (
    select distinct country, person_id from stays
    where is_resident or ((from_date is null or from_date <= :today) and (until_date is null or until_date >= :today))
), best as (
    select distinct on (person_id) person_id, value_index, country, unusable_since from contact_points
    where channel = 'sms'
    order by person_id, unusable_since is not null, created_at desc, id
)
insert into readiness_counts (country, phone_country, part, people)
select s.country, coalesce(b.country, ''),
    case when b.value_index is null then 'no_phone' when b.unusable_since is not null then 'unusable_phone'
         when o.value_index is not null then 'opted_out' else 'usable' end, count(*)
from staying s left join best b using (person_id)
left join opt_outs o on o.value_index = b.value_index and o.gateway = :opt_out_list and o.ended_at is null
group by 1, 2, 3
""")


_POSTS = text("""
select p.network, p.account, max(p.published_at) as published_at,
    max(p.created_at) filter (where p.state in ('failed', 'unknown')) as failed_at,
    (array_agg(p.error order by p.created_at desc, p.id) filter (where p.state in ('failed', 'unknown')))[1] as failure,
    count(*) filter (where p.state in ('queued', 'sending')) as waiting
from social_posts p join alert_events e on e.id = p.event_id where e.status = 'Actual' group by p.network, p.account
""")


def recount(session: AnySession, today: date) -> None:
    """Replace every count by that of now. today: on which stays count. Everybody is counted, so that no plan is better
    than one pass over each table, whatever the planner believes of their sizes."""
    session.execute(text("set local work_mem = '64MB'"))
    session.execute(text("set local enable_nestloop = off"))
    session.execute(text("delete from readiness_counts"))
    session.execute(_RECOUNT, {"today": today, "opt_out_list": opt_out_list(TWILIO)})


def posts() -> Sequence[Row[Any]]:
    """What became of the posts of real alerts, by account: (network, account, published_at, failed_at, failure,
    waiting)."""
    return db.session.execute(_POSTS).all()


def counts(country: str | None = None) -> Sequence[Row[Any]]:
    """The counts (country, phone_country, part, people), of one country or of all."""
    query = """
        select country, phone_country, part, people from readiness_counts
        where cast(:country as text) is null or country = :country
    """
    return db.session.execute(text(query), {"country": country}).all()
