"""A small crisis in which every promise is kept: approved, sent, reported, answered. Tests break it."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session

from consular.clock import utc_now
from consular.domain.alerts import AlertAction
from consular.domain.triage import Assessment, StatementSource
from consular.extensions import db
from consular.models.alerts import AlertDecision, AlertEvent
from consular.providers.twilio.codes import failure_reason, map_status
from consular.services import audit, delivery, inbound, receipts
from consular.services.statuses import NewStatement, record_statements
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work
from tests.factories import alert_everybody, make_officer, phone
from tests.fakes import FakeGateway

ANSWERS = ("1", "2 we are hurt", "3", "what?", "STOP")
PEOPLE = 8


def decide(session: Session | scoped_session[Session], event_id: UUID, action: AlertAction) -> None:
    """What services.alerts leaves behind for an act on the event's alert: the decision and its audit entry."""
    event, now = session.get_one(AlertEvent, event_id), utc_now()
    officer_id = event.stopped_by if action is AlertAction.STOP else event.approved_by
    assert officer_id is not None
    session.add(
        AlertDecision(id=uuid4(), alert_id=event.alert_id, action=action, officer_id=officer_id, decided_at=now)
    )
    audit.record(session, now, f"alert_{action.value}", "alert", event.alert_id, officer_id=officer_id)
    session.commit()


class VerifiedWorld:
    """PEOPLE phones texted, all but one reported delivered, the first ones answered, one person assessed."""

    def __init__(self, session: Session | scoped_session[Session]) -> None:
        self.event_id = alert_everybody(session, PEOPLE)
        decide(session, self.event_id, AlertAction.APPROVE)
        self.gateway = FakeGateway()
        self.send()
        for number, request in enumerate(self.gateway.taken[1:]):
            status = "delivered" if number % 2 else "sent"
            sid = self.gateway.list[number + 1].provider_message_id
            receipts.store("exercise", sid, request.attempt_id, status, None, [("MessageStatus", status)], utc_now())
        receipts.process(map_status, failure_reason)
        self.sids = [f"SM{number:032x}" for number in range(len(ANSWERS))]
        for number, words in enumerate(ANSWERS):
            pairs = [("From", phone(number + 1)), ("Body", words)]
            inbound.store("exercise", self.sids[number], phone(number + 1), words, pairs, utc_now())
        inbound.process()
        self.send()
        self._assess(session)

    def send(self) -> None:
        """Drain the queue into the gateway."""
        pace = delivery.Pace(rate=100_000, lease_seconds=60)
        delivery.drain(self.gateway, TextBook("https://consular.test"), pace, "worker-1", 10, lambda: False)

    def log(self) -> list[dict[str, str]]:
        """What the gateway itself accepted, as the practice gateway tells it."""
        return [
            {"sid": message.provider_message_id, "attempt": str(request.attempt_id)}
            for message, request in zip(self.gateway.list, self.gateway.taken, strict=True)
        ]

    def _assess(self, session: Session | scoped_session[Session]) -> None:
        officer_id = make_officer(session)
        session.commit()
        with unit_of_work() as work:
            crisis_id, person_id = work.execute(
                text("select crisis_id, person_id from person_statuses where stated is null order by person_id limit 1")
            ).one()
            seen = NewStatement(
                crisis_id=crisis_id,
                person_id=person_id,
                source=StatementSource.ASSESSMENT,
                assessed=Assessment.MISSING,
                officer_id=officer_id,
                said_at=utc_now(),
            )
            record_statements(work, [seen])


def break_it(*statements: str) -> None:
    """Change the data as nothing in the product may; constraints that would refuse it are lifted first."""
    for statement in statements:
        db.session.execute(text(statement))
    db.session.commit()
