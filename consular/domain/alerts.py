"""The life of an alert: who may do what to it in which state, and what exactly an approval covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from consular.domain.routing import Choice


class AlertState(StrEnum):
    """Our workflow, not CAP's status."""

    DRAFTING = "drafting"
    AWAITING_APPROVAL = "awaiting_approval"
    RETURNED = "returned"
    REJECTED = "rejected"
    ISSUED = "issued"
    CANCELLED = "cancelled"


class AlertAction(StrEnum):
    """What an officer can do to an alert."""

    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    STOP = "stop"
    SEND_HELD = "send_held"
    END_HELD = "end_held"


class MessageClass(StrEnum):
    """What happens to a text of which nobody knows whether it left: send again soon, after its validity, or ask an
    officer."""

    LIFE_SAFETY = "life_safety"
    NORMAL = "normal"
    SENSITIVE = "sensitive"


class Refusal(StrEnum):
    """Why an action on an alert is refused."""

    WRONG_STATE = "wrong_state"
    OWN_ALERT = "own_alert"
    CONTENT_CHANGED = "content_changed"
    AUDIENCE_CHANGED = "audience_changed"
    NO_TEXT = "no_text"
    EMPTY_AUDIENCE = "empty_audience"
    NO_GATEWAY = "no_gateway"
    NO_ANSWER = "no_answer"
    LINK_LOST = "link_lost"


_NEXT: dict[tuple[AlertState, AlertAction], AlertState] = {
    (AlertState.DRAFTING, AlertAction.EDIT): AlertState.DRAFTING,
    (AlertState.DRAFTING, AlertAction.SUBMIT): AlertState.AWAITING_APPROVAL,
    (AlertState.DRAFTING, AlertAction.CANCEL): AlertState.CANCELLED,
    (AlertState.RETURNED, AlertAction.EDIT): AlertState.DRAFTING,
    (AlertState.RETURNED, AlertAction.SUBMIT): AlertState.AWAITING_APPROVAL,
    (AlertState.RETURNED, AlertAction.CANCEL): AlertState.CANCELLED,
    (AlertState.AWAITING_APPROVAL, AlertAction.WITHDRAW): AlertState.DRAFTING,
    (AlertState.AWAITING_APPROVAL, AlertAction.RETURN): AlertState.RETURNED,
    (AlertState.AWAITING_APPROVAL, AlertAction.REJECT): AlertState.REJECTED,
    (AlertState.AWAITING_APPROVAL, AlertAction.APPROVE): AlertState.ISSUED,
    (AlertState.ISSUED, AlertAction.STOP): AlertState.ISSUED,
    (AlertState.ISSUED, AlertAction.CANCEL): AlertState.CANCELLED,
    (AlertState.ISSUED, AlertAction.SEND_HELD): AlertState.ISSUED,
    (AlertState.ISSUED, AlertAction.END_HELD): AlertState.ISSUED,
    (AlertState.CANCELLED, AlertAction.END_HELD): AlertState.CANCELLED,
}
EDITABLE = frozenset(state for state, action in _NEXT if action is AlertAction.EDIT)
_FOUR_EYES = {AlertAction.APPROVE, AlertAction.RETURN, AlertAction.REJECT}


class AlertRefusedError(Exception):
    """An action is not allowed now; `refusal` says why. countries: where, if it is about countries."""

    def __init__(self, refusal: Refusal, countries: Collection[str | None] = ()) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal
        self.countries = countries


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What the rules need to know of an alert."""

    state: AlertState
    author_id: UUID
    last_editor_id: UUID
    submitted_hash: bytes | None
    submitted_count: int | None


@dataclass(frozen=True, slots=True)
class ApprovedContent:
    """Texts with their CAP values, audience rule, and the number of people an officer saw beside them."""

    content: Mapping[str, Any]
    audience: Mapping[str, Any]
    count: int

    def hash_for(self, count: int) -> bytes:
        """content_hash() of these texts and this rule for `count` people."""
        return content_hash(self.content, self.audience, count)


def next_state(alert: AlertFacts, action: AlertAction, officer_id: UUID) -> AlertState:
    """The state after `action` by `officer_id`. Raises AlertRefusedError (wrong state; second pair of eyes is the
    author's own)."""
    after = _NEXT.get((alert.state, action))
    if after is None:
        raise AlertRefusedError(Refusal.WRONG_STATE)
    if action in _FOUR_EYES and officer_id in (alert.author_id, alert.last_editor_id):
        raise AlertRefusedError(Refusal.OWN_ALERT)
    return after


def content_hash(content: Mapping[str, Any], audience: Mapping[str, Any], count: int) -> bytes:
    """SHA-256 over every text and CAP value, the audience rule and the number of people: what an approval is bound
    to."""
    canonical = json.dumps([content, audience, count], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()


def is_count_close(seen: int, now: int) -> bool:
    """Whether the number of people is still what the officer saw: within 2 %, so exact below 50 people.

    People go on registering while an alert waits; a change beyond that must be looked at again.
    """
    return abs(now - seen) * 50 <= seen


def check_approval(
    alert: AlertFacts, officer_id: UUID, stored: ApprovedContent, seen_hash: bytes, now_count: int
) -> AlertState:
    """The state after approval of what the officer saw. Raises AlertRefusedError when anything differs.

    stored: texts and rule read afresh at release, with the count the officer saw. The submitted hash proves that they
    are what
    the author submitted, seen_hash that they are what the approver read. now_count: people the rule selects at release.
    """
    after = next_state(alert, AlertAction.APPROVE, officer_id)
    if now_count == 0:
        raise AlertRefusedError(Refusal.EMPTY_AUDIENCE)
    if (
        stored.hash_for(alert.submitted_count or 0) != alert.submitted_hash
        or stored.hash_for(stored.count) != seen_hash
    ):
        raise AlertRefusedError(Refusal.CONTENT_CHANGED)
    if not is_count_close(stored.count, now_count):
        raise AlertRefusedError(Refusal.AUDIENCE_CHANGED)
    return after


def check_ways(choices: Mapping[str | None, Choice]) -> None:
    """Raises AlertRefusedError when in any of these countries a text could go, but would ask for an answer that nobody
    can give, or would be lost for an address in it.

    Where no text can go at all, none is sent: that must not keep everybody else from being warned.
    """
    for refusal, lacking in (
        (Refusal.NO_ANSWER, [country for country, choice in choices.items() if choice.lacks_answer]),
        (Refusal.LINK_LOST, [country for country, choice in choices.items() if choice.lacks_link]),
    ):
        if lacking:
            raise AlertRefusedError(refusal, lacking)
