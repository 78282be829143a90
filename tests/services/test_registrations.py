"""One form makes one record: whatever is sent twice, changed, repeated by others, or arrives at the same instant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, scoped_session

from consular.domain.phone import read_phone
from consular.extensions import cipher, db
from consular.models.people import Channel, ContactPoint, Person, Registration, Stay
from consular.models.places import Place
from consular.services.places import PlaceMatch
from consular.services.registrations import RegistrationData, RegistrationResult, register

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BENGHAZI = PlaceMatch(88319, "Benghazi", "LY", 32.11, 20.07, 650_000)


def data(key: str = "form-1", *, phone: str = "+218912345678", **changes: Any) -> RegistrationData:
    values: dict[str, Any] = {
        "submission_key": key,
        "full_name": "Asha Rao",
        "phone": read_phone(phone, ["LY"]),
        "email": "Asha@Example.org",
        "home_country": "IN",
        "country": "LY",
        "place": None,
        "place_name": "Camp 4",
        "address": "Gate 2, Benghazi road",
        "is_resident": True,
        "from_date": None,
        "until_date": None,
        "language": "hi",
        "people_count": 3,
        "consent_version": "2026-11",
    }
    return RegistrationData(**values | changes)


def again(key: str = "form-1", minutes: int = 5, **changes: Any) -> RegistrationResult:
    return register(data(key, **changes), NOW + timedelta(minutes=minutes))


def count(session: scoped_session[Any], model: Any) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def usable_phones(session: scoped_session[Session], result: RegistrationResult) -> list[str]:
    points = session.scalars(
        select(ContactPoint).where(
            ContactPoint.person_id == result.person_id,
            ContactPoint.channel == Channel.SMS,
            ContactPoint.unusable_since.is_(None),
        )
    )
    return [cipher.open(point.value_sealed, "contact_points.value", point.id) for point in points]


def name_of(session: scoped_session[Session], result: RegistrationResult) -> str:
    person = session.get(Person, result.person_id)
    assert person is not None
    return cipher.open(person.name_sealed, "people.name", person.id)


def test_everything_is_recorded(session: scoped_session[Session]) -> None:
    session.add(
        Place(id=88319, name="Benghazi", country="LY", latitude=32.11, longitude=20.07, population=1, timezone="UTC")
    )
    session.commit()
    result = register(data(place=BENGHAZI, is_resident=False, until_date=date(2027, 3, 1)), NOW)
    stay = session.scalars(select(Stay)).one()
    registration = session.scalars(select(Registration)).one()
    assert (stay.place_id, stay.place_name, stay.latitude, stay.longitude) == (88319, "Benghazi", 32.11, 20.07)
    assert (stay.country, stay.is_resident, stay.until_date) == ("LY", False, date(2027, 3, 1))
    assert stay.address_sealed is not None
    assert cipher.open(stay.address_sealed, "stays.address", stay.id) == "Gate 2, Benghazi road"
    assert (registration.people_count, registration.consent_version) == (3, "2026-11")
    assert name_of(session, result) == "Asha Rao"
    assert usable_phones(session, result) == ["+218912345678"]


def test_a_dump_shows_no_personal_data(session: scoped_session[Session]) -> None:
    register(data(), NOW)
    for table in ("people", "contact_points", "registrations", "stays"):
        rows = " ".join(session.scalars(text(f"select t::text from {table} t")))
        for secret in ("Asha", "912345678", "sha@", "xample", "Gate"):
            assert secret not in rows
            assert secret.encode().hex() not in rows


def test_the_same_form_again_changes_nothing(session: scoped_session[Session]) -> None:
    first = register(data(), NOW)
    assert again() == first
    assert [count(session, model) for model in (Person, Registration, Stay, ContactPoint)] == [1, 1, 1, 2]
    assert session.scalars(select(Registration.consented_at)).one() == NOW


def test_the_same_form_with_other_answers_corrects_its_record(session: scoped_session[Session]) -> None:
    first = register(data(), NOW)
    corrected = again(
        phone="+218912345679", full_name="Asha Rao Singh", language="en", place_name="Camp 5", people_count=4
    )
    assert corrected == first
    assert [count(session, model) for model in (Person, Registration, Stay)] == [1, 1, 1]
    assert usable_phones(session, first) == ["+218912345679"]
    assert name_of(session, first) == "Asha Rao Singh"
    assert session.scalars(select(Stay.place_name)).one() == "Camp 5"
    assert session.scalars(select(Registration.people_count)).one() == 4


def test_going_back_to_register_the_next_person_loses_nobody(session: scoped_session[Session]) -> None:
    """One telephone in a camp: each presses "back", writes over the name and the number, and sends."""
    people = [
        ("Asha Rao", "+218912345678"),
        ("Usha Rao", "+218912345671"),
        ("Vikram Rao", "+218912345678"),
        ("Mohamed Ali", "+218912345673"),
    ]
    first = [register(data(full_name=name, phone=phone), NOW) for name, phone in people]
    again = [register(data(full_name=name, phone=phone), NOW) for name, phone in people]
    assert again == first
    assert [name_of(session, result) for result in first] == [name for name, _ in people]
    assert [usable_phones(session, result) for result in first] == [[phone] for _, phone in people]
    corrected = register(data(full_name="Mohammed Ali", phone="+218912345674"), NOW)
    assert corrected == first[3]
    assert count(session, Person) == len(people)


def test_going_back_to_the_first_number(session: scoped_session[Session]) -> None:
    first = register(data(), NOW)
    again(phone="+218912345679")
    again(minutes=6)
    assert usable_phones(session, first) == ["+218912345678"]


def test_the_same_person_with_a_new_form_is_no_second_person(session: scoped_session[Session]) -> None:
    first = register(data(), NOW)
    second = again("form-2", full_name="  ASHA  RÃO", place_name="Sirte")
    assert second.person_id == first.person_id
    assert second.reference != first.reference
    assert [count(session, model) for model in (Person, Registration, Stay, ContactPoint)] == [1, 2, 2, 2]


def test_a_family_shares_a_phone(session: scoped_session[Session]) -> None:
    first = register(data(), NOW)
    second = again("form-2", full_name="Vikram Rao", email=None)
    assert second.person_id != first.person_id
    assert count(session, Person) == 2
    assert usable_phones(session, second) == ["+218912345678"]


def test_knowing_a_name_and_a_number_does_not_move_anybody_away(session: scoped_session[Session]) -> None:
    """The stranger's form is attached to the record; correcting it must not take phone or name along."""
    victim = register(data(), NOW)
    stranger = again("form-2", place_name="Elsewhere")
    assert stranger.person_id == victim.person_id
    moved = again("form-2", phone="+447911123456", full_name="Somebody Else", minutes=6)
    assert moved.person_id != victim.person_id
    assert usable_phones(session, victim) == ["+218912345678"]
    assert name_of(session, victim) == "Asha Rao"
    places = session.scalars(select(Stay.place_name).where(Stay.person_id == victim.person_id)).all()
    assert "Camp 4" in places


