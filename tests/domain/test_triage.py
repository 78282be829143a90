"""What a person's statements amount to: the same in any order; doubt is never safe; a call for help stays open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.triage import Standing, Stated, Statement, StatementSource, attribute, fold

START = datetime(2011, 2, 20, tzinfo=UTC)
NEED, SAFE, AWAY, UNCLEAR = Stated.NEEDS_HELP, Stated.SAFE, Stated.NOT_THERE, Stated.UNCLEAR
SMS, LINK = StatementSource.SMS, StatementSource.LINK
READING, CLOSING, ASSESSMENT = StatementSource.READING, StatementSource.CLOSING, StatementSource.ASSESSMENT


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def word(key: str, minute: int, stated: Stated, count: int | None = None, order: int = 0) -> Statement:
    return Statement(at(minute), order, SMS, stated, count, key)


def act(source: StatementSource, key: str, order: int, stated: Stated | None = None) -> Statement:
    return Statement(at(1000 + order), order, source, stated, None, key)


CASES = {
    "nothing said": ([], None),
    "one word": ([word("a", 1, SAFE)], SAFE),
    "the last word counts": ([word("a", 1, SAFE), word("b", 2, AWAY)], AWAY),
    "doubt after safe is doubt": ([word("a", 1, SAFE), word("b", 2, UNCLEAR)], UNCLEAR),
    "safe after doubt is the person's word": ([word("a", 1, UNCLEAR), word("b", 2, SAFE)], SAFE),
    "doubt at the same instant is doubt": ([word("a", 1, SAFE), word("b", 1, UNCLEAR)], UNCLEAR),
    "safe does not hide a call": ([word("a", 1, NEED), word("b", 2, SAFE)], NEED),
    "a call that comes out later beats safe": ([word("b", 2, SAFE), word("a", 1, NEED)], NEED),
    "an assessment is not the person's word": ([word("a", 1, NEED), act(ASSESSMENT, "a", 5)], NEED),
    "a closed call stays the last word": ([word("a", 1, NEED), act(CLOSING, "a", 5)], NEED),
    "a closed call lets later words count": (
        [word("a", 1, NEED), word("b", 2, SAFE), act(CLOSING, "a", 5)],
        SAFE,
    ),
    "closing one call leaves the other open": (
        [word("a", 1, NEED), word("b", 2, NEED), word("c", 3, SAFE), act(CLOSING, "b", 5)],
        NEED,
    ),
    "closing a later call does not close an earlier one found afterwards": (
        [word("b", 2, NEED), act(CLOSING, "b", 5), word("c", 3, SAFE), word("a", 1, NEED, order=9)],
        NEED,
    ),
    "reading replaces doubt": ([word("a", 1, UNCLEAR), act(READING, "a", 5, SAFE)], SAFE),
    "reading stays in the place of its text": (
        [word("a", 1, UNCLEAR), word("b", 2, AWAY), act(READING, "a", 5, SAFE)],
        AWAY,
    ),
    "doubt read as a call beats a later safe": (
        [word("a", 1, UNCLEAR), word("b", 2, SAFE), act(READING, "a", 5, NEED)],
        NEED,
    ),
    "the last reading counts": (
        [word("a", 1, UNCLEAR), act(READING, "a", 5, SAFE), act(READING, "a", 6, AWAY)],
        AWAY,
    ),
    "a wrong reading as a call can be undone": (
        [word("a", 1, UNCLEAR), act(READING, "a", 5, NEED), act(READING, "a", 6, SAFE)],
        SAFE,
    ),
    "a reading alone does not end the rules' call": ([word("a", 1, NEED), act(READING, "a", 5, SAFE)], NEED),
    "a reading with a closing does": (
        [word("a", 1, NEED), act(CLOSING, "a", 5), act(READING, "a", 6, SAFE)],
        SAFE,
    ),
    "a call can be opened again": (
        [word("a", 1, NEED), act(CLOSING, "a", 5), act(READING, "a", 6, NEED), word("b", 2, SAFE)],
        NEED,
    ),
    "and closed again": (
        [
            word("a", 1, NEED),
            act(CLOSING, "a", 5),
            act(READING, "a", 6, NEED),
            act(CLOSING, "a", 7),
            word("b", 2, SAFE),
        ],
        SAFE,
    ),
    "a text that says nothing of the person": (
        [word("b", 1, SAFE), word("a", 2, UNCLEAR), act(READING, "a", 5, None)],
        SAFE,
    ),
    "a note is nothing": ([word("a", 1, SAFE), replace(act(READING, "x", 5), text_key=None)], SAFE),
}


@pytest.mark.parametrize(("statements", "expected"), list(CASES.values()), ids=list(CASES))
def test_what_it_amounts_to(statements: list[Statement], expected: Stated | None) -> None:
    assert fold(statements).stated is expected
    assert fold(statements[::-1]).stated is expected


def test_an_open_call_waits_since_the_oldest_and_for_the_last_number_of_people() -> None:
    said = [word("a", 1, NEED, 2), word("b", 3, NEED, 5), word("c", 4, NEED), word("d", 9, SAFE, 1)]
    assert fold(said) == Standing(NEED, 5, at(1))


def test_a_reading_gives_the_text_its_number_and_keeps_its_time() -> None:
    said = [word("a", 1, UNCLEAR), replace(act(READING, "a", 5, SAFE), count=4)]
    assert fold(said) == Standing(SAFE, 4, at(1))


def test_statements_without_a_key_are_told_apart_by_their_moment() -> None:
    said = [replace(word("x", minute, stated), text_key=None) for minute, stated in ((1, NEED), (2, SAFE))]
    assert fold(said).stated is NEED


KEYS = st.sampled_from("abcd")
WORDS = st.builds(word, KEYS, st.integers(0, 5), st.sampled_from(Stated), st.none() | st.integers(0, 9))


@st.composite
def histories(draw: st.DrawFn) -> list[Statement]:
    """What one person's record can hold: texts, and officers' acts on texts, which come after them."""
    texts = {said.text_key: said for said in draw(st.lists(WORDS, max_size=5))}
    acts = []
    for order in range(draw(st.integers(0, 5)) if texts else 0):
        key = draw(st.sampled_from(sorted(texts)))
        source = draw(st.sampled_from([READING, CLOSING, ASSESSMENT]))
        stated = draw(st.sampled_from([None, SAFE, NEED, AWAY])) if source is READING else None
        acts.append(act(source, key, 100 + order, stated))
    return [*texts.values(), *acts]


@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_standing(history: list[Statement], dice) -> None:
    shuffled = history + dice.sample(history, dice.randint(0, len(history)))
    dice.shuffle(shuffled)
    renumbered = [replace(s, order=dice.randint(0, 99)) if s.source is SMS else s for s in shuffled]
    assert fold(renumbered) == fold(history)


@given(histories(), WORDS)
def test_no_text_hides_an_open_call(history: list[Statement], text: Statement) -> None:
    before = fold(history)
    later = replace(text, text_key="new")
    if before.stated is NEED and _has_open_call(history):
        after = fold([*history, later])
        assert after.stated is NEED
        assert after.said_at is not None
        assert before.said_at is not None
        assert after.said_at <= before.said_at


@given(histories(), st.integers(0, 5))
def test_a_call_nobody_has_closed_is_always_shown(history: list[Statement], minute: int) -> None:
    assert fold([*history, word("new", minute, NEED)]).stated is NEED


@given(histories())
def test_safe_only_when_somebody_said_or_read_safe(history: list[Statement]) -> None:
    if fold(history).stated is SAFE:
        assert any(s.stated is SAFE for s in history)


@given(histories(), st.sampled_from([READING, CLOSING, ASSESSMENT]), KEYS)
def test_an_act_on_another_text_never_ends_a_call(history: list[Statement], source: StatementSource, key: str) -> None:
    call = word("call", 2, NEED)
    assert fold([*history, call, act(source, key, 200, SAFE)]).stated is NEED


@given(st.sampled_from([SAFE, AWAY]), st.none() | st.integers(0, 20), st.lists(st.integers(1, 9), max_size=4))
def test_good_news_is_believed_only_when_it_covers_everybody(
    stated: Stated, count: int | None, heads: list[int]
) -> None:
    believed = attribute(stated, count, tuple(heads)) is stated
    alone_without_number = len(heads) == 1 and count is None
    covers = bool(heads) and count is not None and count >= sum(heads)
    assert believed == (alone_without_number or covers)


@given(st.sampled_from([NEED, UNCLEAR]), st.none() | st.integers(0, 20), st.lists(st.integers(1, 9), max_size=4))
def test_need_and_doubt_stay_what_they_are(stated: Stated, count: int | None, heads: list[int]) -> None:
    assert attribute(stated, count, tuple(heads)) is stated


def _has_open_call(history: list[Statement]) -> bool:
    probe = word("probe", 10, SAFE)
    return fold([*history, probe]).stated is NEED
