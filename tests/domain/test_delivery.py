"""The states of a message: only forward by receipts, never a second text without proof or a declared risk."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.alerts import MessageClass
from consular.domain.delivery import (
    FIRST_CALLBACK_GRACE,
    MOST_UNKNOWNS,
    RANK,
    SILENCE_BEFORE_RESEND,
    VALIDITY_MARGIN,
    AfterSend,
    MessageState,
    after_not_found,
    after_send,
    after_silence,
    counted_as,
    forward,
    message_number,
    silence_ends_at,
)
from consular.domain.ports import RefusalScope, SendOutcome, SmsResult

NOW = datetime(2011, 2, 20, 12, 0, tzinfo=UTC)
REPORTABLE = ("accepted", "sent", "failed", "undelivered", "delivered", "read")
S = MessageState


def result(outcome, **fields):
    return SmsResult(uuid4(), outcome, **fields)


def test_receipts_in_any_order_end_at_the_best_news():
    for order in permutations(REPORTABLE):
        state = S.SENDING
        for reported in order:
            state = forward(state, S(reported))
        assert state is S.READ, order


@given(st.lists(st.sampled_from(REPORTABLE), min_size=1, max_size=12), st.randoms())
def test_order_and_repetition_of_receipts_do_not_matter(reports, chance):
    def end(sequence):
        state = S.UNKNOWN
        for reported in sequence:
            state = forward(state, S(reported))
        return state

    shuffled = reports * 2
    chance.shuffle(shuffled)
    assert end(shuffled) is end(reports)


def test_no_two_reportable_states_share_a_rank():
    assert len({RANK[S(state)] for state in REPORTABLE}) == len(REPORTABLE)
    assert set(RANK) == set(S)


@pytest.mark.parametrize(
    "known", ["queued", "claimed", "sending", "unknown", "held", "cancelled", "expired", "refused"]
)
def test_any_receipt_proves_more_than_what_we_know_ourselves(known):
    assert forward(S(known), S.ACCEPTED) is S.ACCEPTED


@pytest.mark.parametrize(
    ("state", "counter"),
    [("claimed", "queued"), ("sending", "queued"), ("queued", "queued"), ("unknown", "unknown"), ("read", "read")],
)
def test_an_officer_sees_work_in_progress_as_queued(state, counter):
    assert counted_as(S(state)) == counter


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (result(SendOutcome.ACCEPTED), AfterSend(S.ACCEPTED)),
        (result(SendOutcome.UNKNOWN), AfterSend(S.UNKNOWN)),
        (result(SendOutcome.REFUSED, scope=RefusalScope.NUMBER), AfterSend(S.REFUSED)),
        (result(SendOutcome.REFUSED, scope=None), AfterSend(S.REFUSED)),
        (result(SendOutcome.REFUSED, scope=RefusalScope.COUNTRY), AfterSend(S.QUEUED, 45.0)),
        (result(SendOutcome.REFUSED, scope=RefusalScope.ACCOUNT), AfterSend(S.QUEUED, 45.0)),
        (result(SendOutcome.REFUSED, scope=RefusalScope.ROUTE), AfterSend(S.QUEUED, 45.0)),
        (result(SendOutcome.NOT_SENT), AfterSend(S.QUEUED, 0.5)),
        (result(SendOutcome.NOT_SENT, retry_after_seconds=30.0), AfterSend(S.QUEUED, 30.5)),
    ],
    ids=["accepted", "unknown", "number", "no scope", "country", "account", "route", "not sent", "retry after"],
)
def test_what_one_answer_does_to_its_row(answer, after):
    assert after_send(answer, 1, 0.5) == after


def test_waits_grow_with_every_try_up_to_half_a_minute():
    waits = [after_send(result(SendOutcome.NOT_SENT), tries, 1.0).retry_in_seconds for tries in range(1, 12)]
    assert waits[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert waits[6:] == [30.0] * 5


@given(st.integers(1, 1000), st.floats(0, 1))
def test_jitter_never_sends_earlier_than_now_or_than_asked(tries, jitter):
    wait = after_send(result(SendOutcome.NOT_SENT, retry_after_seconds=7.0), tries, jitter).retry_in_seconds
    assert 7.0 <= wait <= 37.0


HOUR = timedelta(hours=1)
OVER = HOUR + VALIDITY_MARGIN + timedelta(seconds=1)
L, N, C = MessageClass.LIFE_SAFETY, MessageClass.NORMAL, MessageClass.SENSITIVE


@pytest.mark.parametrize(
    ("message_class", "sent_ago", "first_empty_ago", "unknowns", "after"),
    [
        (L, timedelta(minutes=2), None, 1, None),
        (L, timedelta(minutes=2), FIRST_CALLBACK_GRACE - timedelta(seconds=1), 1, None),
        (L, timedelta(minutes=2), FIRST_CALLBACK_GRACE, 1, S.QUEUED),
        (L, timedelta(minutes=2), FIRST_CALLBACK_GRACE, MOST_UNKNOWNS, S.HELD),
        (N, timedelta(minutes=2), FIRST_CALLBACK_GRACE, 1, None),
        (N, HOUR + VALIDITY_MARGIN, FIRST_CALLBACK_GRACE, 1, None),
        (N, OVER, None, 1, None),
        (N, OVER, FIRST_CALLBACK_GRACE, 1, S.QUEUED),
        (N, OVER, FIRST_CALLBACK_GRACE, MOST_UNKNOWNS, S.HELD),
        (C, timedelta(minutes=2), FIRST_CALLBACK_GRACE, 1, S.HELD),
        (C, OVER, None, 1, None),
    ],
    ids=[
        "life: one look is not enough",
        "life: too soon",
        "life: again",
        "life: third time unknown",
        "normal: may still arrive",
        "normal: at the edge",
        "normal: one look is not enough",
        "normal: again",
        "normal: third time unknown",
        "sensitive: an officer decides",
        "sensitive: one look is not enough",
    ],
)
def test_a_text_that_is_not_found(message_class, sent_ago, first_empty_ago, unknowns, after):
    first_empty = None if first_empty_ago is None else NOW - first_empty_ago
    assert after_not_found(message_class, NOW, NOW - sent_ago, first_empty, HOUR, unknowns) is after


@pytest.mark.parametrize(
    ("message_class", "is_over", "waits", "after"),
    [
        (L, False, SILENCE_BEFORE_RESEND, S.QUEUED),
        (C, False, SILENCE_BEFORE_RESEND, S.HELD),
        (N, False, HOUR + VALIDITY_MARGIN, S.QUEUED),
        (None, False, HOUR + VALIDITY_MARGIN, S.FAILED),
        (L, True, HOUR + VALIDITY_MARGIN, S.FAILED),
        (C, True, HOUR + VALIDITY_MARGIN, S.FAILED),
    ],
    ids=["life", "sensitive", "normal", "receipt of a reply", "life: alert ended", "sensitive: alert ended"],
)
def test_silence_where_there_is_no_list(message_class, is_over, waits, after):
    assert silence_ends_at(message_class, NOW, HOUR, is_over=is_over) == NOW + waits
    assert after_silence(message_class, is_over=is_over) is after


@pytest.mark.parametrize("message_class", [L, N])
def test_a_text_lost_in_silence_every_time_is_held(message_class):
    assert after_silence(message_class, unknowns=MOST_UNKNOWNS) is S.HELD


def test_silence_lasts_longer_than_an_operator_takes_to_report():
    assert timedelta(minutes=2) <= SILENCE_BEFORE_RESEND <= timedelta(minutes=5)


def test_the_receipt_of_a_reply_is_not_sent_twice():
    for empty, after in ((None, None), (NOW - timedelta(seconds=59), None), (NOW - timedelta(minutes=1), S.FAILED)):
        assert after_not_found(None, NOW, NOW, empty, HOUR) is after


@given(st.integers(1, 2**63 - 1), st.integers(0, 2**64 - 1))
def test_an_attempt_carries_the_number_of_its_message(number, chance):
    assert message_number(UUID(int=number << 64 | chance)) == number
