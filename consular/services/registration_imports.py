"""Taking over many registrations at once: employer lists, an older register. The same rules as one form, set-based."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from consular.extensions import cipher
from consular.models.people import Channel, ContactPoint, Person, Registration, Stay
from consular.queries import inbound
from consular.services.places import fold
from consular.services.registrations import RegistrationData
from consular.services.transactions import unit_of_work


def register_many(rows: Sequence[RegistrationData], now: datetime) -> int:
    """Record all of them in one transaction; how many people are new. A phone and name on record add to that person."""
    with unit_of_work() as session:
        known = _known(session, rows)
        tables: dict[type[Any], list[dict[str, Any]]] = {Person: [], ContactPoint: [], Registration: [], Stay: []}
        for data in rows:
            index = cipher.index(data.phone.e164, "phone") if data.phone else None
            key = (index, fold(data.full_name))
            person_id = known.get(key) if index else None
            if person_id is None:
                person_id = _add_person(tables, data, index, now)
                if index:
                    known[key] = person_id
            _add_registration(tables, data, person_id, now)
        for table, values in tables.items():
            if values:
                session.execute(insert(table), values)
        return len(tables[Person])


def _known(session: inbound.AnySession, rows: Sequence[RegistrationData]) -> dict[tuple[bytes | None, str], UUID]:
    indexes = [cipher.index(data.phone.e164, "phone") for data in rows if data.phone]
    found = inbound.people_behind(session, indexes)
    people = {
        person.id: person for person in session.query(Person).filter(Person.id.in_([row.person_id for row in found]))
    }
    return {
        (
            bytes(row.value_index),
            fold(cipher.open(people[row.person_id].name_sealed, "people.name", row.person_id)),
        ): row.person_id
        for row in found
    }


def _add_person(
    tables: dict[type[Any], list[dict[str, Any]]], data: RegistrationData, index: bytes | None, now: datetime
) -> UUID:
    person_id = uuid4()
    tables[Person].append(
        {
            "id": person_id,
            "name_sealed": cipher.seal(data.full_name, "people.name", person_id),
            "home_country": data.home_country,
            "language": data.language,
            "created_at": now,
        }
    )
    if data.phone and index:
        tables[ContactPoint].append(_contact(person_id, Channel.SMS, data.phone.e164, index, data.phone, now))
    if data.email:
        email_index = cipher.index(data.email.lower(), "email")
        tables[ContactPoint].append(_contact(person_id, Channel.EMAIL, data.email, email_index, None, now))
    return person_id


def _contact(person_id: UUID, channel: Channel, value: str, index: bytes, phone: Any, now: datetime) -> dict[str, Any]:
    contact_id = uuid4()
    return {
        "id": contact_id,
        "person_id": person_id,
        "channel": channel,
        "value_sealed": cipher.seal(value, "contact_points.value", contact_id),
        "value_index": index,
        "country": phone.region if phone else None,
        "is_valid": phone.is_valid if phone else True,
        "created_at": now,
    }


def _add_registration(
    tables: dict[type[Any], list[dict[str, Any]]], data: RegistrationData, person_id: UUID, now: datetime
) -> None:
    tables[Registration].append(
        {
            "id": uuid4(),
            "person_id": person_id,
            "submission_key": data.submission_key,
            "source": data.source,
            "people_count": data.people_count,
            "consent_version": data.consent_version,
            "consented_at": now,
            "created_at": now,
        }
    )
    tables[Stay].append(
        {
            "id": uuid4(),
            "person_id": person_id,
            "country": data.country,
            "place_id": data.place.id if data.place else None,
            "place_name": data.place.name if data.place else data.place_name,
            "latitude": data.place.latitude if data.place else None,
            "longitude": data.place.longitude if data.place else None,
            "is_resident": data.is_resident,
            "from_date": data.from_date,
            "until_date": data.until_date,
            "created_at": now,
        }
    )
