"""Hand-written fields: any script's digits, no traps, never an exception but ValidationError."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.schemas.texts import clean, digits_of, month_number

ANYTHING = st.text(st.characters(), max_size=200)  # lone surrogates included


@given(ANYTHING)
def test_cleaned_text_can_be_stored_and_shown(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "\x00" not in cleaned
    assert not {"\u202e", "\u202a", "\u2066", "\u200f", "\ufeff"} & set(cleaned)
    assert unicodedata.is_normalized("NFC", cleaned)


@given(ANYTHING)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("abc\u202etxt.exe", "abctxt.exe", id="direction override"),
        pytest.param("a\x00b", "ab", id="NUL"),
        pytest.param("a\ud800b", "a\ufffdb", id="lone surrogate"),
        pytest.param("क्\u200dष", "क्\u200dष", id="joiner of Hindi stays"),
        pytest.param("  a\r\nb  ", "a\nb", id="line ends"),
        pytest.param("e\u0301", "é", id="composed"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "digits"),
    [("12", "12"), ("١٢", "12"), ("१२", "12"), ("１２", "12"), ("²", None), ("1_0", None), ("-1", None), ("", None)],
)
def test_digits_of(text: str, digits: str | None) -> None:
    assert digits_of(text) == digits


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("3", 3), ("٠٣", 3), ("१२", 12), ("March", 3), ("févr.", 2), ("août", 8), ("مارس", 3), ("मार्च", 3), ("sept", 9),
        ("13", None), ("0", None), ("000003", None), ("Smarch", None), ("", None),
    ],
)  # fmt: skip
def test_month_number(text: str, month: int | None) -> None:
    assert month_number(text) == month
