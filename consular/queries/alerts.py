"""Crises and alerts as officers' pages show them: plain frozen values, with the words opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, scoped_session, selectinload

from consular.domain.alerts import AlertAction, AlertState, MessageClass
from consular.domain.cap import AlertStatus, Category, Certainty, ResponseType, Severity, Urgency
from consular.extensions import cipher
from consular.models.alerts import Alert, AlertDecision, AlertEvent, AlertInfo
from consular.models.crises import Crisis
from consular.models.officers import Officer
from consular.models.social import PostState, SocialPost
from consular.models.statuses import Counter
from consular.queries import officers
from consular.security.fields import KeyUnavailableError

AnySession = Session | scoped_session[Any]


@dataclass(frozen=True, slots=True)
class CrisisView:
    """A crisis. audience: the canonical rule its alerts start from. alerts: how many it has."""

    id: UUID
    title: str
    status: AlertStatus
    audience: dict[str, Any]
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    alerts: int


@dataclass(frozen=True, slots=True)
class Words:
    """An alert in one language."""

    headline: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in a list. people: of its event once issued, else as it was submitted; None before that."""

    id: UUID
    crisis_id: UUID
    crisis_title: str
    status: AlertStatus
    state: AlertState
    event: str
    author: str
    edited_at: datetime
    people: int | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert with its words by language, ready for a page or a form."""

    id: UUID
    crisis: CrisisView
    state: AlertState
    category: Category
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    response_type: ResponseType
    event: str
    message_class: MessageClass
    asks_for_reply: bool
    accepts_no_answer_from: tuple[str, ...]
    validity_minutes: int
    audience: dict[str, Any]
    words: dict[str, Words]
    author_id: UUID
    author: str
    last_editor_id: UUID
    last_editor: str
    created_at: datetime
    edited_at: datetime
    revision: int
    submitted_count: int | None


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One act in the history of an alert."""

    action: AlertAction
    officer: str
    decided_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class EventView:
    """What was transmitted. words: exactly as approved; none when they cannot be read, so that nothing is sent."""

    id: UUID
    people: int
    approved_by: str
    approved_at: datetime
    expires_at: datetime
    stopped_at: datetime | None
    stopped_by: str | None
    default_language: str
    words: dict[str, Words]


@dataclass(frozen=True, slots=True)
class PostView:
    """One public post of an event."""

    id: UUID
    network: str
    account: str
    language: str
    state: PostState
    permalink: str | None
    error: str | None
    published_at: datetime | None
    tries: int


def list_crises(session: AnySession) -> list[CrisisView]:
    """Every crisis, open ones first, then the newest."""
    order = (Crisis.closed_at.is_not(None), Crisis.opened_at.desc())
    return [_crisis_view(*row) for row in session.execute(_crises().order_by(*order))]


def find_crisis(session: AnySession, crisis_id: UUID) -> CrisisView | None:
    """One crisis."""
    row = session.execute(_crises().where(Crisis.id == crisis_id)).one_or_none()
    return _crisis_view(*row) if row else None


def list_alerts(session: AnySession, crisis_id: UUID | None = None, state: AlertState | None = None) -> list[AlertLine]:
    """Alerts of a crisis or in a state, the last edited first."""
    statement = (
        select(Alert, Crisis, Officer.full_name, AlertEvent.people, AlertEvent.stopped_at)
        .join(Crisis, Crisis.id == Alert.crisis_id)
        .join(Officer, Officer.id == Alert.author_id)
        .outerjoin(AlertEvent, AlertEvent.alert_id == Alert.id)
        .order_by(Alert.edited_at.desc())
    )
    if crisis_id is not None:
        statement = statement.where(Alert.crisis_id == crisis_id)
    if state is not None:
        statement = statement.where(Alert.state == state)
    return [_alert_line(*row) for row in session.execute(statement)]


def find_alert(session: AnySession, alert_id: UUID) -> AlertView | None:
    """One alert with its words opened. Raises KeyUnavailableError, but not for one that was issued: it can be looked at
    and stopped also when its words cannot be read, and then has none."""
    alert = session.scalars(select(Alert).options(selectinload(Alert.infos)).where(Alert.id == alert_id)).one_or_none()
    if alert is None:
        return None
    names = officers.names(session, {alert.author_id, alert.last_editor_id})
    return AlertView(
        id=alert.id,
        crisis=_crisis_view(*session.execute(_crises().where(Crisis.id == alert.crisis_id)).one()),
        state=alert.state,
        category=alert.category,
        urgency=alert.urgency,
        severity=alert.severity,
        certainty=alert.certainty,
        response_type=alert.response_type,
        event=alert.event,
        message_class=alert.message_class,
        asks_for_reply=alert.asks_for_reply,
        accepts_no_answer_from=tuple(alert.accepts_no_answer_from),
        validity_minutes=alert.validity_minutes,
        audience=alert.audience,
        words=_words_of(alert),
        author_id=alert.author_id,
        author=names.get(alert.author_id, ""),
        last_editor_id=alert.last_editor_id,
        last_editor=names.get(alert.last_editor_id, ""),
        created_at=alert.created_at,
        edited_at=alert.edited_at,
        revision=alert.revision,
        submitted_count=alert.submitted_count,
    )


