"""Statements become standings and counters, whatever the order, repetition or size of the batch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import Reach
from consular.domain.triage import Assessment, Stated, StatementSource
from consular.extensions import cipher
from consular.models.statuses import StatusEvent
from consular.queries import counters
from consular.services.statuses import NewStatement, record_statements
from tests.crisis_world import World, at


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


def test_safe_moves_a_person_and_the_counters(world: World) -> None:
    person = world.person()
    world.standing(person, Reach.DELIVERED)
    world.says(person, Stated.SAFE, 3, count=4)
    row = world.status(person)
    assert (row.stated, row.stated_count, row.stated_at, row.bucket) == (Stated.SAFE, 4, at(3), "safe")
    kept = counters.read(world.crisis_id)
    assert (kept["bucket:safe"], kept["bucket:silent"], kept["heads:safe"]) == (1, 0, 4)
    world.assert_counters_agree()


@pytest.mark.parametrize(("phone", "reach"), [("new", Reach.WAITING), (None, Reach.NO_PHONE)])
def test_a_person_without_a_row_gets_one(world: World, phone: str | None, reach: Reach) -> None:
    person = world.person(phone=phone)
    world.says(person, Stated.UNCLEAR)
    assert (world.status(person).reach, world.status(person).bucket) == (reach, "unclear")
    world.assert_counters_agree()


def test_the_same_text_twice_is_recorded_once(world: World, session: scoped_session[Session]) -> None:
    person = world.person()
    new = world.says(person, Stated.NEEDS_HELP, 2)
    record_statements(session, [new, new])
    assert session.scalar(select(func.count()).select_from(StatusEvent)) == 1
    world.assert_counters_agree()


def test_a_late_processed_call_for_help_is_not_hidden_by_safe(world: World) -> None:
    person = world.person()
    world.says(person, Stated.SAFE, 10)
    world.says(person, Stated.NEEDS_HELP, 5)
    assert world.status(person).stated is Stated.NEEDS_HELP
    assert world.status(person).stated_at == at(5)
    world.assert_counters_agree()


def test_one_text_about_a_family_moves_all_of_them(world: World, session: scoped_session[Session]) -> None:
    family = [world.person(phone="+218912222222") for _ in range(3)]
    inbound_id = world.text("help")
    record_statements(session, [world.statement(member, Stated.NEEDS_HELP, inbound_id=inbound_id) for member in family])
    assert {world.status(member).bucket for member in family} == {"needs_help"}
    world.assert_counters_agree()


def test_an_assessment_stands_beside_what_the_person_said(world: World, session: scoped_session[Session]) -> None:
    person = world.person()
    world.says(person, Stated.SAFE, 1)
    record_statements(session, [assessment(world, person, Assessment.MISSING, "Neighbour's word.")])
    row = world.status(person)
    assert (row.stated, row.assessed, row.bucket) == (Stated.SAFE, Assessment.MISSING, "safe")
    assert (row.assessed_at, row.assessed_by) == (at(9), world.officer_id)
    assert counters.read(world.crisis_id)["assessed:missing"] == 1
    record_statements(session, [assessment(world, person, None, None)])
    assert world.status(person).assessed is None
    world.assert_counters_agree()


def test_a_note_is_stored_encrypted(world: World, session: scoped_session[Session]) -> None:
    person = world.person()
    record_statements(session, [assessment(world, person, Assessment.SAFE, "At the hospital.")])
    event = session.scalars(select(StatusEvent)).one()
    assert event.note_sealed is not None
    assert b"hospital" not in event.note_sealed
    assert cipher.open(event.note_sealed, "status_events.note", event.id) == "At the hospital."


def test_five_hundred_at_once(world: World, session: scoped_session[Session]) -> None:
    people = [world.person() for _ in range(100)]
    kinds = list(Stated)
    batch = [
        world.statement(people[number % 100], kinds[number % 4], 500 - number, count=number % 3 or None)
        for number in range(500)
    ]
    record_statements(session, batch)
    record_statements(session, batch[::-1])
    world.assert_counters_agree()
    assert sum(counters.recount_crisis(world.crisis_id)[f"bucket:{kind.lower()}"] for kind in kinds) == 100


def test_nothing_to_record_changes_nothing(session: scoped_session[Session]) -> None:
    record_statements(session, [])


def assessment(world: World, person: object, value: Assessment | None, note: str | None) -> NewStatement:
    return NewStatement(
        crisis_id=world.crisis_id,
        person_id=person,  # type: ignore[arg-type]
        source=StatementSource.ASSESSMENT,
        stated=None,
        assessed=value,
        count=None,
        note=note,
        inbound_id=None,
        officer_id=world.officer_id,
        said_at=at(9) + timedelta(0),
        text_key=None,
    )
