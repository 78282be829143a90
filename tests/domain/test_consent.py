"""What may be sent after STOP."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.consent import (
    Consent,
    Purpose,
    Verdict,
    after_confirmation,
    after_gateway_block,
    after_reply,
    may_send,
)
from consular.domain.replies import ReplyKind

T0 = datetime(2011, 2, 20, 12, tzinfo=UTC)
T1 = T0 + timedelta(minutes=1)
T2 = T0 + timedelta(minutes=2)
STOPPED = after_reply(Consent(), ReplyKind.OPT_OUT, T0)

TABLE = [
    (
        "nothing said",
        Consent(),
        {p: Verdict.ALLOWED for p in Purpose} | {Purpose.OPT_OUT_CONFIRMATION: Verdict.NOTHING_TO_CONFIRM},
    ),
    (
        "just stopped",
        STOPPED,
        {p: Verdict.OPTED_OUT for p in Purpose} | {Purpose.OPT_OUT_CONFIRMATION: Verdict.ALLOWED},
    ),
    (
        "stop confirmed",
        after_confirmation(STOPPED),
        {p: Verdict.OPTED_OUT for p in Purpose} | {Purpose.OPT_OUT_CONFIRMATION: Verdict.ALREADY_CONFIRMED},
    ),
    ("blocked by the gateway", after_gateway_block(Consent(), T0), {p: Verdict.BLOCKED_BY_GATEWAY for p in Purpose}),
]


@pytest.mark.parametrize(
    ("consent", "purpose", "verdict"),
    [(consent, purpose, verdict) for _name, consent, verdicts in TABLE for purpose, verdict in verdicts.items()],
    ids=[f"{name}: {purpose}" for name, _consent, verdicts in TABLE for purpose in verdicts],
)
def test_what_may_be_sent(consent: Consent, purpose: Purpose, verdict: Verdict) -> None:
    assert may_send(consent, purpose) is verdict


def test_an_officer_may_answer_what_was_written_after_the_stop() -> None:
    wrote = after_reply(STOPPED, ReplyKind.NEEDS_HELP, T1)
    assert may_send(wrote, Purpose.OFFICER_MESSAGE) is Verdict.ALLOWED
    assert may_send(wrote, Purpose.ALERT) is Verdict.OPTED_OUT
    assert may_send(wrote, Purpose.RECEIPT) is Verdict.OPTED_OUT


def test_an_officer_may_not_answer_what_was_written_before_the_stop() -> None:
    stopped = after_reply(after_reply(Consent(), ReplyKind.SAFE, T0), ReplyKind.OPT_OUT, T1)
    assert may_send(stopped, Purpose.OFFICER_MESSAGE) is Verdict.OPTED_OUT


def test_start_lifts_the_stop_and_the_gateways_block() -> None:
    blocked = after_gateway_block(STOPPED, T1)
    started = after_reply(blocked, ReplyKind.OPT_IN, T2)
    assert may_send(started, Purpose.ALERT) is Verdict.ALLOWED


def test_a_start_older_than_the_stop_does_not_lift_it() -> None:
    stopped = after_reply(Consent(), ReplyKind.OPT_OUT, T1)
    assert after_reply(stopped, ReplyKind.OPT_IN, T0) == stopped


def test_a_second_stop_is_not_confirmed_again() -> None:
    again = after_reply(after_confirmation(STOPPED), ReplyKind.OPT_OUT, T1)
    assert may_send(again, Purpose.OPT_OUT_CONFIRMATION) is Verdict.ALREADY_CONFIRMED


def test_a_stop_of_texts_leaves_other_channels() -> None:
    assert may_send(STOPPED, Purpose.ALERT, channel="email") is Verdict.ALLOWED


others = st.sampled_from([kind for kind in ReplyKind if kind is not ReplyKind.OPT_IN])


@given(st.lists(st.tuples(others, st.integers(0, 100)), max_size=8))
def test_nothing_but_start_lifts_a_stop(replies: list[tuple[ReplyKind, int]]) -> None:
    consent = STOPPED
    for kind, minutes in replies:
        consent = after_reply(consent, kind, T0 + timedelta(minutes=minutes))
    assert may_send(consent, Purpose.ALERT) is Verdict.OPTED_OUT
