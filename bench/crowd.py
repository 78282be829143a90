"""Made-up people with phones that can really be texted, straight into the tables: a million in half a minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from uuid import UUID, uuid4

from sqlalchemy import text

from consular.clock import utc_now
from consular.extensions import cipher, db
from consular.services.transactions import unit_of_work

BATCH = 50_000
PHONES = {"EG": "+2010{:08d}", "LY": "+21891{:07d}", "TN": "+2162{:07d}", "DZ": "+21355{:07d}"}
"""Form of a mobile number by country; any of these may be somebody's: they are texted in exercises only."""

_PEOPLE = "copy people (id, name_sealed, home_country, language, created_at) from stdin (format binary)"
_PHONES = (
    "copy contact_points (id, person_id, channel, value_sealed, value_index, country, is_valid, created_at)"
    " from stdin (format binary)"
)
_REST = (
    """insert into registrations (id, person_id, submission_key, source, people_count, consent_version, consented_at,
    created_at) select gen_random_uuid(), id, id::text, 'import', 1, '1', created_at, created_at from people p
    where not exists (select 1 from registrations r where r.person_id = p.id)""",
    """insert into stays (id, person_id, country, is_resident, created_at)
    select gen_random_uuid(), c.person_id, c.country, true, c.created_at from contact_points c
    where not exists (select 1 from stays s where s.person_id = c.person_id)""",
)


def settle(people: dict[str, int]) -> float:
    """Put so many people into each country, everyone with a phone of their own; seconds it took. Commits."""
    started = time.monotonic()
    for country, number in people.items():
        rest: Iterator[int] = iter(range(number))
        while numbers := list(islice(rest, BATCH)):
            _copy(country, [(uuid4(), PHONES[country].format(one)) for one in numbers])
    for statement in _REST:
        with unit_of_work() as session:
            session.execute(text(statement))
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze people, contact_points, registrations, stays"))
    return time.monotonic() - started


def phones(country: str, number: int) -> list[str]:
    """The phones of the first `number` people of a country."""
    return [PHONES[country].format(one) for one in range(number)]


def _copy(country: str, people: list[tuple[UUID, str]]) -> None:
    now = utc_now()
    with unit_of_work() as session:
        cursor = session.connection().connection.driver_connection.cursor()  # type: ignore[union-attr]
        with cursor.copy(_PEOPLE) as copy:
            copy.set_types(["uuid", "bytea", "varchar", "varchar", "timestamptz"])
            for person_id, _ in people:
                copy.write_row((person_id, cipher.seal("Ravi Kumar", "people.name", person_id), "IN", "en", now))
        with cursor.copy(_PHONES) as copy:
            copy.set_types(["uuid", "uuid", "varchar", "bytea", "bytea", "varchar", "bool", "timestamptz"])
            for person_id, phone in people:
                point_id = uuid4()
                sealed = cipher.seal(phone, "contact_points.value", point_id)
                index = cipher.index(phone, "phone")
                copy.write_row((point_id, person_id, "sms", sealed, index, country, True, now))
