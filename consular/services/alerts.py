"""The life of an alert: writing, deciding, releasing, stopping. Each call is one transaction that locks its row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified

from consular.domain.alerts import (
    AlertAction,
    AlertFacts,
    AlertRefusedError,
    AlertState,
    ApprovedContent,
    MessageClass,
    Refusal,
    check_approval,
    check_ways,
    content_hash,
    next_state,
)
from consular.domain.audience import AudienceRule, rule_from_dict, rule_to_dict
from consular.domain.cap import Category, Certainty, ResponseType, Severity, Urgency
from consular.domain.routing import Needs
from consular.errors import ConflictError, NotFoundError
from consular.extensions import cipher
from consular.models.alerts import Alert, AlertEvent, AlertInfo
from consular.models.crises import Crisis
from consular.models.officers import Officer
from consular.queries import alerts as queries
from consular.queries.alerts import AlertView, Words
from consular.queries.audience import count_people, phone_countries
from consular.queueing import EVERY_WORKER, QUEUES, wakeups
from consular.services import dispatch, routing, social
from consular.services.alert_events import freeze_event
from consular.services.alert_refusals import (
    OTHER_COUNTRIES,
    AlreadyIssuedError,
    EditedMeanwhileError,
    check_typed,
    refused,
    require_gateway,
    require_open,
    required_note,
)
from consular.services.audit import AnySession
from consular.services.decisions import decide
from consular.services.texts import needs_of
from consular.services.transactions import unit_of_work
from consular.services.ways import Gateways


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """What an officer wrote. words: by language, at least one; validity_minutes: 1 to 600, the gateway's longest."""

    category: Category
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    response_type: ResponseType
    event: str
    message_class: MessageClass
    asks_for_reply: bool
    validity_minutes: int
    audience: AudienceRule
    words: Mapping[str, Words]


def write(crisis_id: UUID, draft: AlertDraft, officer_id: UUID, now: datetime) -> UUID:
    """A new alert in the state drafting; its id. Raises NotFoundError, ConflictError when the crisis is closed."""
    alert_id = uuid4()
    with unit_of_work() as session:
        crisis = session.get(Crisis, crisis_id)
        if crisis is None:
            raise NotFoundError("There is no such crisis.")
        require_open(crisis.closed_at)
        alert = Alert(
            id=alert_id,
            crisis_id=crisis_id,
            state=AlertState.DRAFTING,
            author_id=officer_id,
            last_editor_id=officer_id,
            created_at=now,
        )
        _fill(alert, draft, now)
        session.add(alert)
        session.flush()
        decide(session, alert, AlertAction.EDIT, officer_id, now)
    return alert_id


def edit(alert_id: UUID, draft: AlertDraft, seen_revision: int, officer_id: UUID, now: datetime) -> None:
    """Replace an alert's content. Raises EditedMeanwhileError when seen_revision, the form's, is not the newest."""
    with unit_of_work() as session:
        alert = _lock_to_edit(session, alert_id, seen_revision, officer_id)
        _fill(alert, draft, now)
        session.flush()
        decide(session, alert, AlertAction.EDIT, officer_id, now)


def send_without_asking(
    alert_id: UUID,
    seen_countries: Collection[str],
    seen_revision: int,
    officer_id: UUID,
    now: datetime,
    *,
    gateways: Gateways,
) -> None:
    """Let people get an alert without its question where nobody could answer it. It is an edit like any other, and
    lasts until the next one.

    seen_countries: of their phones, as the page named them ("": unknown). Raises ConflictError when they are others
    now, EditedMeanwhileError as edit() does.
    """
    with unit_of_work() as session:
        alert = _lock_to_edit(session, alert_id, seen_revision, officer_id)
        phones = phone_countries(session, _rule(alert), now.date(), alert.crisis.status)
        choices = routing.routes_for(session, alert.crisis.status, gateways, _needs(alert), phones)
        mute = {country or "" for country, choice in choices.items() if choice.lacks_answer}
        if not mute or mute != {*seen_countries}:
            raise ConflictError(OTHER_COUNTRIES)
        alert.accepts_no_answer_from = sorted({*alert.accepts_no_answer_from, *mute})
        alert.edited_at = now
        session.flush()
        decide(session, alert, AlertAction.EDIT, officer_id, now, detail={"without_asking": sorted(mute)})


def submit(alert_id: UUID, officer_id: UUID, now: datetime, *, gateways: Gateways) -> None:
    """Hand an alert to the approvers, bound to the hash of its texts, its rule and the people it selects now.

    gateways: the configured ones. Raises ConflictError with the cure when there is no text, nobody to reach, no
    gateway, or a country where people could not answer although the alert asks them to.
    """
    with unit_of_work() as session:
        alert = _lock(session, alert_id)
        alert.state = _next(alert, AlertAction.SUBMIT, officer_id)
        require_open(alert.crisis.closed_at)
        require_gateway(alert.crisis.status, gateways)
        if not alert.infos:
            raise refused(Refusal.NO_TEXT)
        people = count_people(session, _rule(alert), now.date())
        if people == 0:
            raise refused(Refusal.EMPTY_AUDIENCE)
        phones = phone_countries(session, _rule(alert), now.date(), alert.crisis.status)
        _route(session, alert, gateways, phones)
        alert.submitted_count = people
        alert.submitted_hash = content_hash(content_of(alert), alert.audience, people)
        session.flush()
        decide(session, alert, AlertAction.SUBMIT, officer_id, now)


