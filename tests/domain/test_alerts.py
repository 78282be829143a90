"""The rules of the four eyes, the states, and what an approval is bound to."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.alerts import (
    AlertAction,
    AlertFacts,
    AlertRefusedError,
    AlertState,
    ApprovedContent,
    Refusal,
    check_approval,
    content_hash,
    is_count_close,
    next_state,
)

AUTHOR, EDITOR, OTHER = (UUID(int=n) for n in (1, 2, 3))
CONTENT = {"texts": {"en": {"headline": "Stay", "text": "Stay inside"}}, "validity_minutes": 60}
RULE = {"countries": ["LY"], "circles": [], "place_ids": []}
ALLOWED = {
    (AlertState.DRAFTING, AlertAction.EDIT),
    (AlertState.DRAFTING, AlertAction.SUBMIT),
    (AlertState.DRAFTING, AlertAction.CANCEL),
    (AlertState.RETURNED, AlertAction.EDIT),
    (AlertState.RETURNED, AlertAction.SUBMIT),
    (AlertState.RETURNED, AlertAction.CANCEL),
    (AlertState.AWAITING_APPROVAL, AlertAction.WITHDRAW),
    (AlertState.AWAITING_APPROVAL, AlertAction.RETURN),
    (AlertState.AWAITING_APPROVAL, AlertAction.REJECT),
    (AlertState.AWAITING_APPROVAL, AlertAction.APPROVE),
    (AlertState.ISSUED, AlertAction.STOP),
    (AlertState.ISSUED, AlertAction.CANCEL),
    (AlertState.ISSUED, AlertAction.SEND_HELD),
    (AlertState.ISSUED, AlertAction.END_HELD),
    (AlertState.CANCELLED, AlertAction.END_HELD),
}


def facts(state: AlertState = AlertState.AWAITING_APPROVAL, count: int = 100) -> AlertFacts:
    return AlertFacts(state, AUTHOR, EDITOR, content_hash(CONTENT, RULE, count), count)


@pytest.mark.parametrize("state", list(AlertState))
@pytest.mark.parametrize("action", list(AlertAction))
def test_only_the_listed_steps_are_possible(state, action) -> None:
    if (state, action) in ALLOWED:
        assert next_state(facts(state), action, OTHER) in AlertState
        return
    with pytest.raises(AlertRefusedError) as error:
        next_state(facts(state), action, OTHER)
    assert error.value.refusal is Refusal.WRONG_STATE


@pytest.mark.parametrize("officer", [AUTHOR, EDITOR], ids=["author", "last editor"])
@pytest.mark.parametrize("action", [AlertAction.APPROVE, AlertAction.RETURN, AlertAction.REJECT])
def test_the_second_pair_of_eyes_is_another_person(officer, action) -> None:
    with pytest.raises(AlertRefusedError) as error:
        next_state(facts(), action, officer)
    assert error.value.refusal is Refusal.OWN_ALERT


def test_anybody_may_stop_alone() -> None:
    assert next_state(facts(AlertState.ISSUED), AlertAction.STOP, AUTHOR) is AlertState.ISSUED


def refusal(stored: ApprovedContent, seen: bytes, now_count: int) -> Refusal | None:
    try:
        check_approval(facts(), OTHER, stored, seen, now_count)
    except AlertRefusedError as error:
        return error.refusal
    return None


@pytest.mark.parametrize(
    ("stored", "seen_count", "now_count", "expected"),
    [
        (ApprovedContent(CONTENT, RULE, 100), 100, 100, None),
        (ApprovedContent(CONTENT, RULE, 100), 100, 102, None),
        (ApprovedContent(CONTENT, RULE, 100), 100, 103, Refusal.AUDIENCE_CHANGED),
        (ApprovedContent(CONTENT, RULE, 150), 150, 150, None),
        (ApprovedContent(CONTENT, RULE, 100), 100, 0, Refusal.EMPTY_AUDIENCE),
        (ApprovedContent(CONTENT, RULE, 99), 100, 99, Refusal.CONTENT_CHANGED),
        (ApprovedContent({**CONTENT, "validity_minutes": 61}, RULE, 100), 100, 100, Refusal.CONTENT_CHANGED),
        (ApprovedContent(CONTENT, {**RULE, "countries": ["TN"]}, 100), 100, 100, Refusal.CONTENT_CHANGED),
    ],
    ids=["same", "two more", "three more", "seen anew", "nobody", "other count", "other words", "other rule"],
)
def test_what_is_released_is_what_was_read(stored, seen_count, now_count, expected) -> None:
    assert refusal(stored, content_hash(CONTENT, RULE, seen_count), now_count) is expected


def test_content_swapped_after_submission_is_refused_even_if_the_approver_read_it() -> None:
    other = {**CONTENT, "validity_minutes": 61}
    assert refusal(ApprovedContent(other, RULE, 100), content_hash(other, RULE, 100), 100) is Refusal.CONTENT_CHANGED


@given(seen=st.integers(0, 10**7), now=st.integers(0, 10**7))
def test_a_close_count_is_within_two_percent(seen: int, now: int) -> None:
    assert is_count_close(seen, now) == (abs(now - seen) * 100 <= seen * 2)


@given(seen=st.integers(1, 49), change=st.integers(1, 60))
def test_small_audiences_must_be_exact(seen: int, change: int) -> None:
    assert not is_count_close(seen, seen + change)
    assert is_count_close(seen, seen)


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    swapped = dict(reversed(CONTENT.items()))
    assert content_hash(swapped, RULE, 5) == content_hash(CONTENT, RULE, 5)
    assert content_hash(CONTENT, RULE, 5) != content_hash(CONTENT, RULE, 6)
