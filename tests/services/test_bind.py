"""One process has the bind: it sends while the bind stands, hears always, and lets go when it must."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text as sql

from consular.clock import utc_now
from consular.extensions import db
from consular.services import operations
from consular.services.bind import Bind, Means
from consular.services.bind_lock import BindLock, Hold
from consular.services.delivery import Pace
from consular.services.operations import Installation
from consular.services.texts import TextBook
from tests.factories import alert_everybody, rows, states
from tests.fakes import FakeGateway
from tests.waiting import eventually

PACE = Pace(rate=100_000, lease_seconds=60)


class Connection(FakeGateway):
    """A gateway whose connection stands or not, as the test says; polls: how often it was listened to."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.is_bound = True
        self.trouble = "connect_failed"
        self.polls = 0
        self.is_closed = False

    def poll(self, timeout_seconds: float) -> Any:
        self.polls += 1
        return super().poll(0.0)

    def close(self) -> None:
        self.is_closed = True


class Scripted:
    """A lock that says one thing after the other, the last for ever."""

    def __init__(self, *holds: Hold) -> None:
        self._holds = list(holds)

    def look(self) -> Hold:
        return self._holds.pop(0) if len(self._holds) > 1 else self._holds[0]

    def release(self) -> None:
        pass


class Process:
    """A process that would have the bind; opened: the gateways it opened."""

    def __init__(self, lock: Any, name: str = "exercise", **more: float) -> None:
        self.opened: list[Connection] = []
        self._name = name
        self.stopping = False
        book = TextBook("https://consular.test")
        self.bind = Bind(lock, self._open, Means(book, PACE, "p", lambda _: None, lambda: self.stopping), **more)

    def _open(self) -> Connection:
        self.opened.append(Connection(self._name))
        return self.opened[-1]

    @property
    def gateway(self) -> Connection:
        return self.opened[-1]

    def rounds_until(self, condition: Any) -> None:
        def go() -> bool:
            self.bind.round()
            return bool(condition())

        assert eventually(go, 10)


@pytest.fixture
def locks(committing) -> Iterator[Any]:
    """locks() is one more lock on the bind of this installation."""
    made: list[BindLock] = []

    def make() -> BindLock:
        made.append(BindLock(db.engine.url))
        return made[-1]

    yield make
    for one in made:
        one.release()


def test_one_process_has_the_bind_and_the_next_takes_it_over(locks):
    first, second = Process(locks()), Process(locks())
    first.bind.round()
    for _ in range(3):
        second.bind.round()
    assert (first.bind.hold, second.bind.hold) == (Hold.MINE, Hold.TAKEN)
    assert (len(first.opened), len(second.opened)) == (1, 0)
    first.bind.close()
    assert first.gateway.is_closed
    second.rounds_until(lambda: second.opened)
    assert second.bind.hold is Hold.MINE


def test_a_lock_that_the_database_took_back_is_taken_again_or_the_bind_is_let_go(locks):
    process, other = Process(locks()), locks()
    process.bind.round()
    end_lock()
    process.rounds_until(lambda: rows(db.session, HOLDERS) != [])
    assert len(process.opened) == 1
    db.session.remove()
    end_lock()
    assert other.look() is Hold.MINE
    process.rounds_until(lambda: process.gateway.is_closed)
    assert process.bind.hold is Hold.TAKEN


HOLDERS = "select pid from pg_locks where locktype = 'advisory' and objid = 7206913 and granted"


def end_lock() -> None:
    db.session.execute(sql(f"select pg_terminate_backend(pid) from ({HOLDERS}) holders"))
    db.session.remove()


def test_nothing_leaves_before_the_bind_stands_and_everything_then(session):
    alert_everybody(session, 5)
    process = Process(Scripted(Hold.MINE))
    process.bind.round()
    process.gateway.is_bound = False
    session.execute(sql("update messages set state = 'queued'"))
    before = len(process.gateway.taken)
    process.bind.round()
    assert len(process.gateway.taken) == before
    process.gateway.is_bound = True
    process.rounds_until(lambda: states(session) == {"accepted": 5})
    assert process.gateway.polls >= 3


def test_a_process_that_shall_stop_begins_nothing(session):
    alert_everybody(session, 5)
    process = Process(Scripted(Hold.MINE))
    process.stopping = True
    process.bind.round()
    assert process.gateway.taken == []


def test_while_the_database_is_away_the_bind_is_kept_and_heard_but_not_for_ever(session):
    alert_everybody(session, 1)
    process = Process(Scripted(Hold.MINE, Hold.AWAY), away_seconds=1.0)
    process.bind.round()
    process.rounds_until(lambda: process.bind.hold is Hold.AWAY)
    polls = process.gateway.polls
    process.bind.round()
    assert process.gateway.polls == polls + 1
    assert not process.gateway.is_closed
    process.rounds_until(lambda: process.gateway.is_closed)
    process.bind.round()
    assert len(process.opened) == 1


def test_officers_see_since_when_the_bind_stands_and_why_it_does_not(session):
    here = Installation(frozenset({"smpp"}), None)

    def alarms() -> list[tuple[str, str]]:
        return [(one.alarm.name, one.subject) for one in operations.look(here, utc_now()).alarms]

    def seen() -> Any:
        state = operations.look(here, utc_now()).state
        assert state is not None
        (line,) = [line for line in state.lines if line.gateway == "smpp"]
        return line.bind

    assert ("smpp_not_bound", "smpp") in alarms(), "worker-smpp never ran"
    process = Process(Scripted(Hold.MINE), "smpp")
    process.bind.round()
    since = seen().since
    assert seen().stands(utc_now())
    assert alarms() == []
    process.gateway.is_bound = False
    process.bind.round()
    assert (seen().stands(utc_now()), seen().failure) == (False, "connect_failed")
    assert alarms() == [], "a connection may come back by itself"
    session.execute(sql("update heartbeats set done_at = done_at - interval '31 seconds'"))
    assert alarms() == [("smpp_not_bound", "smpp")]
    process.gateway.is_bound = True
    process.bind.round()
    assert seen().since > since
    assert alarms() == []