def _words_of(alert: Alert) -> dict[str, Words]:
    try:
        return open_words(alert.infos)
    except KeyUnavailableError:
        if alert.state not in (AlertState.ISSUED, AlertState.CANCELLED):
            raise
        return {}


UNREADABLE_NOTE = "(This note cannot be read here.)"


def list_decisions(session: AnySession, alert_id: UUID) -> list[DecisionView]:
    """The history of an alert, the oldest first, notes opened; one that cannot be is said to be unreadable."""
    rows = session.execute(
        select(AlertDecision, Officer.full_name)
        .join(Officer, Officer.id == AlertDecision.officer_id)
        .where(AlertDecision.alert_id == alert_id)
        .order_by(AlertDecision.number)
    )
    return [
        DecisionView(
            action=decision.action,
            officer=name,
            decided_at=decision.decided_at,
            note=_note_of(decision),
        )
        for decision, name in rows
    ]


def _note_of(decision: AlertDecision) -> str | None:
    if decision.note_sealed is None:
        return None
    try:
        return cipher.open(decision.note_sealed, "alert_decisions.note", decision.id)
    except KeyUnavailableError:
        return UNREADABLE_NOTE


def find_event(session: AnySession, alert_id: UUID) -> EventView | None:
    """The transmitted event of an alert, its words opened; None before it is issued. It can be looked at and stopped
    also when its words are damaged."""
    event = session.scalars(select(AlertEvent).where(AlertEvent.alert_id == alert_id)).one_or_none()
    if event is None:
        return None
    names = officers.names(session, {event.approved_by} | ({event.stopped_by} if event.stopped_by else set()))
    return EventView(
        id=event.id,
        people=event.people,
        approved_by=names.get(event.approved_by, ""),
        approved_at=event.approved_at,
        expires_at=event.expires_at,
        stopped_at=event.stopped_at,
        stopped_by=names.get(event.stopped_by) if event.stopped_by else None,
        default_language=event.default_language,
        words=_words(event),
    )


def _words(event: AlertEvent) -> dict[str, Words]:
    try:
        texts = json.loads(cipher.open(event.content_sealed, "alert_events.content", event.id))["texts"]
        words = {language: Words(info["headline"], info["text"]) for language, info in texts.items()}
    except (KeyUnavailableError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return words if event.default_language in words else {}


def count_messages(session: AnySession, event_id: UUID) -> dict[str, int]:
    """Messages of an event by state, from the counters: one index range, however many messages there are."""
    rows = session.execute(
        select(Counter.key, Counter.value).where(Counter.scope_id == event_id, Counter.key.like("message:%"))
    )
    return {key.removeprefix("message:"): int(value) for key, value in rows if value}


def list_posts(session: AnySession, event_id: UUID) -> list[PostView]:
    """The public posts of an event."""
    rows = session.scalars(
        select(SocialPost).where(SocialPost.event_id == event_id).order_by(SocialPost.network, SocialPost.language)
    )
    return [
        PostView(
            id=post.id,
            network=post.network,
            account=post.account,
            language=post.language,
            state=post.state,
            permalink=post.permalink,
            error=post.error,
            published_at=post.published_at,
            tries=post.tries,
        )
        for post in rows
    ]


def find_alert_of_post(session: AnySession, post_id: UUID) -> UUID | None:
    """The alert that a public post belongs to."""
    statement = select(AlertEvent.alert_id).join(SocialPost, SocialPost.event_id == AlertEvent.id)
    return session.scalar(statement.where(SocialPost.id == post_id))


def open_words(infos: Sequence[AlertInfo]) -> dict[str, Words]:
    """The sealed words of an alert by language."""
    return {
        info.language: Words(
            headline=cipher.open(info.headline_sealed, "alert_infos.headline", info.id),
            text=cipher.open(info.text_sealed, "alert_infos.text", info.id),
        )
        for info in infos
    }


def _alert_line(
    alert: Alert, crisis: Crisis, author: str, people: int | None, stopped_at: datetime | None
) -> AlertLine:
    return AlertLine(
        id=alert.id,
        crisis_id=crisis.id,
        crisis_title=crisis.title,
        status=crisis.status,
        state=alert.state,
        event=alert.event,
        author=author,
        edited_at=alert.edited_at,
        people=alert.submitted_count if people is None else people,
        stopped_at=stopped_at,
    )


def _crises() -> Any:
    alerts = select(func.count()).where(Alert.crisis_id == Crisis.id).correlate(Crisis).scalar_subquery()
    return select(Crisis, Officer.full_name, alerts).join(Officer, Officer.id == Crisis.opened_by)


def _crisis_view(crisis: Crisis, opened_by: str, alerts: int) -> CrisisView:
    return CrisisView(
        id=crisis.id,
        title=crisis.title,
        status=crisis.status,
        audience=crisis.audience,
        opened_at=crisis.opened_at,
        opened_by=opened_by,
        closed_at=crisis.closed_at,
        alerts=alerts,
    )