def test_a_stranger_does_not_replace_another_phone(session: scoped_session[Session]) -> None:
    victim = register(data(), NOW)
    point_id, other = uuid4(), "+919876543210"
    session.add(
        ContactPoint(
            id=point_id,
            person_id=victim.person_id,
            channel=Channel.SMS,
            value_sealed=cipher.seal(other, "contact_points.value", point_id),
            value_index=cipher.index(other, "phone"),
            country="IN",
            created_at=NOW,
        )
    )
    session.commit()
    again("form-2")
    assert set(usable_phones(session, victim)) == {"+218912345678", other}


def test_a_number_frozen_as_somebody_elses_stays_frozen(session: scoped_session[Session]) -> None:
    first = register(data(), NOW)
    session.execute(text("update contact_points set unusable_since = now(), unusable_reason = 'wrong_person'"))
    session.commit()
    again("form-2")
    assert usable_phones(session, first) == []


def test_without_a_phone_every_form_is_a_person(session: scoped_session[Session]) -> None:
    register(data("form-1"), NOW)
    register(RegistrationData(**{**_fields(data("form-2")), "phone": None}), NOW)
    assert count(session, Person) == 2


@pytest.mark.parametrize("keys", [["same"] * 8, [f"form-{n}" for n in range(8)]], ids=["one form", "eight forms"])
def test_eight_at_the_same_instant_are_one_person(committing: Flask, keys: list[str]) -> None:
    def send(key: str) -> RegistrationResult:
        with committing.app_context():
            return register(data(key), NOW)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(send, keys))
    assert len({result.person_id for result in results}) == 1
    assert len({result.registration_id for result in results}) == len(set(keys))
    assert count(db.session, Person) == 1


def _fields(value: RegistrationData) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
