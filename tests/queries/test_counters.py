"""Totals kept by difference are the totals that a recount gives, also when many write at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import MessageState, Reach
from consular.domain.triage import Stated
from consular.queries import counters, reach
from consular.services.statuses import record_statements
from consular.services.transactions import unit_of_work
from tests.crisis_world import World


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


def test_differences_add_up(session: scoped_session[Session]) -> None:
    first, second = uuid4(), uuid4()
    counters.add(session, {(first, "a"): 2, (first, "b"): 5, (second, "a"): 1})
    counters.add(session, {(first, "a"): 3, (first, "b"): -5, (second, "c"): 0})
    assert counters.read(first) == {"a": 5, "b": 0}
    assert counters.read(second) == {"a": 1}


def test_nothing_to_add(session: scoped_session[Session]) -> None:
    counters.add(session, {})
    counters.add(session, {(uuid4(), "a"): 0})


def test_an_unknown_scope_has_no_counters(session: scoped_session[Session]) -> None:
    assert counters.read(uuid4()) == {}


def test_the_recount_of_an_event_counts_states_as_officers_see_them(world: World) -> None:
    event_id = world.event()
    for state in (MessageState.QUEUED, MessageState.CLAIMED, MessageState.SENDING, MessageState.DELIVERED):
        world.message(event_id, world.person(), state=state)
    assert counters.recount_event(event_id) == {"message:queued": 3, "message:delivered": 1}


def test_the_recount_finds_a_drift(world: World) -> None:
    world.standing(world.person(), Reach.DELIVERED)
    world.assert_counters_agree()
    counters.add(world.session, {(world.crisis_id, "bucket:silent"): 1})
    with pytest.raises(AssertionError):
        world.assert_counters_agree()


def test_many_writers_neither_block_each_other_nor_lose_anything(committing: Flask) -> None:
    """Workers that record statements and workers that record receipts, about the same people in opposite orders."""
    with unit_of_work() as session:
        world = World(session)
        people = [world.person() for _ in range(30)]
        event_id = world.event()
        for person in people:
            world.standing(person)
        messages = [world.message(event_id, person, state=MessageState.DELIVERED) for person in people]
    start = threading.Barrier(6)

    def say(worker: int) -> None:
        kinds = list(Stated)
        with committing.app_context():
            start.wait()
            for turn in range(8):
                order = people if (worker + turn) % 2 else people[::-1]
                said = [
                    world.statement(person, kinds[(worker + turn + n) % 4], turn, text_key=f"{worker}-{turn}-{n}")
                    for n, person in enumerate(order)
                ]
                with unit_of_work() as mine:
                    record_statements(mine, said)

    def report(worker: int) -> None:
        with committing.app_context():
            start.wait()
            for turn in range(8):
                with unit_of_work() as mine:
                    reach.apply(mine, messages[:: 1 if (worker + turn) % 2 else -1])

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(say, n) for n in range(3)] + [pool.submit(report, n) for n in range(3)]:
            done.result(timeout=60)
    with unit_of_work():
        kept = {key: value for key, value in counters.read(world.crisis_id).items() if value}
        assert kept == counters.recount_crisis(world.crisis_id)
        assert kept["reach:delivered"] == 30
