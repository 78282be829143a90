"""The database selects exactly whom the rule selects."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from consular.domain.audience import AudienceRule, Circle, matches
from consular.domain.cap import AlertStatus
from consular.extensions import cipher
from consular.models.people import Channel, ContactPoint, OptOut, Person, Registration, RegistrationSource, Stay
from consular.models.places import Place
from consular.queries import audience

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
COUNTRIES = ("LY", "TN", "FJ", "AQ")
PLACES = range(1, 6)


@dataclass
class StayRow:
    person_id: UUID
    country: str
    place_id: int | None
    latitude: float | None
    longitude: float | None
    is_resident: bool
    from_date: date | None
    until_date: date | None


def add_people(session, count: int) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    session.execute(
        insert(Person),
        [{"id": i, "name_sealed": b"x", "home_country": "FR", "language": "fr", "created_at": NOW} for i in ids],
    )
    return ids


def add_stays(session, rows: list[StayRow]) -> None:
    session.execute(insert(Stay), [{"id": uuid4(), "created_at": NOW, **vars(row)} for row in rows])


def random_stay(dice: random.Random, person_id: UUID) -> StayRow:
    has_position = dice.random() < 0.8
    start = TODAY + timedelta(days=dice.randint(-3, 3)) if dice.random() < 0.7 else None
    end = (start or TODAY) + timedelta(days=dice.randint(0, 3)) if dice.random() < 0.7 else None
    return StayRow(
        person_id=person_id,
        country=dice.choice(COUNTRIES),
        place_id=dice.choice([None, *PLACES]),
        latitude=dice.choice([0.0, 89.9, -90.0, dice.uniform(-90, 90), dice.uniform(30, 35)]) if has_position else None,
        longitude=dice.choice([179.9, -179.9, dice.uniform(-180, 180), dice.uniform(10, 15)]) if has_position else None,
        is_resident=dice.random() < 0.3,
        from_date=start,
        until_date=end,
    )


@pytest.fixture
def stays(session) -> list[StayRow]:
    """600 stays of 400 people, some at the poles and the date line, around today."""
    dice = random.Random(11)
    session.execute(
        insert(Place),
        [
            {
                "id": i,
                "name": f"P{i}",
                "country": "LY",
                "latitude": 1.0,
                "longitude": 1.0,
                "population": 1,
                "timezone": "UTC",
            }
            for i in PLACES
        ],
    )
    people = add_people(session, 400)
    rows = [random_stay(dice, person) for person in [*people, *people[:200]]]
    add_stays(session, rows)
    return rows


circles = st.builds(
    Circle,
    label=st.just("somewhere"),
    latitude=st.one_of(st.sampled_from([90.0, -90.0, 0.0, 32.9]), st.floats(-90, 90)),
    longitude=st.one_of(st.sampled_from([180.0, -180.0, 13.2]), st.floats(-180, 180)),
    radius_km=st.floats(0.001, 5000),
)
rules = st.builds(
    AudienceRule,
    countries=st.lists(st.sampled_from(COUNTRIES), max_size=4).map(tuple),
    circles=st.lists(circles, max_size=3).map(tuple),
    place_ids=st.lists(st.sampled_from(PLACES), max_size=3).map(tuple),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=rules, days=st.integers(-4, 4))
def test_sql_selects_whom_the_rule_selects(session, stays, rule: AudienceRule, days: int) -> None:
    today = TODAY + timedelta(days=days)
    expected = {row.person_id for row in stays if matches(rule, row, today)}
    found = session.scalars(audience.select_people(rule, today)).all()
    assert set(found) == expected
    assert len(found) == len(expected)
    assert audience.count_people(session, rule, today) == len(expected)


def test_an_empty_rule_selects_nobody(session, stays) -> None:
    rule = AudienceRule(())
    assert audience.count_people(session, rule, TODAY) == 0
    assert audience.count_audience(session, rule, TODAY, AlertStatus.ACTUAL).people == 0
    assert audience.sample_people(session, rule, TODAY) == []


def add_phone(session, person_id: UUID, number: str, *, unusable: bool = False, age: int = 0) -> bytes:
    index, point = cipher.index(number, "phone"), uuid4()
    session.execute(
        insert(ContactPoint),
        [
            {
                "id": point,
                "person_id": person_id,
                "channel": Channel.SMS,
                "value_sealed": b"x",
                "value_index": index,
                "country": "LY",
                "is_valid": True,
                "unusable_since": NOW if unusable else None,
                "created_at": NOW - timedelta(days=age),
            }
        ],
    )
    return index


def test_phones_are_counted_once_and_the_reasons_for_silence_apart(session) -> None:
    shared_a, shared_b, stopped, dead, renewed, silent = people = add_people(session, 6)
    add_stays(session, [StayRow(p, "LY", None, None, None, True, None, None) for p in people])
    add_phone(session, shared_a, "+2181")
    add_phone(session, shared_b, "+2181")
    opted_out = add_phone(session, stopped, "+2182")
    add_phone(session, dead, "+2183", unusable=True)
    add_phone(session, renewed, "+2184", unusable=True)
    add_phone(session, renewed, "+2185", age=9)
    session.add(OptOut(value_index=opted_out, gateway="actual", opted_out_at=NOW))
    session.add(OptOut(value_index=cipher.index("+2181", "phone"), gateway="actual", opted_out_at=NOW, ended_at=NOW))
    session.add(
        Registration(
            person_id=silent,
            submission_key="k",
            source=RegistrationSource.WEB_FORM,
            people_count=4,
            consent_version="1",
            consented_at=NOW,
            created_at=NOW,
        )
    )
    session.flush()
    count = audience.count_audience(session, AudienceRule(("LY",)), TODAY, AlertStatus.ACTUAL)
    assert (count.people, count.heads) == (6, 9)
    assert (count.with_phone, count.phones) == (3, 2)
    assert (count.no_phone, count.unusable_phone, count.opted_out) == (1, 1, 1)
    assert count.languages == {"fr": audience.LanguageCount(people=6, phones=2)}
    assert sum(count.phones_in.values()) == 2
    assert sum(count.people_in.values()) == count.with_phone
    assert set(audience.phone_countries(session, AudienceRule(("LY",)), TODAY, AlertStatus.ACTUAL)) == {
        country for country, _ in count.phones_in
    }
    samples = audience.sample_people(session, AudienceRule(("LY",)), TODAY)
    assert len(samples) == 6
    assert sum(sample.has_phone for sample in samples) == 5