def withdraw(alert_id: UUID, officer_id: UUID, now: datetime) -> None:
    """Take a submitted alert back to drafting, so that it can be edited."""
    _transition(alert_id, AlertAction.WITHDRAW, officer_id, now)


def return_to_author(alert_id: UUID, officer_id: UUID, note: str, now: datetime) -> None:
    """Send a submitted alert back with a note. Raises InvalidInputError without a note."""
    _transition(alert_id, AlertAction.RETURN, officer_id, now, required_note(note))


def reject(alert_id: UUID, officer_id: UUID, note: str, now: datetime) -> None:
    """Refuse a submitted alert for good, with a note. Raises InvalidInputError without a note."""
    _transition(alert_id, AlertAction.REJECT, officer_id, now, required_note(note))


def cancel(alert_id: UUID, officer_id: UUID, now: datetime) -> int:
    """End an alert: a draft is put away; of an issued one the unsent texts are stopped. How many were stopped.

    Nobody is told by this: people who got the text must be told by another alert.
    """
    with unit_of_work() as session:
        alert = _lock(session, alert_id)
        was_issued = alert.state is AlertState.ISSUED
        alert.state = _next(alert, AlertAction.CANCEL, officer_id)
        event = _event_of(session, alert_id) if was_issued else None
        stopped = _stop_event(session, event, officer_id, now) if event is not None and not event.stopped_at else 0
        session.flush()
        decide(session, alert, AlertAction.CANCEL, officer_id, now, detail={"not_sent": stopped})
    return stopped


def approve(  # noqa: PLR0913 - what the officer saw and typed, named at the call
    alert_id: UUID,
    officer_id: UUID,
    seen_hash: bytes,
    seen_count: int,
    now: datetime,
    *,
    gateways: Gateways,
    typed_count: int | None = None,
    outlets: social.Outlets | None = None,
) -> UUID:
    """Release an alert exactly as the officer saw it, with every message row, or not at all; the id of its event.

    seen_hash, seen_count: of the release page. typed_count: the number of people typed to confirm, needed for Actual.
    gateways: the configured ones. outlets: public accounts, if any. Raises AlreadyIssuedError for a second release,
    ConflictError when anything differs from what was seen or people could not answer, NotAllowedError for the author
    or last editor, InvalidInputError (typed_count).
    """
    with unit_of_work() as session:
        alert = _lock(session, alert_id)
        crisis = alert.crisis
        if alert.state is AlertState.ISSUED:
            raise _already_issued(session, alert_id)
        require_open(crisis.closed_at)
        require_gateway(crisis.status, gateways)
        stored = ApprovedContent(content_of(alert), alert.audience, seen_count)
        people = dispatch.choose_people(session, _rule(alert), now)
        try:
            after = check_approval(_facts(alert), officer_id, stored, seen_hash, people)
        except AlertRefusedError as error:
            raise refused(error.refusal) from None
        check_typed(crisis.status, seen_count, typed_count)
        event = freeze_event(alert, content_of(alert)["texts"], officer_id, seen_hash, now)
        session.add(event)
        session.flush()
        count = dispatch.fan_out(session, event, partial(_route, session, alert, gateways))
        event.people = count.people
        social.queue_posts(session, event, now, outlets)
        alert.state = after
        session.flush()
        decide(session, alert, AlertAction.APPROVE, officer_id, now, detail={"people": event.people})
        event_id = event.id
    for gateway in sorted(count.gateways & {*QUEUES}):
        wakeups.kick(gateway, EVERY_WORKER)
    wakeups.kick("social")
    return event_id


def stop(event_id: UUID, officer_id: UUID, now: datetime) -> int:
    """Stop a running send at once; how many texts will not be sent. Stopping twice changes nothing and gives 0."""
    with unit_of_work() as session:
        event = session.get(AlertEvent, event_id)
        if event is None:
            raise NotFoundError("There is no such event.")
        alert = _lock(session, event.alert_id)
        session.refresh(event, with_for_update={"key_share": True})
        if event.stopped_at is not None:
            return 0
        alert.state = _next(alert, AlertAction.STOP, officer_id)
        stopped = _stop_event(session, event, officer_id, now)
        session.flush()
        decide(session, alert, AlertAction.STOP, officer_id, now, detail={"not_sent": stopped})
    return stopped


