"""When a drain's time is over: a request that hangs keeps no others back, but not for ever."""

from __future__ import annotations

from collections.abc import Callable

from consular.services.delivery import Drain, Pace
from consular.services.ports import Ports
from consular.services.preparing import address_of
from consular.services.sql_store import SqlStore
from consular.services.texts import TextBook
from tests.factories import alert_everybody, states
from tests.fakes import FakeGateway
from tests.services.test_delivery import never
from tests.services.test_recording import ShiftedClock

SECONDS = 25.0
PEOPLE = 40
MOST_POLLS = 10_000


class FirstHangs(FakeGateway):
    """The first request hangs until `answers_first`, or the test takes too long."""

    answers_first = False
    polls = 0

    def poll(self, timeout_seconds):
        self.before_poll()
        self.polls += 1
        self.answers_first |= self.polls > MOST_POLLS
        ready = [one for one in self._flying if self.answers_first or one is not self.submitted[0]]
        for one in ready:
            self._flying.remove(one)
        return [self._result(one) for one in ready]


def drain(session, gateway: FakeGateway, look: Callable[[ShiftedClock], None]) -> int:
    """Work on PEOPLE texts for SECONDS; `look` may move the clock before each poll."""
    alert_everybody(session, PEOPLE)
    clock, book = ShiftedClock(), TextBook("https://consular.test")
    gateway.before_poll = lambda: look(clock)
    ports = Ports(SqlStore(book), book, address_of, clock)
    return Drain(gateway, ports, Pace(rate=100_000, lease_seconds=600), "worker-1", never).run(SECONDS)


def test_a_request_that_hangs_keeps_no_others_back_when_the_time_is_over(session):
    gateway = FirstHangs()

    def look(clock):
        if gateway.taken:
            clock.gone = SECONDS + 5
        gateway.answers_first |= len(gateway.submitted) == PEOPLE

    assert drain(session, gateway, look) == PEOPLE
    assert states(session) == {"accepted": PEOPLE}


def test_requests_that_hang_again_and_again_do_not_keep_it_for_ever(session):
    gateway = FirstHangs()

    def look(clock):
        if gateway.taken:
            clock.gone = SECONDS + 65
        gateway.answers_first = clock.gone > 0

    sent = drain(session, gateway, look)
    assert sent == len(gateway.submitted) < PEOPLE
    assert states(session) == {"accepted": sent, "queued": PEOPLE - sent}


def test_without_one_that_hangs_it_ends_in_time(session):
    gateway = FakeGateway(concurrency=10)

    def look(clock):
        if gateway.taken:
            clock.gone = SECONDS

    sent = drain(session, gateway, look)
    assert 0 < sent == len(gateway.submitted) < PEOPLE
    assert states(session) == {"accepted": sent, "queued": PEOPLE - sent}
