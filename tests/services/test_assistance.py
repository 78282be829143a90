"""The queue: one text opens one request, calls end only with outcome and note, officers never overwrite each other."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, scoped_session

from consular.domain.triage import Outcome, Stated
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.models.assistance import AssistanceRequest, RequestKind
from consular.models.audit import AuditEntry
from consular.queries import counters, requests
from consular.services.assistance import NewRequest, close_request, open_requests, read_text, take_request
from consular.services.statuses import record_statements
from tests.crisis_world import World, at

SEEN_CALL = "needs_help:open"
SEEN_UNCLEAR = "unclear:open"


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


def asks(world: World, stated: Stated, *people: UUID, minutes: float = 1, crisis: bool = True) -> UUID:
    """A text comes in that says `stated` of these people, and its request is opened."""
    inbound_id = world.text("some words", minutes)
    record_statements(
        world.session, [world.statement(person, stated, minutes, inbound_id=inbound_id) for person in people]
    )
    kind = {Stated.NEEDS_HELP: RequestKind.NEEDS_HELP, Stated.UNCLEAR: RequestKind.UNCLEAR}[stated]
    new = NewRequest(
        source_key=str(inbound_id),
        kind=kind if people else RequestKind.UNKNOWN_SENDER,
        crisis_id=world.crisis_id if crisis else None,
        person_id=people[0] if len(people) == 1 else None,
        inbound_id=inbound_id,
        opened_at=at(minutes),
    )
    assert open_requests(world.session, [new]) == 1
    assert open_requests(world.session, [new, new]) == 0
    world.session.commit()
    return world.session.scalars(
        select(AssistanceRequest.id).where(AssistanceRequest.source_key == str(inbound_id))
    ).one()


def request_of(world: World, request_id: UUID) -> AssistanceRequest:
    world.session.expire_all()
    row = world.session.get(AssistanceRequest, request_id)
    assert row is not None
    return row


def test_a_closed_call_lets_a_later_safe_count(world: World) -> None:
    person = world.person()
    request_id = asks(world, Stated.NEEDS_HELP, person)
    world.says(person, Stated.SAFE, 5)
    assert world.status(person).stated is Stated.NEEDS_HELP
    close_request(request_id, world.officer_id, SEEN_CALL, Outcome.HELPED, "Ambulance came.")
    assert world.status(person).stated is Stated.SAFE
    assert request_of(world, request_id).outcome == Outcome.HELPED
    assert counters.read(world.crisis_id)["requests:needs_help"] == 0
    world.assert_counters_agree()


def test_each_call_is_closed_by_itself(world: World) -> None:
    person = world.person()
    first = asks(world, Stated.NEEDS_HELP, person, minutes=1)
    second = asks(world, Stated.NEEDS_HELP, person, minutes=2)
    world.says(person, Stated.SAFE, 5)
    close_request(second, world.officer_id, SEEN_CALL, Outcome.DUPLICATE, "See the first.")
    assert world.status(person).stated is Stated.NEEDS_HELP
    close_request(first, world.officer_id, SEEN_CALL, Outcome.HELPED, "Done.")
    assert world.status(person).stated is Stated.SAFE


@pytest.mark.parametrize(
    ("outcome", "note", "field"),
    [(Outcome.HELPED, "  ", "note"), (Outcome.NO_ACTION, "Nothing.", "outcome"), (Outcome.READ, "Read.", "outcome")],
)
def test_a_call_is_not_closed_without_outcome_and_note(world: World, outcome: Outcome, note: str, field: str) -> None:
    request_id = asks(world, Stated.NEEDS_HELP, world.person())
    with pytest.raises(InvalidInputError) as raised:
        close_request(request_id, world.officer_id, SEEN_CALL, outcome, note)
    assert list(raised.value.fields) == [field]
    assert request_of(world, request_id).closed_at is None


def test_a_family_call_is_closed_for_all_of_them(world: World) -> None:
    family = [world.person() for _ in range(3)]
    request_id = asks(world, Stated.NEEDS_HELP, *family)
    for member in family:
        world.says(member, Stated.SAFE, 7)
    close_request(request_id, world.officer_id, SEEN_CALL, Outcome.HELPED, "Brought to the airport.")
    assert {world.status(member).stated for member in family} == {Stated.SAFE}
    world.assert_counters_agree()


def test_reading_an_unclear_text_closes_it_and_can_be_replaced(world: World) -> None:
    person = world.person()
    request_id = asks(world, Stated.UNCLEAR, person, minutes=3)
    read_text(request_id, world.officer_id, SEEN_UNCLEAR, {person: Stated.SAFE}, 4)
    row = world.status(person)
    assert (row.stated, row.stated_count, row.stated_at) == (Stated.SAFE, 4, at(3))
    closed = request_of(world, request_id)
    assert closed.outcome == Outcome.READ
    seen = requests.state_token(closed.kind, closed.closed_at)
    read_text(request_id, world.officer_id, seen, {person: Stated.NOT_THERE})
    assert world.status(person).stated is Stated.NOT_THERE
    world.assert_counters_agree()


def test_reading_a_call_keeps_the_request_open_as_one(world: World) -> None:
    person = world.person()
    request_id = asks(world, Stated.UNCLEAR, person)
    world.says(person, Stated.SAFE, 5)
    read_text(request_id, world.officer_id, SEEN_UNCLEAR, {person: Stated.NEEDS_HELP})
    request = request_of(world, request_id)
    assert (request.kind, request.closed_at) == (RequestKind.NEEDS_HELP, None)
    assert world.status(person).stated is Stated.NEEDS_HELP
    kept = counters.read(world.crisis_id)
    assert (kept["requests:needs_help"], kept["requests:unclear"]) == (1, 0)
    world.assert_counters_agree()


def test_a_closed_call_can_be_opened_again(world: World) -> None:
    person = world.person()
    request_id = asks(world, Stated.NEEDS_HELP, person)
    close_request(request_id, world.officer_id, SEEN_CALL, Outcome.HELPED, "Wrong street, not found.")
    world.says(person, Stated.SAFE, 9)
    closed = request_of(world, request_id)
    seen = requests.state_token(closed.kind, closed.closed_at)
    read_text(request_id, world.officer_id, seen, {person: Stated.NEEDS_HELP}, note="Closed by mistake.")
    assert request_of(world, request_id).closed_at is None
    assert world.status(person).stated is Stated.NEEDS_HELP
    world.assert_counters_agree()


def test_taking_back_a_call_needs_a_reason(world: World) -> None:
    person = world.person()
    request_id = asks(world, Stated.NEEDS_HELP, person)
    with pytest.raises(InvalidInputError):
        read_text(request_id, world.officer_id, SEEN_CALL, {person: Stated.SAFE})
    assert world.status(person).stated is Stated.NEEDS_HELP
    read_text(request_id, world.officer_id, SEEN_CALL, {person: Stated.SAFE}, note="He writes: no help needed.")
    assert world.status(person).stated is Stated.SAFE
    assert request_of(world, request_id).outcome == Outcome.MISREAD
    world.assert_counters_agree()


def test_a_family_text_is_read_for_each_of_them(world: World) -> None:
    first, second = world.person(), world.person()
    request_id = asks(world, Stated.UNCLEAR, first, second)
    with pytest.raises(InvalidInputError):
        read_text(request_id, world.officer_id, SEEN_UNCLEAR, {first: Stated.SAFE})
    read_text(request_id, world.officer_id, SEEN_UNCLEAR, {first: Stated.SAFE, second: None})
    assert (world.status(first).stated, world.status(second).stated) == (Stated.SAFE, None)
    world.assert_counters_agree()


def test_the_second_of_two_officers_is_told_and_changes_nothing(world: World) -> None:
    person = world.person()
    request_id = asks(world, Stated.UNCLEAR, person)
    read_text(request_id, world.officer_id, SEEN_UNCLEAR, {person: Stated.SAFE})
    with pytest.raises(ConflictError, match="Amina Duty"):
        read_text(request_id, world.officer(), SEEN_UNCLEAR, {person: Stated.NOT_THERE})
    with pytest.raises(ConflictError):
        close_request(request_id, world.officer(), SEEN_UNCLEAR, Outcome.NO_ACTION, "")
    assert world.status(person).stated is Stated.SAFE


def test_an_unknown_sender_is_closed_and_counted_apart(world: World) -> None:
    request_id = asks(world, Stated.UNCLEAR, crisis=False)
    assert counters.read(counters.NO_CRISIS)["requests:unknown_sender"] == 1
    with pytest.raises(ConflictError):
        read_text(request_id, world.officer_id, "unknown_sender:open", {})
    close_request(request_id, world.officer_id, "unknown_sender:open", Outcome.NO_ACTION, "")
    assert counters.read(counters.NO_CRISIS)["requests:unknown_sender"] == 0


def test_who_took_it_is_shown_and_can_be_relieved(world: World) -> None:
    request_id = asks(world, Stated.NEEDS_HELP, world.person())
    take_request(request_id, world.officer_id, SEEN_CALL)
    relief = world.officer()
    take_request(request_id, relief, SEEN_CALL)
    found = requests.find(request_id)
    assert found is not None
    assert found.holder_id == relief


def test_every_act_is_in_the_audit(world: World, session: scoped_session[Session]) -> None:
    person = world.person()
    request_id = asks(world, Stated.UNCLEAR, person)
    take_request(request_id, world.officer_id, SEEN_UNCLEAR)
    read_text(request_id, world.officer_id, SEEN_UNCLEAR, {person: Stated.NEEDS_HELP})
    close_request(request_id, world.officer_id, SEEN_CALL, Outcome.HELPED, "Done.")
    entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [entry.action for entry in entries] == ["request.taken", "request.read", "request.closed"]
    assert {entry.officer_id for entry in entries} == {world.officer_id}


def test_a_request_that_does_not_exist(world: World) -> None:
    with pytest.raises(NotFoundError):
        take_request(uuid4(), world.officer_id, SEEN_CALL)
