"""The queue in pages: needs help first, oldest first, nobody twice, nobody missed."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session, scoped_session

from consular.models.assistance import AssistanceRequest, RequestKind
from consular.queries import requests
from consular.queries.requests import KINDS, Cursor
from consular.services.assistance import NewRequest, open_requests
from tests.crisis_world import World, at

WAITING = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.booleans()), max_size=25)


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


def fill(world: World, waiting: list[tuple[RequestKind, int, bool]]) -> None:
    new = [
        NewRequest(uuid4().hex, kind, world.crisis_id if is_ours else None, None, None, at(minute), is_exercise=True)
        for kind, minute, is_ours in waiting
    ]
    assert open_requests(world.session, new) == len(new)


@given(waiting=WAITING, limit=st.integers(1, 7))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pages_show_everything_once_in_order(
    world: World, waiting: list[tuple[RequestKind, int, bool]], limit: int
) -> None:
    world.session.execute(delete(AssistanceRequest))
    fill(world, waiting)
    seen: list[requests.QueueRow] = []
    after: Cursor | None = None
    while page := requests.open_page(world.crisis_id, after=after, limit=limit):
        assert len(page) <= limit
        seen += page
        after = Cursor(page[-1].kind, page[-1].opened_at, page[-1].id)
    assert len({row.id for row in seen}) == len(seen) == len(waiting)
    assert seen == sorted(seen, key=lambda row: (KINDS.index(row.kind), row.opened_at, row.id))


def test_every_kind_is_in_the_queue() -> None:
    assert set(KINDS) == set(RequestKind)
    assert KINDS[0] is RequestKind.NEEDS_HELP


def test_only_the_kinds_asked_for(world: World) -> None:
    fill(world, [(kind, 1, True) for kind in KINDS])
    found = requests.open_page(world.crisis_id, [RequestKind.UNCLEAR])
    assert [row.kind for row in found] == [RequestKind.UNCLEAR]


def test_another_crisis_sees_only_what_belongs_to_none(world: World) -> None:
    fill(world, [(RequestKind.NEEDS_HELP, 1, True), (RequestKind.UNKNOWN_SENDER, 1, False)])
    found = requests.open_page(world.crisis())
    assert [row.kind for row in found] == [RequestKind.UNKNOWN_SENDER]


def test_who_stands_behind_a_text_of_a_family(world: World) -> None:
    from consular.domain.triage import Stated
    from consular.services.statuses import record_statements

    family: list[UUID] = [world.person(name=f"Member {n}", heads=n + 1) for n in range(3)]
    inbound_id = world.text("?")
    record_statements(world.session, [world.statement(p, Stated.UNCLEAR, inbound_id=inbound_id) for p in family])
    new = NewRequest(str(inbound_id), RequestKind.UNCLEAR, world.crisis_id, None, inbound_id, at(1))
    open_requests(world.session, [new])
    row = requests.open_page(world.crisis_id)[0]
    told = requests.people_told(row)
    assert {(person.name, person.heads, person.stated, person.was_told) for person in told} == {
        (f"Member {n}", n + 1, Stated.UNCLEAR, True) for n in range(3)
    }


def test_a_request_that_does_not_exist(session: scoped_session[Session]) -> None:
    assert requests.find(uuid4()) is None
