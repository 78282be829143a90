"""Looking for rows that break a promise. Every query names the offenders, at most `MOST_NAMED` of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from consular.domain.triage import Standing, Stated
from consular.extensions import db
from consular.queries.promises import FASTEST, LEFT_IN, PROMISES, UNSETTLED
from consular.queries.statuses import Key

MOST_NAMED = 10
_AT_ONCE = 1000

_SPOKE = text("""
select k.crisis_id, k.person_id, s.person_id is null as is_missing, s.stated, s.stated_count, s.stated_at
from (select crisis_id, person_id from person_statuses where stated is not null
      union select crisis_id, person_id from status_events) k
left join person_statuses s using (crisis_id, person_id)
""")

_HANDED_OVER = text("""
select m.id, m.gateway, m.provider_message_id, m.possible_duplicate, coalesce(a.unknowns, 0) as unknowns,
    cast(:first as timestamptz) is null
    or coalesce(m.sending_at >= :first and case when m.accepted_at > m.sending_at then m.accepted_at
        else m.sending_at + interval '1 minute' end <= :last, false) as is_covered
from messages m
left join (select message_id, count(*) as unknowns from message_attempts where outcome = 'unknown'
           group by message_id) a on a.message_id = m.id
where m.provider_message_id is not null
""")

_UNDER_WAY = text("""
select id from messages
where id = any(:ids) and state in ('queued', 'claimed', 'sending', 'unknown') and updated_at >= :before
""")


def names() -> list[str]:
    """The promises that one query can check."""
    return list(PROMISES)


def code(name: str) -> str:
    """The promise's number in the catalogue: I1 to I10."""
    return PROMISES[name][0]


def hold_still() -> None:
    """Let all reads of this transaction see one moment, so that a busy service does not look broken. First in it."""
    db.session.execute(text("set transaction isolation level repeatable read, read only"))


def database_now() -> datetime:
    """The clock that rows are dated by."""
    now: datetime = db.session.execute(text("select now()")).scalar_one()
    return now


def offenders(name: str, before: datetime | None = None) -> tuple[int, list[str]]:
    """How many rows break the promise, and the first of them. before: work that arrived later may be unfinished."""
    return _named(PROMISES[name][1], "", _until(before))


def unsettled(before: datetime | None = None, *, even_with_reason: bool = False) -> tuple[int, list[str]]:
    """Messages that are neither terminal nor held since `before`, without or even with a reason to wait."""
    return _named(UNSETTLED, "" if even_with_reason else "where reason is null", _until(before))


def reasons() -> dict[str, int]:
    """How many messages wait, by the reason why they may; "no reason" for the others."""
    query = f"select coalesce(reason, 'no reason'), count(*) from ({UNSETTLED}) q group by 1"  # noqa: S608 - constants
    return {str(reason): int(count) for reason, count in db.session.execute(text(query), {"before": "infinity"})}


def _until(before: datetime | None) -> dict[str, object]:
    return {"before": before or "infinity"}


def _named(query: str, condition: str, values: dict[str, object]) -> tuple[int, list[str]]:
    statement = f"""
        with broken (name) as materialized (select * from ({query}) q {condition})
        select (select count(*) from broken), array(select name from broken limit {MOST_NAMED})
    """  # noqa: S608 - constants of queries.promises
    named = {name: value for name, value in values.items() if f":{name}" in query}
    count, first = db.session.execute(text(statement), named).one()
    return int(count), [str(row) for row in first]


def handed_over(period: tuple[datetime, datetime] | None = None) -> Sequence[Row[Any]]:
    """Every message that has a gateway id: (id, gateway, gateway id, possible_duplicate, unknowns: attempts of unknown
    fate, is_covered: the gateway certainly took it within the period, if one is given)."""
    first, last = period or (None, None)
    return db.session.execute(_HANDED_OVER, {"first": first, "last": last}).all()


def under_way(numbers: Sequence[int], before: datetime) -> set[int]:
    """Those of these messages that are neither terminal nor held, and changed since `before`."""
    return set(db.session.execute(_UNDER_WAY, {"ids": list(numbers), "before": before}).scalars())


def fastest_windows() -> Sequence[Row[Any]]:
    """Per gateway the ten seconds in which most parts left: (gateway, at: their end, parts, longest: parts of a
    text)."""
    return db.session.execute(text(FASTEST)).all()


def left_in(gateway: str, at: datetime) -> tuple[int, list[str]]:
    """How many texts left by the gateway in the ten seconds until then, and the first of them."""
    return _named(LEFT_IN, "", {"gateway": gateway, "at": at})


def inbound_ids() -> set[str]:
    """The gateways' ids of all stored texts."""
    return set(db.session.execute(text("select provider_message_id from inbound_messages")).scalars())


def stored_texts() -> Iterator[Sequence[Row[Any]]]:
    """Every stored text in batches: (id, gateway, sender_sealed, body_sealed, raw_sealed)."""
    statement = text("select id, gateway, sender_sealed, body_sealed, raw_sealed from inbound_messages")
    yield from _batches(statement)


def standings() -> Iterator[dict[Key, Standing | None]]:
    """Everybody who said something or is shown to have, in batches, as stored; None where nothing is stored."""
    for batch in _batches(_SPOKE):
        yield {(row.crisis_id, row.person_id): _standing(row) for row in batch}


def _standing(row: Row[Any]) -> Standing | None:
    if row.is_missing:
        return None
    return Standing(Stated(row.stated) if row.stated else None, row.stated_count, row.stated_at)


def _batches(statement: Any) -> Iterator[Sequence[Row[Any]]]:
    with db.session.execute(statement.execution_options(yield_per=_AT_ONCE)) as result:
        yield from result.partitions()


def crises_and_events() -> tuple[list[UUID], list[UUID]]:
    """Every crisis and event there is."""
    crises = db.session.execute(text("select id from crises")).scalars()
    return list(crises), list(db.session.execute(text("select id from alert_events")).scalars())


def people_in(crisis_id: UUID) -> tuple[int, int]:
    """People with a standing in the crisis, and people its events selected."""
    standing = db.session.execute(
        text("select count(*) from person_statuses where crisis_id = :id"), {"id": crisis_id}
    ).scalar_one()
    selected = db.session.execute(
        text("""
        select count(distinct r.person_id) from recipients r join alert_events e on e.id = r.event_id where
        e.crisis_id = :id
        """),
        {"id": crisis_id},
    ).scalar_one()
    return int(standing), int(selected)
