"""Long lives of one alert by the rules alone: nothing leads past a second officer, or to a text that nobody saw."""

from __future__ import annotations

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consular.domain.alerts import (
    AlertAction,
    AlertFacts,
    AlertRefusedError,
    AlertState,
    ApprovedContent,
    check_approval,
    content_hash,
    next_state,
)

OFFICERS = st.sampled_from([UUID(int=number) for number in range(3)])
WORDS = st.sampled_from(["Stay.", "Leave."])
COUNTS = st.sampled_from([10, 1000])
RULE = {"countries": ["LY"]}
OTHERS = (AlertAction.WITHDRAW, AlertAction.RETURN, AlertAction.STOP, AlertAction.CANCEL, AlertAction.REJECT)


class Lifecycle(RuleBasedStateMachine):
    """What the services do with the rules, without a database."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.words = AlertState.DRAFTING, "Stay."
        self.author = self.editor = UUID(int=0)
        self.submitted: tuple[bytes, int] | None = None
        self.pages: list[tuple[str, int]] = []
        self.released: list[tuple[UUID, str, int, int]] = []

    @property
    def facts(self) -> AlertFacts:
        digest, count = self.submitted or (None, None)
        return AlertFacts(self.state, self.author, self.editor, digest, count)

    def moved(self, action: AlertAction, officer: UUID) -> bool:
        """Whether the rules let it happen; refused, nothing is changed."""
        try:
            self.state = next_state(self.facts, action, officer)
        except AlertRefusedError:
            return False
        return True

    @rule(officer=OFFICERS, words=WORDS)
    def edit(self, officer: UUID, words: str) -> None:
        if self.moved(AlertAction.EDIT, officer):
            self.words, self.editor, self.submitted = words, officer, None

    @rule(officer=OFFICERS, count=COUNTS)
    def submit(self, officer: UUID, count: int) -> None:
        """And an approver opens the page."""
        if self.moved(AlertAction.SUBMIT, officer):
            self.submitted = content_hash({"text": self.words}, RULE, count), count
            self.pages.append((self.words, count))

    @rule(officer=OFFICERS, words=WORDS, count=COUNTS)
    def rewrite(self, officer: UUID, words: str, count: int) -> None:
        """Taken back, changed and submitted again, while the page of before is still open."""
        self.moved(AlertAction.WITHDRAW, officer)
        self.edit(officer, words)
        self.submit(officer, count)

    @rule(officer=OFFICERS, action=st.sampled_from(OTHERS), is_meant=st.integers(0, 3))
    def move(self, officer: UUID, action: AlertAction, is_meant: int) -> None:
        """What ends an alert for good is meant now and then only, or every life would be short."""
        if action in OTHERS[:3] or is_meant == 0:
            self.moved(action, officer)

    @rule(officer=OFFICERS, counted=st.sampled_from([None, None, 0, 1021]), page=st.sampled_from([0, 0, 1, 2]))
    def approve(self, officer: UUID, counted: int | None, page: int) -> None:
        """counted: whom the rule selects now; None: as many as the page says."""
        words, count = self.pages[-1 - page % len(self.pages)] if self.pages else ("", 0)
        now = count if counted is None else counted
        stored = ApprovedContent({"text": self.words}, RULE, count)
        try:
            after = check_approval(self.facts, officer, stored, content_hash({"text": words}, RULE, count), now)
        except AlertRefusedError:
            return
        assert self.state is AlertState.AWAITING_APPROVAL
        assert officer not in (self.author, self.editor)
        assert words == self.words, "released without having been seen"
        assert now > 0
        assert abs(now - count) * 50 <= count
        self.state = after
        self.released.append((officer, words, count, now))

    @invariant()
    def released_once_at_most_and_then_for_good(self) -> None:
        assert len(self.released) <= 1
        if self.released:
            assert self.state in (AlertState.ISSUED, AlertState.CANCELLED)
            assert self.words == self.released[0][1]
        else:
            assert self.state is not AlertState.ISSUED


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
