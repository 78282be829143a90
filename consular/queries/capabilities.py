"""The table of what each gateway can do in each country: reading, editing, renewing what a release delivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, scoped_session

from consular.domain.routing import EVERYWHERE
from consular.models.capabilities import GatewayCapability

AnySession = Session | scoped_session[Any]
CapabilityRow = GatewayCapability

FACTS = (
    "is_usable",
    "sender_kind",
    "sender_note",
    "is_two_way",
    "allows_links",
    "receipts_believable",
    "rate",
    "cost_cents",
    "currency",
    "source",
    "as_of",
)
"""The columns that say what a gateway can do: what save() and seed() write."""


def all_rows(session: AnySession) -> Sequence[GatewayCapability]:
    """Every row, by gateway and country; "*" first."""
    statement = select(GatewayCapability).order_by(
        GatewayCapability.gateway, GatewayCapability.country != EVERYWHERE, GatewayCapability.country
    )
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def for_country(session: AnySession, country: str) -> dict[str, GatewayCapability]:
    """The row that holds in a country, by gateway: its own, else that for everywhere. Gateways without one are absent.

    country: ISO 3166-1 alpha-2; "*" or "" gives what holds everywhere else.
    """
    wanted = GatewayCapability.country.in_({EVERYWHERE, country or EVERYWHERE})
    rows = session.scalars(select(GatewayCapability).where(wanted).execution_options(populate_existing=True))
    return {row.gateway: row for row in sorted(rows, key=lambda row: row.country != EVERYWHERE)}


def find(session: AnySession, gateway: str, country: str) -> GatewayCapability | None:
    """One row as it is now, if it is there."""
    return session.get(GatewayCapability, (gateway, country), populate_existing=True)


def save(
    session: AnySession,
    gateway: str,
    country: str,
    facts: Mapping[str, Any],
    *,
    seen_revision: int,
    officer_id: UUID,
    now: datetime,
) -> bool:
    """Write an administrator's facts (all of FACTS); False, and nothing is written, when another saved meanwhile.

    seen_revision: that of the row the form was drawn from, 0 for a row that is not there yet.
    """
    values = {name: facts[name] for name in FACTS} | {"edited_by": officer_id, "edited_at": now}
    if seen_revision == 0:
        new = postgresql.insert(GatewayCapability).values(gateway=gateway, country=country, revision=1, **values)
        written = session.execute(new.on_conflict_do_nothing().returning(GatewayCapability.revision))
    else:
        statement = update(GatewayCapability).where(
            GatewayCapability.gateway == gateway,
            GatewayCapability.country == country,
            GatewayCapability.revision == seen_revision,
        )
        changed = statement.values(revision=GatewayCapability.revision + 1, **values)
        written = session.execute(changed.returning(GatewayCapability.revision))
    return written.one_or_none() is not None


def note_test(session: AnySession, gateway: str, country: str, result: str, at: datetime) -> None:
    """Note on a country's own row how the last test of its path went; a country without one is left alone, and so is
    what stands there already."""
    session.execute(
        update(GatewayCapability)
        .where(
            GatewayCapability.gateway == gateway,
            GatewayCapability.country == country,
            or_(GatewayCapability.last_tested_at.is_(None), GatewayCapability.last_tested_at <= at),
            tuple_(GatewayCapability.last_tested_at, GatewayCapability.last_test_result).is_distinct_from(
                tuple_(at, result[:64])
            ),
        )
        .values(last_tested_at=at, last_test_result=result[:64])
    )


def seed(session: AnySession, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write facts delivered with a release (gateway, country and all of FACTS); how many rows are new or changed.

    What an administrator edited is never touched, nor is what was tested.
    """
    given = [dict(row) for row in rows]
    if not given:
        return 0
    statement = postgresql.insert(GatewayCapability).values([{"revision": 1, **row} for row in given])
    new = {name: statement.excluded[name] for name in FACTS}
    is_changed = or_(*(getattr(GatewayCapability, name).is_distinct_from(value) for name, value in new.items()))
    renewed = statement.on_conflict_do_update(
        index_elements=["gateway", "country"],
        set_=new | {"revision": GatewayCapability.revision + 1},
        where=GatewayCapability.edited_by.is_(None) & is_changed,
    )
    return len(session.execute(renewed.returning(GatewayCapability.gateway)).all())
