"""The best news of all a person's messages is what the board shows; late good news always counts."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, scoped_session

from consular.domain.delivery import MessageState, Reach
from consular.domain.triage import Stated
from consular.models.messages import Message
from consular.queries import reach
from tests.crisis_world import World

STATES = {
    Reach.WAITING: ["queued", "claimed", "sending", "unknown", "held"],
    Reach.HANDED_OVER: ["accepted", "sent"],
    Reach.DELIVERED: ["delivered", "read"],
    Reach.NOT_DELIVERED: ["undelivered", "refused", "failed", "cancelled", "expired"],
}
ORDER = [Reach.NOT_DELIVERED, Reach.WAITING, Reach.HANDED_OVER, Reach.DELIVERED]
EVERY_STATE = [(MessageState(state), known) for known, states in STATES.items() for state in states]


@pytest.fixture
def world(session: scoped_session[Session]) -> World:
    return World(session)


def test_every_message_state_has_a_reach() -> None:
    assert {state for state, _ in EVERY_STATE} == set(MessageState)


@pytest.mark.parametrize(("state", "expected"), EVERY_STATE)
def test_one_message(world: World, session: scoped_session[Session], state: MessageState, expected: Reach) -> None:
    person = world.person()
    world.standing(person)
    message_id = world.message(world.event(), person, state=state)
    reach.apply(session, [message_id])
    assert world.status(person).reach is expected
    world.assert_counters_agree()


@pytest.mark.parametrize(("first", "second"), list(itertools.product(ORDER, ORDER)))
def test_two_messages_the_better_news_wins(
    world: World, session: scoped_session[Session], first: Reach, second: Reach
) -> None:
    person = world.person()
    world.standing(person)
    ids = [world.message(world.event(), person, state=MessageState(STATES[news][0])) for news in (first, second)]
    for message_id in ids:
        reach.apply(session, [message_id])
    assert world.status(person).reach is max(first, second, key=ORDER.index)
    world.assert_counters_agree()


def test_a_shared_phone_moves_everybody_and_a_late_delivery_lifts(
    world: World, session: scoped_session[Session]
) -> None:
    family = [world.person() for _ in range(3)]
    for member in family:
        world.standing(member)
    message_id = world.message(world.event(), *family, state=MessageState.UNDELIVERED)
    reach.apply(session, [message_id, message_id])
    assert {world.status(member).reach for member in family} == {Reach.NOT_DELIVERED}
    session.execute(update(Message).values(state=MessageState.DELIVERED))
    reach.apply(session, [message_id])
    assert {world.status(member).bucket for member in family} == {"silent"}
    world.assert_counters_agree()


def test_what_a_person_said_stays_in_front(world: World, session: scoped_session[Session]) -> None:
    person = world.person()
    world.says(person, Stated.NEEDS_HELP)
    reach.apply(session, [world.message(world.event(), person, state=MessageState.FAILED)])
    assert (world.status(person).reach, world.status(person).bucket) == (Reach.NOT_DELIVERED, "needs_help")
    world.assert_counters_agree()


def test_messages_of_nobody_change_nothing(session: scoped_session[Session]) -> None:
    reach.apply(session, [123456])
    reach.apply(session, [])


def test_a_new_alert_makes_the_unreached_wait_again(world: World, session: scoped_session[Session]) -> None:
    unreached, reached = world.person(), world.person()
    world.standing(unreached, Reach.NOT_DELIVERED)
    world.standing(reached, Reach.DELIVERED)
    event_id = world.event()
    world.message(event_id, unreached)
    world.message(event_id, reached)
    reach.raise_for_event(session, event_id)
    assert (world.status(unreached).reach, world.status(reached).reach) == (Reach.WAITING, Reach.DELIVERED)
    world.assert_counters_agree()
