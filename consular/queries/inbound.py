"""Texts from people: storing them, finding who sent them, and which open question they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import ACKNOWLEDGEMENT_PRIORITY
from consular.domain.gateways import opt_out_list

AnySession = Session | scoped_session[Session]

_STORE = text("""
insert into inbound_messages (id, gateway, provider_message_id, path, sender_sealed, sender_index, body_sealed,
raw_sealed,
                              received_at, missing_parts)
values (:id, :gateway, :provider_message_id, :path, :sender_sealed, :sender_index, :body_sealed, :raw_sealed,
:received_at, :missing_parts)
on conflict (gateway, provider_message_id) do nothing returning id
""")

_TAKE = text("""
select id, gateway, sender_sealed, sender_index, body_sealed, received_at, tries, missing_parts
from inbound_messages
where processed_at is null and tries = 0 order by received_at limit :limit for update skip locked
""")

_TAKE_TRIED = text("""
select id, gateway, sender_sealed, sender_index, body_sealed, received_at, tries, missing_parts
from inbound_messages
where processed_at is null and tries > 0 order by random() limit 1 for update skip locked
""")
"""By lot: one that cannot be worked on now must not stand before the others."""

_SET_ASIDE = text("update inbound_messages set tries = 1 where id = :id and tries = 0 and processed_at is null")

_STORED_AS = text("""
select id, sender_index, body_sealed, received_at from inbound_messages
where gateway = :gateway and provider_message_id = :pid
""")

_COUNT_TRY = text("""
update inbound_messages i set tries = i.tries + 1,
    processed_at = case when i.tries + 1 >= :most_tries then now() end, kind = case when i.tries + 1 >= :most_tries
    then :kind end
from (select id from inbound_messages where id = any(:ids) and processed_at is null order by id for update) mine
where i.id = mine.id returning i.id, i.gateway, i.received_at, i.processed_at
""")

_PEOPLE = text("""
select distinct c.value_index, c.person_id, c.country, c.unusable_since, p.language,
    coalesce((select r.people_count from registrations r where r.person_id = c.person_id order by r.created_at desc
    limit 1), 1)
        as heads
from contact_points c join people p on p.id = c.person_id
where c.channel = 'sms' and c.value_index = any(:indexes) order by c.person_id
""")

_QUESTIONS = text("""
select distinct on (r.person_id) r.person_id, r.message_id, e.id as event_id, e.crisis_id, e.status, e.asks_for_reply,
    case when jsonb_array_length(c.audience -> 'countries') = 1 then c.audience -> 'countries' ->> 0 end as country
from recipients r join alert_events e on e.id = r.event_id join crises c on c.id = e.crisis_id and c.closed_at is null
where r.person_id = any(:people) and e.status = :status
order by r.person_id, e.asks_for_reply desc, e.approved_at desc
""")

_FINISH = text("""
update inbound_messages i set processed_at = now(), kind = b.kind, count = b.count, classifier_version = :version,
    crisis_id = b.crisis_id, event_id = b.event_id, message_id = b.message_id, person_id = b.person_id,
    people_matched = b.people_matched
from unnest(cast(:ids as uuid[]), cast(:kinds as text[]), cast(:counts as int[]), cast(:crises as uuid[]),
    cast(:events as uuid[]), cast(:messages as bigint[]), cast(:persons as uuid[]), cast(:matched as int[]))
    as b (id, kind, count, crisis_id, event_id, message_id, person_id, people_matched)
where i.id = b.id
""")

_ACKNOWLEDGE = text("""
insert into messages (kind, inbound_id, crisis_id, channel, endpoint_index, country, language, gateway, priority,
                      state, not_before, expires_at, template)
select 'acknowledgement', a.inbound_id, a.crisis_id, 'sms', i.sender_index, a.country, a.language, i.gateway,
       :priority, 'queued', now(), now() + interval '1 hour', a.template
from unnest(cast(:ids as uuid[]), cast(:crises as uuid[]), cast(:countries as text[]), cast(:languages as text[]),
    cast(:templates as text[])) as a (inbound_id, crisis_id, country, language, template)
join inbound_messages i on i.id = a.inbound_id
where (select count(*) from inbound_messages o where o.sender_index = i.sender_index
       and o.received_at > i.received_at - interval '1 hour') <= :most_an_hour
on conflict do nothing
""")


def store(session: AnySession, row: dict[str, Any]) -> bool:
    """Insert one raw text; False when it is already there."""
    return session.execute(_STORE, row).scalar() is not None


def stored_as(session: AnySession, gateway: str, provider_message_id: str) -> Row[Any] | None:
    """The text that is stored under a gateway's id: (id, sender_index, body_sealed, received_at)."""
    values = {"gateway": gateway, "pid": provider_message_id}
    return session.execute(_STORED_AS, values).one_or_none()


def take(session: AnySession, limit: int) -> Sequence[Row[Any]]:
    """Lock the oldest unprocessed texts that nobody else works on; none that failed before."""
    return session.execute(_TAKE, {"limit": limit}).all()


