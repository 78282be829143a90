"""What the board reads: figures from counters, the head of the queue, the age of the oldest."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import Reach
from consular.domain.triage import Stated
from consular.models.assistance import RequestKind
from consular.models.statuses import Bucket
from consular.queries import board, counters
from consular.services.assistance import NewRequest, open_requests
from tests.crisis_world import World, at


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


def look(world: World, **more: int) -> board.Board:
    crisis = board.find_crisis(world.crisis_id)
    assert crisis is not None
    return board.look(crisis, **more)


def request(world: World, kind: RequestKind, minutes: float, crisis_id: UUID | None) -> None:
    new = NewRequest(f"key-{kind}-{minutes}", kind, crisis_id, None, None, at(minutes), is_exercise=True)
    open_requests(world.session, [new])


def test_every_bucket_is_either_answered_or_not() -> None:
    assert sorted((*board.ANSWERED, *board.UNANSWERED)) == sorted(Bucket)


def test_a_crisis_without_anybody(world: World) -> None:
    empty = look(world)
    assert (empty.people, empty.reached, empty.remainder, empty.queue) == (0, 0, 0, [])


def test_parts_sum_to_people_and_reached_counts_who_answered_or_has_the_text(world: World) -> None:
    world.standing(world.person(), Reach.DELIVERED)
    world.standing(world.person(), Reach.HANDED_OVER)
    world.standing(world.person(), Reach.NO_PHONE)
    answered = world.person()
    world.standing(answered, Reach.NOT_DELIVERED)
    world.says(answered, Stated.NEEDS_HELP, count=3)
    found = look(world)
    assert (found.people, found.reached, found.remainder) == (4, 2, 0)
    assert (found.bucket(Bucket.SILENT), found.bucket(Bucket.NEEDS_HELP), found.heads(Bucket.NEEDS_HELP)) == (1, 1, 3)


def test_a_gap_is_the_remainder(world: World) -> None:
    counters.add(world.session, {(world.crisis_id, "reach:delivered"): 3504, (world.crisis_id, "bucket:silent"): 3487})
    assert look(world).remainder == 17


def test_the_queue_is_counted_with_what_belongs_to_no_crisis(world: World) -> None:
    request(world, RequestKind.UNCLEAR, 1, world.crisis_id)
    request(world, RequestKind.NEEDS_HELP, 8, world.crisis_id)
    request(world, RequestKind.NEEDS_HELP, 5, None)
    request(world, RequestKind.UNKNOWN_SENDER, 2, None)
    request(world, RequestKind.NEEDS_HELP, 1, world.crisis())
    found = look(world)
    assert found.open_requests[RequestKind.NEEDS_HELP] == 2
    assert found.oldest == {
        RequestKind.NEEDS_HELP: at(5),
        RequestKind.UNCLEAR: at(1),
        RequestKind.UNKNOWN_SENDER: at(2),
    }
    assert [(row.kind, row.opened_at) for row in found.queue] == [
        (RequestKind.NEEDS_HELP, at(5)),
        (RequestKind.NEEDS_HELP, at(8)),
        (RequestKind.UNCLEAR, at(1)),
        (RequestKind.UNKNOWN_SENDER, at(2)),
    ]
    assert len(look(world, queue_length=2).queue) == 2


def test_an_unknown_crisis(session: scoped_session[Session]) -> None:
    assert board.find_crisis(uuid4()) is None
