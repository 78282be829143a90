"""Replies, receipts, links and officers in any order and number: a plain telling agrees, and order never matters."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from consular.domain.triage import Assessment, Stated
from consular.queries import counters
from consular.services.transactions import unit_of_work
from tests.services.person_twins import Event, Telling, Twins, go_back, hold_still

WORDS = st.sampled_from(["1", "1", "2", "3", "STOP", "START", "wrong number", "what?", "safe 1", "need water, 2 hurt"])
NOTES = st.sampled_from([None, None, "call my brother", "help, we are hurt"])
BUTTONS = st.sampled_from([Stated.SAFE, Stated.NEEDS_HELP, Stated.NOT_THERE])
STATUSES = st.sampled_from(["queued", "sent", "delivered", "undelivered", "failed", "read", "no-such-word"])
READINGS = st.sampled_from([Stated.SAFE, Stated.NEEDS_HELP, Stated.NOT_THERE, None])
MINUTES = st.integers(0, 6)
EXAMPLES = settings(
    max_examples=30,
    stateful_step_count=15,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


class PersonMachine(RuleBasedStateMachine):
    """What happens to the first twin is worked on at once; what happens to the second waits, and comes as `late` says.

    Only "wrong person" never waits: it counts for what is read after it, and takes nothing back.
    """

    which = st.integers(0, 30)

    def __init__(self, twins: Twins) -> None:
        super().__init__()
        self.mark = hold_still()
        self.twins = twins
        self.events: list[Event] = []
        self.waiting: list[Event] = []
        self.telling = Telling()

    def teardown(self) -> None:
        """Whatever still waits comes last first."""
        try:
            for event in reversed(self.waiting):
                self.twins.arrive(1, [event])
            self.waiting = []
            self.in_the_end_both_stand_alike()
        finally:
            go_back(self.mark)

    @rule(minute=MINUTES, words=WORDS)
    def a_text_comes(self, minute: int, words: str) -> None:
        self.happens(Event(len(self.events), minute, words))

    @rule(stop=MINUTES, start=MINUTES)
    def somebody_stops_and_starts(self, stop: int, start: int) -> None:
        self.happens(Event(len(self.events), stop, "STOP"))
        self.happens(Event(len(self.events), start, "START"))

    @rule(minute=MINUTES, button=BUTTONS, count=st.sampled_from([None, 1, 2]), note=NOTES)
    def a_link_is_used(self, minute: int, button: Stated, count: int | None, note: str | None) -> None:
        self.happens(Event(len(self.events), minute, note, button, count))

    @rule(status=STATUSES)
    def a_receipt_comes(self, status: str) -> None:
        self.happens(Event(len(self.events), status=status))

    @precondition(lambda self: self.events)
    @rule(which=which)
    def the_same_comes_again(self, which: int) -> None:
        self.twins.arrive(0, [self.events[which % len(self.events)]])

    @precondition(lambda self: self.waiting)
    @rule(late=st.randoms(use_true_random=False), again=st.integers(0, 2), together=st.booleans())
    def the_second_hears_of_some(self, late: object, again: int, together: bool) -> None:
        """In any order, some of it more than once, worked on one by one or together."""
        shuffled = [*self.waiting, *self.waiting[:again]]
        late.shuffle(shuffled)  # type: ignore[attr-defined]
        heard = shuffled[: 1 + len(shuffled) // 2]
        for batch in [heard] if together else [[one] for one in heard]:
            self.twins.arrive(1, batch)
        self.waiting = [event for event in self.waiting if event not in heard]

    @rule(which=which)
    def an_officer_closes(self, which: int) -> None:
        """What was done for whoever called for help, or that nothing is to be done."""
        event = self.open_one(which)
        if event is not None:
            for side in self.both(event):
                self.twins.close(side, event)
            if event.number in self.telling.words:
                self.telling.words[event.number].is_open_call = False

    @rule(which=which, readings=st.lists(READINGS, min_size=1, max_size=2))
    def an_officer_reads(self, which: int, readings: list[Stated | None]) -> None:
        """And perhaps changes their mind."""
        doubtful = (Stated.NEEDS_HELP, Stated.UNCLEAR)
        told = [one for one in self.events if one.stated in doubtful and one.number in self.telling.words]
        if told:
            event = told[which % len(told)]
            word = self.telling.words[event.number]
            for stated in readings:
                for side in self.both(event):
                    self.twins.read(side, event, stated)
                word.stated, word.is_open_call = stated, stated is Stated.NEEDS_HELP

    @rule(assessment=st.sampled_from([Assessment.SAFE, Assessment.MISSING, None]))
    def an_officer_assesses(self, assessment: Assessment | None) -> None:
        for side in (0, 1):
            self.twins.assess(side, assessment)

    @invariant()
    def the_first_stands_where_the_telling_says(self) -> None:
        row = self.twins.row(0)
        assert (row.stated, row.bucket) == (self.telling.stated(), self.telling.bucket())
        calls = [word.at for word in self.telling.words.values() if word.is_open_call]
        assert not calls or row.stated_at == min(calls), "the timer runs from the oldest open call"

    @invariant()
    def every_open_call_is_in_the_queue(self) -> None:
        for number, word in self.telling.words.items():
            if word.is_open_call:
                assert self.twins.open_kinds(0, [self.events[number]]) == [("needs_help", True)]

    @invariant()
    def counters_agree(self) -> None:
        crisis, event = self.twins.crisis, self.twins.event
        with unit_of_work():
            for scope, recounted in (
                (crisis, counters.recount_crisis(crisis)),
                (event, counters.recount_event(event)),
                (counters.NO_CRISIS, counters.recount_crisis(counters.NO_CRISIS)),
            ):
                kept = {key: value for key, value in counters.read(scope).items() if value}
                assert kept == {key: value for key, value in recounted.items() if key in kept or value}

    @invariant()
    def in_the_end_both_stand_alike(self) -> None:
        if not self.waiting:
            assert self.twins.looks(0) == self.twins.looks(1)
            assert self.twins.open_kinds(0, self.events) == self.twins.open_kinds(1, self.events)

    def happens(self, event: Event) -> None:
        self.events.append(event)
        if event.says_wrong_person:
            self.twins.arrive(1, self.waiting)
            self.twins.arrive(1, [event])
            self.waiting = []
        else:
            self.waiting.append(event)
        self.twins.arrive(0, [event])
        self.telling.hear(event)

    def open_one(self, which: int) -> Event | None:
        """An event with an open request."""
        said = [event for event in self.events if event.status is None]
        kinds = self.twins.open_kinds(0, said)
        found = [event for event, kind in zip(said, kinds, strict=True) if kind and kind[1]]
        return found[which % len(found)] if found else None

    def both(self, event: Event) -> tuple[int, int]:
        """Both twins, after the second's text came too: officers act on what is there."""
        if event in self.waiting:
            self.waiting.remove(event)
            self.twins.arrive(1, [event])
        return 0, 1


@pytest.mark.timeout(300)
def test_whatever_comes_in_whatever_order(session) -> None:
    twins = Twins(session)
    run_machine(lambda: PersonMachine(twins), settings=EXAMPLES)
