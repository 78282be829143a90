"""An alert goes out as it was seen, once, by two people; one person stops it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from consular.domain.alerts import AlertAction, AlertState
from consular.domain.audience import AudienceRule
from consular.domain.cap import AlertStatus
from consular.errors import ConflictError, ConsularError, InvalidInputError, NotAllowedError, NotFoundError
from consular.extensions import db
from consular.models.alerts import AlertEvent, AlertInfo
from consular.models.audit import AuditEntry
from consular.models.messages import Message
from consular.queries import alerts as queries
from consular.queries.alerts import Words
from consular.services import alerts, crises
from consular.services.alert_refusals import AlreadyIssuedError, EditedMeanwhileError
from tests.alert_world import BOTH, DRAFT, NOW, AlertWorld, people, seen_hash, view


@pytest.fixture
def world(session) -> AlertWorld:
    return AlertWorld(session)


def test_release_freezes_the_words_and_makes_every_row(world, session) -> None:
    alert_id = world.submitted()
    event_id = world.approve(alert_id)
    event = queries.find_event(session, alert_id)
    assert event is not None
    assert (event.id, event.people, event.default_language) == (event_id, 4, "en")
    assert event.words == DRAFT.words
    assert event.expires_at - event.approved_at == timedelta(minutes=60)
    assert queries.count_messages(session, event_id) == {"queued": 4}
    assert view(alert_id).state is AlertState.ISSUED
    actions = [decision.action for decision in queries.list_decisions(session, alert_id)]
    assert actions == [AlertAction.EDIT, AlertAction.SUBMIT, AlertAction.APPROVE]


def test_texts_are_sealed_in_the_database(world, session) -> None:
    world.issued()
    columns = (AlertInfo.text_sealed, AlertInfo.headline_sealed, AlertEvent.content_sealed)
    rows = [row for column in columns for row in session.scalars(select(column))]
    assert rows
    assert not any(b"Stay inside" in row for row in rows)


@pytest.mark.parametrize("who", ["author", "last_editor"])
def test_nobody_releases_what_they_wrote_or_last_edited(world, who) -> None:
    alert_id = world.drafted()
    if who == "last_editor":
        alerts.edit(alert_id, replace(DRAFT, event="Heavy fighting"), 1, world.approver, NOW)
    alerts.submit(alert_id, world.author, NOW, gateways=BOTH)
    with pytest.raises(NotAllowedError, match="another approver"):
        world.approve(alert_id, by=world.author if who == "author" else world.approver)
    assert view(alert_id).state is AlertState.AWAITING_APPROVAL
    world.approve(alert_id, by=world.second_approver)


def test_an_edit_between_reading_and_release_is_noticed(world) -> None:
    alert_id = world.submitted()
    stale = seen_hash(alert_id)
    alerts.withdraw(alert_id, world.author, NOW)
    changed = replace(DRAFT, words={"en": Words("Stay inside", "Fighting in Tripoli. Leave now.")})
    alerts.edit(alert_id, changed, view(alert_id).revision, world.author, NOW)
    alerts.submit(alert_id, world.author, NOW, gateways=BOTH)
    with pytest.raises(ConflictError, match="Read it again"):
        world.approve(alert_id, seen_hash=stale)


@pytest.mark.parametrize(
    "change",
    [
        {"words": {"en": Words("Stay inside", "Other words")}},
        {"words": {"en": Words("Other headline", "Fighting in Tripoli. Stay inside.")}},
        {"audience": AudienceRule(("LY", "TN"))},
        {"validity_minutes": 61},
        {"asks_for_reply": False},
        {"event": "Something else"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_hash_covers_everything(world, change) -> None:
    assert seen_hash(world.drafted()) != seen_hash(world.drafted(**change))


def test_a_changed_number_of_people_must_be_looked_at_again(world, session) -> None:
    alert_id = world.submitted()
    people(session, ["en"])
    with pytest.raises(ConflictError, match="number of people"):
        world.approve(alert_id)
    world.approve(alert_id, count=5)
    event = queries.find_event(session, alert_id)
    assert event is not None
    assert event.people == 5


def test_a_second_release_says_who_was_first(world, session) -> None:
    alert_id = world.submitted()
    seen = seen_hash(alert_id)
    world.approve(alert_id)
    with pytest.raises(AlreadyIssuedError, match=r"Already issued by Approver One at 12:00:00 UTC"):
        world.approve(alert_id, by=world.second_approver, seen_hash=seen)
    assert session.scalar(select(func.count()).select_from(Message)) == 4


def test_an_actual_release_needs_the_typed_number(session) -> None:
    world = AlertWorld(session, AlertStatus.ACTUAL)
    alert_id = world.submitted()
    for typed in (None, 0, 5):
        with pytest.raises(InvalidInputError) as error:
            world.approve(alert_id, typed_count=typed)
        assert "typed_count" in error.value.fields
    world.approve(alert_id, typed_count=4)
    assert session.scalars(select(Message.gateway).distinct()).all() == ["twilio"]


@pytest.mark.parametrize(
    ("status", "there", "variable"),
    [(AlertStatus.ACTUAL, "exercise", "TWILIO_"), (AlertStatus.EXERCISE, "twilio", "EXERCISE_GATEWAY_")],
)
def test_without_its_gateway_nothing_is_submitted_or_released(session, status, there, variable) -> None:
    world = AlertWorld(session, status)
    alert_id = world.drafted()
    with pytest.raises(ConflictError, match=variable):
        alerts.submit(alert_id, world.author, NOW, gateways={there})
    alerts.submit(alert_id, world.author, NOW, gateways=BOTH)
    with pytest.raises(ConflictError, match=variable):
        world.approve(alert_id, gateways={there}, typed_count=4)


def test_an_exercise_only_ever_uses_the_practice_gateway(world, session) -> None:
    world.issued()
    assert session.scalars(select(Message.gateway).distinct()).all() == ["exercise"]


def test_nobody_to_reach_cannot_be_submitted(world) -> None:
    alert_id = world.drafted(audience=AudienceRule(("FJ",)))
    with pytest.raises(ConflictError, match="Nobody on record"):
        alerts.submit(alert_id, world.author, NOW, gateways=BOTH)


def test_the_second_editor_is_told_and_nothing_is_overwritten(world) -> None:
    alert_id = world.drafted()
    opened = view(alert_id).revision
    alerts.edit(alert_id, replace(DRAFT, event="First"), opened, world.approver, NOW)
    with pytest.raises(EditedMeanwhileError, match=r"Approver One saved this alert at 12:00 UTC"):
        alerts.edit(alert_id, replace(DRAFT, event="Second"), opened, world.author, NOW)
    assert view(alert_id).event == "First"


def test_a_change_of_words_alone_raises_the_revision(world) -> None:
    alert_id = world.drafted()
    words = {"fr": Words("Restez", "Restez chez vous.")}
    alerts.edit(alert_id, replace(DRAFT, words=words), 1, world.author, NOW)
    assert view(alert_id).revision == 2
    assert view(alert_id).words == words


def test_a_submitted_alert_cannot_be_edited(world) -> None:
    alert_id = world.submitted()
    with pytest.raises(ConflictError, match="awaiting approval"):
        alerts.edit(alert_id, DRAFT, view(alert_id).revision, world.author, NOW)


@pytest.mark.parametrize("decide", [alerts.return_to_author, alerts.reject], ids=["return", "reject"])
def test_returning_and_rejecting_need_a_reason_and_another_person(world, decide) -> None:
    alert_id = world.submitted()
    with pytest.raises(InvalidInputError) as error:
        decide(alert_id, world.approver, "  ", NOW)
    assert "note" in error.value.fields
    with pytest.raises(NotAllowedError):
        decide(alert_id, world.author, "My own", NOW)
    decide(alert_id, world.approver, "Name the place.", NOW)
    last = queries.list_decisions(db.session, alert_id)[-1]
    assert (last.officer, last.note) == ("Approver One", "Name the place.")


def test_a_returned_alert_can_be_edited_and_a_rejected_one_not(world) -> None:
    returned, rejected = world.submitted(), world.submitted()
    alerts.return_to_author(returned, world.approver, "Shorter.", NOW)
    alerts.reject(rejected, world.approver, "No.", NOW)
    alerts.edit(returned, DRAFT, view(returned).revision, world.author, NOW)
    with pytest.raises(ConflictError):
        alerts.edit(rejected, DRAFT, view(rejected).revision, world.author, NOW)


def test_one_person_stops_and_a_second_stop_changes_nothing(world, session) -> None:
    alert_id = world.issued()
    event = queries.find_event(session, alert_id)
    assert event is not None
    assert alerts.stop(event.id, world.author, NOW) == 4
    assert alerts.stop(event.id, world.approver, NOW + timedelta(minutes=1)) == 0
    stopped = queries.find_event(session, alert_id)
    assert stopped is not None
    assert (stopped.stopped_by, stopped.stopped_at) == ("Author One", NOW)
    assert queries.count_messages(session, event.id) == {"cancelled": 4}


def test_cancelling_an_issued_alert_stops_what_is_unsent(world, session) -> None:
    alert_id = world.issued()
    assert alerts.cancel(alert_id, world.author, NOW) == 4
    assert view(alert_id).state is AlertState.CANCELLED
    with pytest.raises(ConflictError):
        alerts.cancel(alert_id, world.author, NOW)


def test_every_decision_is_in_the_audit_with_its_officer(world, session) -> None:
    alert_id = world.issued()
    rows = session.execute(
        select(AuditEntry.action, AuditEntry.officer_id)
        .where(AuditEntry.subject_type == "alert", AuditEntry.subject_id == str(alert_id))
        .order_by(AuditEntry.id)
    ).all()
    assert [tuple(row) for row in rows] == [
        ("alert_edit", world.author),
        ("alert_submit", world.author),
        ("alert_approve", world.approver),
    ]


def test_a_closed_crisis_takes_and_releases_no_alert(world) -> None:
    drafted, submitted = world.drafted(), world.submitted()
    crises.close_crisis(world.crisis, world.approver, NOW)
    with pytest.raises(ConflictError, match="closed"):
        world.drafted()
    with pytest.raises(ConflictError, match="closed"):
        alerts.submit(drafted, world.author, NOW, gateways=BOTH)
    with pytest.raises(ConflictError, match="closed"):
        world.approve(submitted)


def test_what_is_not_there_is_not_found(world) -> None:
    with pytest.raises(NotFoundError):
        alerts.withdraw(world.author, world.author, NOW)
    with pytest.raises(NotFoundError):
        alerts.stop(world.author, world.author, NOW)


def test_two_approvers_at_once_issue_once(committing) -> None:
    world = AlertWorld(db.session)
    alert_id = world.submitted()
    seen, outcomes, barrier = seen_hash(alert_id), [], threading.Barrier(4)

    def release(officer_id) -> None:
        with committing.app_context():
            barrier.wait()
            try:
                world.approve(alert_id, by=officer_id, seen_hash=seen)
                outcomes.append("issued")
            except ConsularError as error:
                outcomes.append(error.code)

    clicks = [world.approver, world.approver, world.second_approver, world.second_approver]
    threads = [threading.Thread(target=release, args=(officer_id,)) for officer_id in clicks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["already_issued"] * 3 + ["issued"]
    assert db.session.scalar(select(func.count()).select_from(AlertEvent)) == 1
    assert db.session.scalar(select(func.count()).select_from(Message)) == 4


def test_two_editors_at_once_lose_nothing(committing) -> None:
    world = AlertWorld(db.session)
    alert_id, outcomes, barrier = world.drafted(), [], threading.Barrier(2)

    def save(officer_id, event) -> None:
        with committing.app_context():
            barrier.wait()
            try:
                alerts.edit(alert_id, replace(DRAFT, event=event), 1, officer_id, NOW)
                outcomes.append(event)
            except EditedMeanwhileError:
                outcomes.append("told")

    threads = [
        threading.Thread(target=save, args=(who, f"By {name}"))
        for who, name in ((world.author, "author"), (world.approver, "approver"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "told" in outcomes
    assert view(alert_id).event in outcomes
