"""Doing acts on alerts through the services, and reading from the database what came of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.alerts import AlertAction, AlertState, content_hash
from consular.domain.audience import AudienceRule, rule_to_dict
from consular.domain.references import reference_of
from consular.domain.rendering import render_sms
from consular.errors import ConsularError
from consular.extensions import cipher, db
from consular.models.alerts import AlertEvent
from consular.models.officers import Role
from consular.queries.alerts import Words
from consular.security.links import links
from consular.services import alerts
from consular.services.alerts import AlertDraft
from consular.services.transactions import unit_of_work
from tests.alert_world import BOTH, DRAFT
from tests.factories import make_officer, make_people
from tests.services import alert_model
from tests.services.alert_model import Act, Model, Page

PUBLIC_URL = "https://consular.test"
TEXTS = ("Stay inside.", "Leave by the north road.", "The road is closed.")
RULE = AudienceRule(("LY",))
PEOPLE = 2


class Stage:
    """Three officers and PEOPLE in a database of real commits, shared by all examples of a machine."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with unit_of_work() as session:
            self.officers = [make_officer(session, Role.APPROVER) for _ in range(3)]
            make_people(session, [f"+2189100000{number:02d}" for number in range(PEOPLE)])

    def newcomer(self, number: int) -> list[UUID]:
        """One person more."""
        with unit_of_work() as session:
            return make_people(session, [f"+2189111111{number:02d}"])

    def tidy(self, newcomers: Sequence[UUID]) -> None:
        """As before the example: nobody new, nothing queued for the next one's workers."""
        with unit_of_work() as session:
            session.execute(text("update messages set state = 'cancelled' where state in ('queued', 'claimed')"))
            for table in ("contact_points", "registrations", "stays"):
                session.execute(text(f"delete from {table} where person_id = any(:ids)"), {"ids": list(newcomers)})
            session.execute(text("delete from people where id = any(:ids)"), {"ids": list(newcomers)})

    def both(self, alert_id: UUID, acts: Sequence[Act], revision: int) -> list[str]:
        """What each of several officers is told who click at the same moment. revision: of all their forms."""
        told, barrier = [""] * len(acts), threading.Barrier(len(acts))

        def click(place: int) -> None:
            with self.app.app_context():
                barrier.wait()
                told[place] = perform(alert_id, acts[place], revision)[0]

        threads = [threading.Thread(target=click, args=(place,)) for place in range(len(acts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told


def draft(words: int) -> AlertDraft:
    """What an officer typed."""
    return replace(DRAFT, audience=RULE, words={"en": Words("Headline", TEXTS[words])})


def perform(alert_id: UUID, act: Act, revision: int) -> tuple[str, int | None]:
    """What the officer is told, and the number of texts that a stop says it stopped. revision: of the form saved."""
    try:
        number = _perform(alert_id, act, revision)
    except ConsularError as error:
        return error.code, None
    is_second_stop = act.action is AlertAction.STOP and number is None
    return (alert_model.NOTHING if is_second_stop else alert_model.DONE), number


def _perform(alert_id: UUID, act: Act, revision: int) -> int | None:
    now, who = utc_now(), act.officer
    match act.action:
        case AlertAction.EDIT:
            alerts.edit(alert_id, draft(act.words), revision, who, now)
        case AlertAction.SUBMIT:
            alerts.submit(alert_id, who, now, gateways=BOTH)
        case AlertAction.WITHDRAW:
            alerts.withdraw(alert_id, who, now)
        case AlertAction.RETURN:
            alerts.return_to_author(alert_id, who, act.note, now)
        case AlertAction.REJECT:
            alerts.reject(alert_id, who, act.note, now)
        case AlertAction.APPROVE:
            alerts.approve(alert_id, who, digest(act.page), act.page.people, now, gateways=BOTH)
        case AlertAction.CANCEL:
            return alerts.cancel(alert_id, who, now)
        case AlertAction.STOP:
            with unit_of_work():
                event = db.session.query(AlertEvent).filter_by(alert_id=alert_id).one()
                event_id, was_stopped = event.id, event.stopped_at is not None
            stopped = alerts.stop(event_id, who, now)
            return None if was_stopped else stopped
    return None


def digest(page: Page | None) -> bytes | None:
    """The hash that an approver's page carries."""
    return content_hash(_content(TEXTS[page.words], draft(0)), rule_to_dict(RULE), page.people) if page else None


def frozen_digest(event: AlertEvent) -> bytes:
    """The hash made afresh from what is frozen."""
    texts = json.loads(cipher.open(event.content_sealed, "alert_events.content", event.id))["texts"]
    kept = replace(
        draft(0),
        message_class=event.message_class,
        asks_for_reply=event.asks_for_reply,
        validity_minutes=event.validity_seconds // 60,
    )
    assert event.accepts_no_answer_from == []
    return content_hash(_content(texts["en"]["text"], kept), event.audience, event.people)


def _content(words: str, given: AlertDraft) -> dict[str, Any]:
    names = ("category", "urgency", "severity", "certainty", "response_type", "message_class")
    return {
        "status": "Exercise",
        **{name: getattr(given, name).value for name in names},
        "event": given.event,
        "asks_for_reply": given.asks_for_reply,
        "validity_minutes": given.validity_minutes,
        "texts": {"en": {"headline": "Headline", "text": words}},
    }


def rendered(page: Page, number: int) -> str:
    """The text of one message of what was approved."""
    link, reference = f"{PUBLIC_URL}/s/{links.token(number)}", reference_of(number)
    return render_sms(
        TEXTS[page.words], language="en", is_exercise=True, link=link, reference=reference, asks_for_reply=True
    )


Shape = tuple[object, ...]


def shape(model: Model) -> Shape:
    """What the database must show of an alert."""
    acts = tuple((action.value, who, digest(page)) for action, who, page in model.acts)
    is_submitted = model.submitted.people if model.submitted else None
    issue = (digest(model.issued), model.approver, model.is_stopped) if model.issued else None
    return model.state, model.author, model.editor, TEXTS[model.words], is_submitted, issue, acts


def shape_of(alert_id: UUID) -> Shape:
    """What the database shows of an alert, in the same form."""
    [alert] = select(_ALERT, id=alert_id)
    issue = (alert.content_hash, alert.approved_by, alert.is_stopped) if alert.content_hash else None
    acts = select(
        "select action, officer_id, content_hash from alert_decisions where alert_id = :id order by number", id=alert_id
    )
    return (
        AlertState(alert.state),
        alert.author_id,
        alert.last_editor_id,
        cipher.open(alert.text_sealed, "alert_infos.text", alert.info_id),
        alert.submitted_count,
        issue,
        tuple(map(tuple, acts)),
    )


_ALERT = """
select a.state, a.author_id, a.last_editor_id, a.submitted_count, i.id as info_id, i.text_sealed,
    e.content_hash, e.approved_by, e.stopped_at is not null as is_stopped
from alerts a join alert_infos i on i.alert_id = a.id left join alert_events e on e.alert_id = a.id where a.id = :id
"""


def revision_of(alert_id: UUID) -> int:
    """What a form that is opened now carries."""
    with unit_of_work():
        return int(select("select revision from alerts where id = :id", id=alert_id)[0].revision)


def messages(alert_id: UUID) -> list[Any]:
    """The texts of an alert: (id, event_id, state, sending_at)."""
    return select(
        "select m.id, m.event_id, m.state, m.sending_at from messages m join alert_events e on e.id = m.event_id "
        "where e.alert_id = :id order by m.id",
        id=alert_id,
    )


def select(statement: str, **values: Any) -> list[Any]:
    """Rows of a constant query."""
    return list(db.session.execute(text(statement), values).all())
