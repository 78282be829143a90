"""What holds for every text, not only for those we thought of."""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consular.domain.replies import Classification, ReplyKind, classify

SETS = Path(__file__).parent / "data" / "replies"
ROWS = [
    line.split("\t")
    for path in sorted(SETS.glob("*.tsv"))
    for line in path.read_text(encoding="utf-8").splitlines()[1:]
]
SAFE = [text for label, _language, text in ROWS if label == "SAFE"]
TEXTS = [text for _label, _language, text in ROWS]
DOUBT = (SETS / "doubts.txt").read_text(encoding="utf-8").split()
NEEDS = [
    "need help",
    "trapped",
    "au secours",
    "bloqués",
    "ساعدونا",
    "محاصرين",
    "बचाओ",
    "मदद चाहिए",
    "bachao",
    "sa3edoona",
    "no water",
    "🆘",
]
DIGIT_SCRIPTS = ["٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "０１２３４５６７８９", "০১২৩৪৫৬৭৮৯"]
any_text = st.text(st.characters(exclude_categories=()), max_size=200)
anywhere = st.floats(0, 1)


def insert(text: str, word: str, where: float) -> str:
    words = text.split()
    place = round(where * len(words))
    return " ".join([*words[:place], word, *words[place:]])


@given(any_text, st.sampled_from(["en", "fr", "ar", "hi", None, "zz"]))
def test_never_raises(text: str, language: str | None) -> None:
    assert isinstance(classify(text, language), Classification)


@given(any_text)
def test_text_of_no_known_word_is_never_an_answer(text: str) -> None:
    unknown = "qzx " + text
    assert classify(unknown, None).kind not in (ReplyKind.SAFE, ReplyKind.OPT_OUT, ReplyKind.NOT_THERE)


@settings(max_examples=600)
@given(st.sampled_from(TEXTS), st.sampled_from(DOUBT), anywhere)
def test_a_denial_or_doubt_anywhere_never_makes_a_text_safe(text: str, word: str, where: float) -> None:
    before, after = classify(text, None).kind, classify(insert(text, word, where), None).kind
    assert not (after is ReplyKind.SAFE and before is not ReplyKind.SAFE)


@settings(max_examples=600)
@given(st.sampled_from(SAFE), st.sampled_from(DOUBT), anywhere)
def test_a_denial_or_doubt_anywhere_ends_safe(text: str, word: str, where: float) -> None:
    assert classify(insert(text, word, where), None).kind is not ReplyKind.SAFE


@settings(max_examples=300)
@given(st.sampled_from(SAFE), st.sampled_from(NEEDS), st.booleans())
def test_a_need_before_or_after_a_safe_answer_is_heard(text: str, need: str, is_first: bool) -> None:
    joined = f"{need}. {text}" if is_first else f"{text}. {need}"
    assert classify(joined, None).kind in (ReplyKind.NEEDS_HELP, ReplyKind.UNCLEAR)


@given(st.sampled_from(TEXTS))
def test_case_width_and_normal_form_do_not_matter(text: str) -> None:
    kind = classify(text, None).kind
    assert classify(unicodedata.normalize("NFD", text), None).kind == kind
    assert classify(unicodedata.normalize("NFC", text), None).kind == kind
    if text.isascii():
        assert classify(text.upper(), None).kind == classify(text.lower(), None).kind


@given(st.sampled_from(TEXTS), st.sampled_from(DIGIT_SCRIPTS))
def test_the_digit_script_does_not_matter(text: str, digits: str) -> None:
    if any(char.isdigit() for char in text) and not any(char.isalpha() for char in text):
        other = "".join(digits[int(char)] if char in "0123456789" else char for char in text)
        assert classify(other, None) == classify(text, None)


@given(st.sampled_from(TEXTS), st.sampled_from(["\u200f", "\u202b", "\u2066", "\u200b", "\ufeff"]))
def test_invisible_characters_do_not_matter(text: str, mark: str) -> None:
    assert classify(f"{mark}{text}{mark}", None).kind == classify(text, None).kind


HOSTILE = {
    "zalgo": "s" + "\u0301\u0336" * 5000,
    "one word over and over": "help " * 2000,
    "one phrase over and over": "i am " * 2000,
    "ligatures that unfold": "\ufdfa" * 10_000,
    "digits": "1 2 " * 2500,
    "apostrophes": "a'" * 5000,
    "lone surrogates": "\ud800" * 10_000,
    "nulls": "\0" * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_take_bounded_time(text: str) -> None:
    classify(text, None)
    spent = min(_seconds(text) for _turn in range(3))
    assert spent < 0.05
    assert classify(text, None).kind is not ReplyKind.SAFE


def test_ten_times_the_text_does_not_take_a_hundred_times_as_long() -> None:
    short, long = min(_seconds("no water " * 17) for _ in range(5)), min(_seconds("no water " * 170) for _ in range(5))
    assert long < 40 * short


def _seconds(text: str) -> float:
    began = time.process_time()
    classify(text, None)
    return time.process_time() - began