def take_tried(session: AnySession) -> Sequence[Row[Any]]:
    """Lock one text that failed before, if there is any that nobody else works on."""
    return session.execute(_TAKE_TRIED).all()


def set_aside(session: AnySession, inbound_id: UUID) -> None:
    """Let this text wait for take_tried, without counting a try against it."""
    session.execute(_SET_ASIDE, {"id": inbound_id})


def count_try(session: AnySession, ids: Sequence[UUID], most_tries: int, kind: str) -> Sequence[Row[Any]]:
    """Note that these texts could not be processed; those given up now (id, received_at) are finished as `kind`."""
    values = {"ids": list(ids), "most_tries": most_tries, "kind": kind}
    return [row for row in session.execute(_COUNT_TRY, values) if row.processed_at is not None]


def people_behind(session: AnySession, indexes: Sequence[bytes]) -> Sequence[Row[Any]]:
    """Everybody on record with one of these phones: (value_index, person_id, country, unusable_since, language,
    heads)."""
    return session.execute(_PEOPLE, {"indexes": list(indexes)}).all()


def open_questions(session: AnySession, people: Sequence[UUID], status: str) -> Sequence[Row[Any]]:
    """Per person the latest event in an open crisis that asks for a reply, else the latest event."""
    return session.execute(_QUESTIONS, {"people": list(people), "status": status}).all()


def finish(session: AnySession, version: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the results: rows of (id, kind, count, crisis, event, message, person, people matched)."""
    names = ("ids", "kinds", "counts", "crises", "events", "messages", "persons", "matched")
    columns: dict[str, list[Any]] = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    session.execute(_FINISH, {"version": version, **columns})


def acknowledge(
    session: AnySession, rows: Sequence[tuple[UUID, UUID | None, str | None, str, str]], most_an_hour: int
) -> int:
    """Queue one receipt per text (inbound id, crisis, country of the phone, language, template), not for a phone that
    writes all the time."""
    values = {
        "ids": [row[0] for row in rows],
        "crises": [row[1] for row in rows],
        "countries": [row[2] for row in rows],
        "languages": [row[3] for row in rows],
        "templates": [row[4] for row in rows],
        "most_an_hour": most_an_hour,
        "priority": ACKNOWLEDGEMENT_PRIORITY,
    }
    return int(session.execute(_ACKNOWLEDGE, values).rowcount)  # type: ignore[attr-defined]


def opt_out(session: AnySession, gateway: str, stops: Mapping[bytes, datetime]) -> None:
    """No more texts from this gateway, or any other that is as real, to these phones since then, unless they asked for
    texts again later. Any order of calls gives the same."""
    _at_phones(
        session,
        """
        insert into opt_outs (value_index, gateway, opted_out_at) select value_index, :gateway, at from asked
        on conflict (value_index, gateway) do update set opted_out_at = greatest(opt_outs.opted_out_at,
        excluded.opted_out_at),
        ended_at = null
        where opt_outs.ended_at is null or opt_outs.ended_at < excluded.opted_out_at
        """,
        stops,
        opt_out_list(gateway),
    )


def opt_in(session: AnySession, gateway: str, starts: Mapping[bytes, datetime]) -> None:
    """Texts from this gateway, and the others that are as real, again to these phones, unless they asked for none
    later. Any order of calls gives the same."""
    _at_phones(
        session,
        """
        insert into opt_outs (value_index, gateway, opted_out_at, ended_at) select value_index, :gateway, at, at from
        asked
        on conflict (value_index, gateway) do update set ended_at = greatest(opt_outs.ended_at, excluded.ended_at)
        where opt_outs.opted_out_at <= excluded.ended_at
        """,
        starts,
        opt_out_list(gateway),
    )


def freeze_phones(session: AnySession, gateway: str, wrong: Mapping[bytes, datetime]) -> None:
    """These phones belong to somebody else since then: nothing more is sent there until an officer has looked. Any
    order of calls gives the same.

    What a practice gateway plays says nothing of real phones.
    """
    if gateway == "exercise":
        return
    _at_phones(
        session,
        """
        update contact_points c set unusable_since = mine.at, unusable_reason = 'wrong_person'
        from (select c.id, asked.at from contact_points c join asked using (value_index)
              where c.channel = 'sms' and (c.unusable_since is null
                  or c.unusable_reason = 'wrong_person' and c.unusable_since > asked.at)
              order by c.id for update of c) mine
        where c.id = mine.id
        """,
        wrong,
        gateway,
    )


def _at_phones(session: AnySession, statement: str, moments: Mapping[bytes, datetime], gateway: str) -> None:
    if moments:
        asked = """with asked as (select * from unnest(cast(:indexes as bytea[]), cast(:moments as timestamptz[]))
            as a (value_index, at) order by value_index) """
        indexes = sorted(moments)
        values = {"indexes": indexes, "moments": [moments[index] for index in indexes], "gateway": gateway}
        session.execute(text(asked + statement), values)
