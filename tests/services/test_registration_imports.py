"""Lists of people: the same record as by a form, nobody twice."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import func, select

from consular.clock import utc_now
from consular.domain.phone import read_phone
from consular.extensions import cipher
from consular.models.people import ContactPoint, Person, Registration, RegistrationSource, Stay
from consular.services.registration_imports import register_many
from consular.services.registrations import RegistrationData

ASHA = RegistrationData(
    submission_key="list-1",
    full_name="Asha Patel",
    phone=read_phone("+218 91 234 5678", ["LY"]),
    email="Asha@example.org",
    home_country="IN",
    country="LY",
    place=None,
    place_name="Tripoli",
    address=None,
    is_resident=True,
    from_date=None,
    until_date=None,
    language="hi",
    people_count=3,
    consent_version="drill",
    source=RegistrationSource.IMPORT,
)


def count(session, model) -> int:  # type: ignore[no-untyped-def]
    return session.scalar(select(func.count()).select_from(model))


def test_a_row_becomes_a_person_with_sealed_name_phone_and_email(session) -> None:  # type: ignore[no-untyped-def]
    assert register_many([ASHA], utc_now()) == 1
    person = session.scalars(select(Person)).one()
    assert cipher.open(person.name_sealed, "people.name", person.id) == "Asha Patel"
    points = {p.channel.value: p for p in session.scalars(select(ContactPoint))}
    assert cipher.open(points["sms"].value_sealed, "contact_points.value", points["sms"].id) == "+218912345678"
    assert points["sms"].value_index == cipher.index("+218912345678", "phone")
    assert points["email"].value_index == cipher.index("asha@example.org", "email")
    assert (session.scalars(select(Stay)).one().country, session.scalars(select(Registration)).one().people_count) == (
        "LY",
        3,
    )


def test_the_same_name_and_phone_is_one_person_within_a_list_and_across_lists(session) -> None:  # type: ignore[no-untyped-def]
    again = replace(ASHA, submission_key="list-2", full_name="  ASHA  patel ")
    assert register_many([ASHA, again], utc_now()) == 1
    assert register_many([replace(ASHA, submission_key="list-3")], utc_now()) == 0
    assert (count(session, Person), count(session, Registration)) == (1, 3)


def test_another_name_on_the_phone_and_people_without_a_phone_are_people_of_their_own(session) -> None:  # type: ignore[no-untyped-def]
    ravi = replace(ASHA, submission_key="list-4", full_name="Ravi Patel")
    nameless = [replace(ASHA, submission_key=f"none-{n}", phone=None, email=None) for n in range(2)]
    assert register_many([ASHA, ravi, *nameless], utc_now()) == 4
    assert count(session, ContactPoint) == 4
