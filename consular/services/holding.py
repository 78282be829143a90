"""What officers decide about held texts: send them again, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from consular.domain.alerts import AlertAction, AlertFacts, AlertRefusedError, next_state
from consular.domain.rendering import clean_text
from consular.errors import ConflictError, InvalidInputError, NotFoundError
from consular.models.alerts import Alert, AlertEvent
from consular.queries import holding
from consular.queries.counters import AnySession
from consular.queueing import QUEUES, wakeups
from consular.services.alert_refusals import refused
from consular.services.decisions import decide
from consular.services.recording import note_changes
from consular.services.transactions import unit_of_work

MOST_AT_ONCE = 20_000
"""Texts that one click decides on; more are left for the next."""

_LONGEST_NOTE = 2000
Change = Callable[[AnySession, Sequence[int]], Sequence[Row[Any]]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What an officer saw and filled in. seen: how many texts were held. number: the one text it is about; None: all.

    knows_of_twice: the officer said to know that some people may get the text twice.
    """

    seen: int
    note: str
    number: int | None = None
    knows_of_twice: bool = False


def send_again(alert_id: UUID, officer_id: UUID, decision: Decision, now: datetime) -> int:
    """Queue held texts of an alert again; how many. 0: nothing was held any more, another click was faster.

    Those of which nobody knows whether they left are declared possible duplicates. Raises NotFoundError, ConflictError
    (more are held than were seen; the alert was stopped or is over), InvalidInputError (note, knows_of_twice).
    """
    with unit_of_work() as session:
        alert, event = _locked(session, alert_id)
        ids = _held(session, event, decision)
        if not ids:
            return 0
        if event.stopped_at is not None or event.expires_at <= now:
            raise ConflictError("This alert was stopped, or its time is over: nothing of it is sent. Write another.")
        doubtful = sum(group.doubtful for group in holding.groups(event.id, decision.number))
        problems = _problems(decision)
        if doubtful and not decision.knows_of_twice:
            problems["knows_of_twice"] = "Confirm that some people may get this text twice."
        if problems:
            raise InvalidInputError(" ".join(problems.values()), problems)
        changed = _change(session, alert, AlertAction.SEND_HELD, holding.send_again, ids)
        _trace(session, alert, AlertAction.SEND_HELD, officer_id, now, decision, changed)
    for gateway in {row.gateway for row in changed} & set(QUEUES):
        wakeups.kick(gateway)
    return len(changed)


def end(alert_id: UUID, officer_id: UUID, decision: Decision, now: datetime) -> int:
    """Close held texts of an alert for good; how many. 0: nothing was held any more, another click was faster.

    What never left is cancelled; the others have failed as far as anybody knows. Raises as send_again().
    """
    with unit_of_work() as session:
        alert, event = _locked(session, alert_id)
        ids = _held(session, event, decision)
        if not ids:
            return 0
        if problems := _problems(decision):
            raise InvalidInputError(" ".join(problems.values()), problems)
        changed = _change(session, alert, AlertAction.END_HELD, holding.end, ids)
        _trace(session, alert, AlertAction.END_HELD, officer_id, now, decision, changed)
    return len(changed)


def _locked(session: AnySession, alert_id: UUID) -> tuple[Alert, AlertEvent]:
    """The alert and its event, locked in the order in which a stop locks them."""
    alert = session.get(Alert, alert_id, with_for_update={"key_share": True}, populate_existing=True)
    statement = select(AlertEvent).where(AlertEvent.alert_id == alert_id).with_for_update(key_share=True)
    event = session.scalars(statement).one_or_none()
    if alert is None or event is None:
        raise NotFoundError("There is no such alert, or it was never released.")
    return alert, event


def _held(session: AnySession, event: AlertEvent, decision: Decision) -> list[int]:
    ids = holding.lock(session, event.id, decision.number, MOST_AT_ONCE)
    if decision.number is None and len(ids) > decision.seen:
        raise ConflictError(f"{len(ids):,} texts are held now, more than you saw. Look at them before you decide.")
    return ids


def _problems(decision: Decision) -> dict[str, str]:
    note = clean_text(decision.note)
    if 1 <= len(note) <= _LONGEST_NOTE:
        return {}
    return {"note": "Say in a few words why (at most 2,000 characters): it is kept in the alert's history."}


def _change(
    session: AnySession, alert: Alert, action: AlertAction, change: Change, ids: Sequence[int]
) -> Sequence[Row[Any]]:
    facts = AlertFacts(alert.state, alert.author_id, alert.last_editor_id, alert.submitted_hash, alert.submitted_count)
    try:
        alert.state = next_state(facts, action, alert.author_id)
    except AlertRefusedError as error:
        raise refused(error.refusal, alert.state) from None
    changed = change(session, ids)
    note_changes(session, changed)
    return changed


def _trace(
    session: AnySession,
    alert: Alert,
    action: AlertAction,
    officer_id: UUID,
    now: datetime,
    decision: Decision,
    changed: Sequence[Row[Any]],
) -> None:
    session.flush()
    detail = {"texts": len(changed), "may_have_left": sum(row.is_doubtful for row in changed)}
    decide(session, alert, action, officer_id, now, note=clean_text(decision.note), detail=detail)