def content_of(alert: Alert | AlertView) -> dict[str, Any]:
    """Everything of an alert that an approval covers beside its rule and count; the form that content_hash() takes."""
    words = alert.words if isinstance(alert, AlertView) else queries.open_words(alert.infos)
    unasked = sorted(alert.accepts_no_answer_from)
    return ({"accepts_no_answer_from": unasked} if unasked else {}) | {
        "status": alert.crisis.status.value,
        "category": alert.category.value,
        "urgency": alert.urgency.value,
        "severity": alert.severity.value,
        "certainty": alert.certainty.value,
        "response_type": alert.response_type.value,
        "event": alert.event,
        "message_class": alert.message_class.value,
        "asks_for_reply": alert.asks_for_reply,
        "validity_minutes": alert.validity_minutes,
        "texts": {language: {"headline": w.headline, "text": w.text} for language, w in words.items()},
    }


def _route(
    session: AnySession, alert: Alert, gateways: Gateways, countries: Iterable[str | None]
) -> dict[str | None, str | None]:
    """The gateway for each country. Raises ConflictError when people in one could not answer."""
    choices = routing.routes_for(session, alert.crisis.status, gateways, _needs(alert), countries)
    try:
        check_ways(choices)
    except AlertRefusedError as error:
        raise refused(error.refusal, countries=error.countries) from None
    return {country: choice.best for country, choice in choices.items()}


def _needs(alert: Alert) -> Needs:
    words, accepted = queries.open_words(alert.infos), alert.accepts_no_answer_from
    texts = (one.text for one in words.values())
    return needs_of(texts, asks_for_reply=alert.asks_for_reply, accepts_no_answer_from=accepted)


def _transition(alert_id: UUID, action: AlertAction, officer_id: UUID, now: datetime, note: str | None = None) -> None:
    with unit_of_work() as session:
        alert = _lock(session, alert_id)
        alert.state = _next(alert, action, officer_id)
        session.flush()
        decide(session, alert, action, officer_id, now, note=note)


def _lock(session: AnySession, alert_id: UUID) -> Alert:
    alert = session.get(Alert, alert_id, with_for_update={"key_share": True}, populate_existing=True)
    if alert is None:
        raise NotFoundError("There is no such alert.")
    return alert


def _lock_to_edit(session: AnySession, alert_id: UUID, seen_revision: int, officer_id: UUID) -> Alert:
    alert = _lock(session, alert_id)
    if alert.revision != seen_revision:
        raise EditedMeanwhileError(
            f"{_name(session, alert.last_editor_id)} saved this alert at {alert.edited_at:%H:%M} UTC, "
            "after you opened it."
        )
    alert.state = _next(alert, AlertAction.EDIT, officer_id)
    alert.last_editor_id = officer_id
    alert.submitted_hash = alert.submitted_count = None
    return alert


def _next(alert: Alert, action: AlertAction, officer_id: UUID) -> AlertState:
    try:
        return next_state(_facts(alert), action, officer_id)
    except AlertRefusedError as error:
        raise refused(error.refusal, alert.state) from None


def _fill(alert: Alert, draft: AlertDraft, now: datetime) -> None:
    alert.category, alert.urgency, alert.severity = draft.category, draft.urgency, draft.severity
    alert.certainty, alert.response_type = draft.certainty, draft.response_type
    alert.event, alert.message_class = draft.event, draft.message_class
    alert.asks_for_reply, alert.validity_minutes = draft.asks_for_reply, draft.validity_minutes
    alert.accepts_no_answer_from = []
    alert.audience = rule_to_dict(draft.audience)
    alert.edited_at = now
    flag_modified(alert, "edited_at")
    kept = {info.language: info for info in alert.infos if info.language in draft.words}
    for language, words in draft.words.items():
        info = kept.setdefault(language, AlertInfo(id=uuid4(), language=language))
        info.headline_sealed = cipher.seal(words.headline, "alert_infos.headline", info.id)
        info.text_sealed = cipher.seal(words.text, "alert_infos.text", info.id)
    alert.infos = list(kept.values())


def _stop_event(session: AnySession, event: AlertEvent, officer_id: UUID, now: datetime) -> int:
    event.stopped_at, event.stopped_by = now, officer_id
    session.flush()
    social.cancel_unsent(session, event.id, now)
    return dispatch.cancel_unsent(session, event.id, now)


def _facts(alert: Alert) -> AlertFacts:
    return AlertFacts(
        state=alert.state,
        author_id=alert.author_id,
        last_editor_id=alert.last_editor_id,
        submitted_hash=alert.submitted_hash,
        submitted_count=alert.submitted_count,
    )


def _rule(alert: Alert) -> AudienceRule:
    return rule_from_dict(alert.audience)


def _event_of(session: AnySession, alert_id: UUID) -> AlertEvent | None:
    statement = select(AlertEvent).where(AlertEvent.alert_id == alert_id).with_for_update(key_share=True)
    return session.scalars(statement).one_or_none()


def _already_issued(session: AnySession, alert_id: UUID) -> AlreadyIssuedError:
    event = queries.find_event(session, alert_id)
    if event is None:
        return AlreadyIssuedError("This alert is already issued.")
    return AlreadyIssuedError(
        f"Already issued by {event.approved_by} at {event.approved_at:%H:%M:%S} UTC. It was sent once, not twice."
    )


def _name(session: AnySession, officer_id: UUID) -> str:
    officer = session.get(Officer, officer_id)
    return officer.full_name if officer else "Somebody"
