"""Officers do anything to alerts, in any order and at once, while workers send: a plain model agrees at every step."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from consular.clock import utc_now
from consular.domain.alerts import AlertAction, AlertState
from consular.domain.cap import AlertStatus
from consular.extensions import db
from consular.models.alerts import AlertEvent
from consular.queries import counters, delivery
from consular.services import alerts, crises
from consular.services.delivery import Pace, drain
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work
from tests.fakes import FakeGateway
from tests.services import alert_model
from tests.services.alert_model import Act, Model, Page
from tests.services.alert_stage import (
    PEOPLE,
    PUBLIC_URL,
    RULE,
    TEXTS,
    Stage,
    draft,
    frozen_digest,
    messages,
    perform,
    rendered,
    revision_of,
    select,
    shape,
    shape_of,
)

EXAMPLES = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
"""A failure is told as it was found: making it smaller takes minutes here."""

PACE = Pace(rate=100_000, lease_seconds=60)
MOST_ALERTS = 2
MOST_NEWCOMERS = 2
WRITABLE = (AlertState.DRAFTING, AlertState.RETURNED)
OF_HELD = (AlertAction.SEND_HELD, AlertAction.END_HELD)
ACTIONS = st.sampled_from([action for action in AlertAction if action not in OF_HELD])
MOVES = st.sampled_from(
    [AlertAction.SUBMIT, AlertAction.WITHDRAW, AlertAction.RETURN, AlertAction.REJECT, AlertAction.CANCEL]
)


class AlertMachine(RuleBasedStateMachine):
    """One crisis. Every act goes through the services; the model says what the officer is told and what comes of it."""

    which = st.integers(0, MOST_ALERTS - 1)
    officers = st.integers(0, 2)
    words = st.integers(0, len(TEXTS) - 1)

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.newcomers: list[UUID] = []
        self.models: dict[UUID, Model] = {}
        self.revisions: dict[UUID, dict[int, int]] = {}
        self.open_pages: dict[UUID, list[Page]] = {}
        self.in_hand: list[tuple[int, UUID]] = []
        self.left_by_then: dict[UUID, list[Any]] = {}
        self.gateway = FakeGateway()
        self.crisis = crises.open_crisis("Libya", AlertStatus.EXERCISE, RULE, stage.officers[0], utc_now())

    def teardown(self) -> None:
        self.stage.tidy(self.newcomers)

    @property
    def people(self) -> int:
        return PEOPLE + len(self.newcomers)

    @initialize(officer=officers, words=words, steps=st.integers(0, 3))
    def begin(self, officer: int, words: int, steps: int) -> None:
        """steps: how far an alert has come already: written, rewritten by another and submitted, again, released."""
        self.write(officer, words)
        for step in range(min(steps, 2)):
            self.rewrite_and_submit(0, (officer + step) % 3, (words + step) % len(TEXTS))
        if steps > 2:
            self.release(0, is_sent=False)

    @precondition(lambda self: len(self.models) < MOST_ALERTS)
    @rule(officer=officers, words=words)
    def write(self, officer: int, words: int) -> None:
        who = self.stage.officers[officer]
        alert_id = alerts.write(self.crisis, draft(words), who, utc_now())
        self.open_pages[alert_id], self.revisions[alert_id] = [], {}
        self.remember(alert_id, alert_model.written(who, words))

    @rule(which=which, editor=officers, words=words)
    def rewrite_and_submit(self, which: int, editor: int, words: int) -> None:
        """Somebody puts other words in and submits; an approver opens the page, and confirms perhaps much later."""
        alert_id = self.one(which, *WRITABLE, AlertState.AWAITING_APPROVAL)
        who = self.stage.officers[editor]
        if self.models[alert_id].state is AlertState.AWAITING_APPROVAL:
            self.act(alert_id, Act(AlertAction.WITHDRAW, who))
        self.act(alert_id, self.edited(alert_id, editor, words, 0))
        self.act(alert_id, Act(AlertAction.SUBMIT, who))
        self.open_pages[alert_id].append(Page(self.models[alert_id].words, self.people))

    @rule(which=which, officer=officers, words=words, behind=st.sampled_from([0, 0, 1, 2]))
    def edit(self, which: int, officer: int, words: int, behind: int) -> None:
        alert_id = self.one(which, *WRITABLE)
        self.act(alert_id, self.edited(alert_id, officer, words, behind))

    @rule(which=which, officer=officers)
    def submit(self, which: int, officer: int) -> None:
        self.act(self.one(which, *WRITABLE), Act(AlertAction.SUBMIT, self.stage.officers[officer]))

    @rule(which=which, officer=officers, behind=st.sampled_from([None, 0, 1]))
    def approve(self, which: int, officer: int, behind: int | None) -> None:
        """With the right page, or an old one, by anybody."""
        alert_id = self.one(which, AlertState.AWAITING_APPROVAL)
        self.act(alert_id, self.approved(alert_id, officer, behind))

    @rule(which=which, is_sent=st.booleans())
    def release(self, which: int, is_sent: bool) -> None:
        """The right page by the right officer, so that examples have something to send and to stop."""
        alert_id = self.one(which, AlertState.AWAITING_APPROVAL)
        model = self.models[alert_id]
        others = [n for n, who in enumerate(self.stage.officers) if who not in (model.author, model.editor)]
        self.act(alert_id, self.approved(alert_id, others[0], None))
        if is_sent:
            self.send()

    @rule(which=which, officer=officers, action=MOVES, note=st.sampled_from(["Why.", "Why.", "  "]))
    def move(self, which: int, officer: int, action: AlertAction, note: str) -> None:
        self.act(self.one(which), Act(action, self.stage.officers[officer], note=note))

    @rule(which=which, officer=officers, is_worker_slow=st.booleans())
    def stop(self, which: int, officer: int, is_worker_slow: bool) -> None:
        """is_worker_slow: one has claimed texts before, and goes on with them afterwards."""
        running = [one for one, model in self.models.items() if model.issued and not model.is_stopped]
        alert_id = running[which % len(running)] if running else self.one(which, AlertState.ISSUED)
        if not self.models[alert_id].issued:
            return
        if is_worker_slow:
            self.claim(3)
        self.act(alert_id, Act(AlertAction.STOP, self.stage.officers[officer]))
        if is_worker_slow:
            self.mark()

    @rule(which=which, pair=st.tuples(ACTIONS, ACTIONS), who=st.tuples(officers, officers))
    def two_at_once(self, which: int, pair: tuple[AlertAction, AlertAction], who: tuple[int, int]) -> None:
        """Two clicks at the same moment: what comes out is one of the two orders, and nothing between them."""
        alert_id = self.one(which)
        if AlertAction.STOP in pair and not self.models[alert_id].issued:
            return
        first, second = (self.click(alert_id, *click) for click in zip(pair, who, strict=True))
        one, two, in_order = self.one_after_the_other(alert_id, first, second)
        late_two, late_one, turned = self.one_after_the_other(alert_id, second, first)
        told = self.stage.both(alert_id, [first, second], revision_of(alert_id))
        with unit_of_work():
            seen = alike(told), shape_of(alert_id)
        possible = [([one, two], in_order), ([late_one, late_two], turned)]
        fitting = [model for answers, model in possible if (alike(answers), shape(model)) == seen]
        assert fitting, f"{first} and {second}: {seen} is neither of {possible}"
        self.remember(alert_id, fitting[0])

    @precondition(lambda self: len(self.newcomers) < MOST_NEWCOMERS)
    @rule()
    def somebody_registers(self) -> None:
        self.newcomers += self.stage.newcomer(len(self.newcomers))

    @rule(rows=st.integers(1, 3))
    def claim(self, rows: int) -> None:
        """A worker takes some texts, and may be slow."""
        with unit_of_work() as session:
            claimed = delivery.claim(session, "exercise", "worker-1", rows, PACE.lease_seconds)
            self.in_hand += [(int(str(row.id)), UUID(str(row.attempt_id))) for row in claimed]

    @rule()
    def mark(self) -> None:
        """A worker goes on with what it claimed a while ago."""
        with unit_of_work() as session:
            delivery.mark_sending(session, self.in_hand, PACE.lease_seconds)
        self.in_hand = []

    @rule()
    def send(self) -> None:
        """Another worker sends all that is queued."""
        drain(self.gateway, TextBook(PUBLIC_URL), PACE, "worker-2", 10, lambda: False)
        sent = [request.attempt_id.int >> 64 for request in self.gateway.taken]
        assert len(sent) == len(set(sent)), "a text was sent twice"

    @invariant()
    def alerts_decisions_and_events_are_as_the_model_says(self) -> None:
        with unit_of_work():
            for alert_id, model in self.models.items():
                assert shape_of(alert_id) == shape(model)

    @invariant()
    def each_act_has_one_audit_entry(self) -> None:
        with unit_of_work():
            for alert_id, model in self.models.items():
                entries = select(
                    "select action, officer_id from audit_entries where subject_id = :id order by id", id=str(alert_id)
                )
                assert [tuple(row) for row in entries] == [(f"alert_{action}", who) for action, who, _ in model.acts]

    @invariant()
    def what_was_approved_is_what_is_frozen_and_sent(self) -> None:
        bodies = {request.attempt_id.int >> 64: request.body for request in self.gateway.taken}
        with unit_of_work():
            book = TextBook(PUBLIC_URL)
            for alert_id, model in self.models.items():
                rows = messages(alert_id)
                assert len(rows) == (model.issued.people if model.issued else 0), "not exactly one fan-out"
                for row in rows:
                    assert model.issued is not None
                    approved = rendered(model.issued, row.id)
                    assert book.alert(row.event_id, "en", row.id) == approved == bodies.get(row.id, approved)
                for event in db.session.query(AlertEvent).filter_by(alert_id=alert_id):
                    assert event.content_hash == frozen_digest(event)
                    assert event.approved_by not in (event.author_id, event.last_editor_id)

    @invariant()
    def nothing_leaves_after_a_stop(self) -> None:
        with unit_of_work():
            for alert_id, left in self.left_by_then.items():
                assert marked(alert_id) == left
                assert not {row.state for row in messages(alert_id)} & {"queued", "claimed"}

    @invariant()
    def counters_agree(self) -> None:
        with unit_of_work():
            scopes = {self.crisis: counters.recount_crisis(self.crisis)}
            for row in select("select id from alert_events where crisis_id = :id", id=self.crisis):
                scopes[row.id] = counters.recount_event(row.id)
            for scope, recounted in scopes.items():
                assert {key: value for key, value in counters.read(scope).items() if value} == recounted

    def one(self, which: int, *states: AlertState) -> UUID:
        """An alert in one of these states, if there is one: examples should not be full of refusals."""
        fitting = [alert_id for alert_id, model in self.models.items() if model.state in states] or list(self.models)
        return fitting[which % len(fitting)]

    def click(self, alert_id: UUID, action: AlertAction, officer: int) -> Act:
        """What an officer with a fresh page does."""
        if action is AlertAction.EDIT:
            return self.edited(alert_id, officer, officer, 0)
        if action is AlertAction.APPROVE:
            return self.approved(alert_id, officer, None)
        return Act(action, self.stage.officers[officer])

    def edited(self, alert_id: UUID, officer: int, words: int, behind: int) -> Act:
        """behind: how many changes ago the form was opened."""
        version = sorted(self.revisions[alert_id])[-1 - behind :][0]
        return Act(AlertAction.EDIT, self.stage.officers[officer], words=words, version=version)

    def approved(self, alert_id: UUID, officer: int, behind: int | None) -> Act:
        """behind: which of the pages left open, the last is 0; None: one that is opened now."""
        left_open, page = self.open_pages[alert_id], Page(self.models[alert_id].words, self.people)
        if behind is not None and behind < len(left_open):
            page = left_open[-1 - behind]
        return Act(AlertAction.APPROVE, self.stage.officers[officer], page=page)

    def act(self, alert_id: UUID, act: Act) -> None:
        """Do it; what the officer is told is what the model says."""
        with unit_of_work():
            unsent = sum(row.state in ("queued", "claimed", "held") for row in messages(alert_id))
        expected, answer = alert_model.after(self.models[alert_id], act, self.people)
        told, number = perform(alert_id, act, self.revisions[alert_id][act.version])
        assert told == answer, f"{told} instead of {answer} for {act}"
        if told == alert_model.DONE and act.action in (AlertAction.STOP, AlertAction.CANCEL):
            assert number == unsent, "the officer is told another number than was stopped"
        self.remember(alert_id, expected)

    def remember(self, alert_id: UUID, model: Model) -> None:
        self.models[alert_id] = model
        self.revisions[alert_id][model.version] = revision_of(alert_id)
        if model.is_stopped and alert_id not in self.left_by_then:
            with unit_of_work():
                self.left_by_then[alert_id] = marked(alert_id)

    def one_after_the_other(self, alert_id: UUID, first: Act, second: Act) -> tuple[str, str, Model]:
        """What the model says of both in this order."""
        model, one = alert_model.after(self.models[alert_id], first, self.people)
        model, two = alert_model.after(model, second, self.people)
        return one, two, model


def alike(answers: list[str]) -> list[str]:
    """Answers without the difference that nobody can see from outside: whether a stop was the first of two at once."""
    return [alert_model.DONE if answer == alert_model.NOTHING else answer for answer in answers]


def marked(alert_id: UUID) -> list[Any]:
    """Which texts of an alert have left, and when each was marked."""
    return [(row.id, row.sending_at) for row in messages(alert_id) if row.sending_at is not None]


@pytest.mark.timeout(300)
def test_officers_and_workers_in_any_order(committing: Flask) -> None:
    stage = Stage(committing)
    run_machine(lambda: AlertMachine(stage), settings=EXAMPLES)
