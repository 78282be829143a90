"""Sealed fields open only with their key, in their place; indexes tell equal from different and nothing else."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.security.fields import FieldCipher, KeyUnavailableError, generate_keys

PLACE = "people.name"


def cipher(keys: str) -> FieldCipher:
    made = FieldCipher()
    made.configure(keys)
    return made


KEYS = generate_keys()
CIPHER = cipher(KEYS)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_to_the_same_text(text: str) -> None:
    row = uuid4()
    assert CIPHER.open(CIPHER.seal(text, PLACE, row), PLACE, row) == text


def test_the_same_text_is_sealed_differently_each_time_and_is_not_in_the_blob() -> None:
    row = uuid4()
    first, second = (CIPHER.seal("Asha Patel", PLACE, row) for _ in range(2))
    assert first != second
    assert b"Asha" not in first
    assert first[2:4] == b"k1"


@pytest.mark.parametrize("where", ["row", "column"])
def test_a_blob_copied_elsewhere_does_not_open(where: str) -> None:
    row = uuid4()
    sealed = CIPHER.seal("Asha Patel", PLACE, row)
    place, other = (PLACE, uuid4()) if where == "row" else ("stays.address", row)
    with pytest.raises(KeyUnavailableError):
        CIPHER.open(sealed, place, other)


@pytest.mark.parametrize("position", [0, 1, 2, 5, -1])
def test_a_changed_byte_opens_nothing(position: int) -> None:
    row = uuid4()
    sealed = bytearray(CIPHER.seal("Asha Patel", PLACE, row))
    sealed[position] ^= 1
    with pytest.raises(KeyUnavailableError):
        CIPHER.open(bytes(sealed), PLACE, row)


@pytest.mark.parametrize("length", range(60))
def test_a_blob_that_is_cut_off_opens_nothing(length: int) -> None:
    row, long_named = uuid4(), cipher(KEYS.replace("k1=", "key-of-november="))
    sealed = long_named.seal("Asha Patel", PLACE, row)
    assert len(sealed) < 60
    with pytest.raises(KeyUnavailableError):
        long_named.open(sealed[: min(length, len(sealed) - 1)], PLACE, row)


def test_another_key_of_the_same_name_opens_nothing_and_says_so_without_the_text() -> None:
    row = uuid4()
    with pytest.raises(KeyUnavailableError, match="wrong key") as refused:
        cipher(generate_keys()).open(CIPHER.seal("Asha Patel", PLACE, row), PLACE, row)
    assert "Asha" not in str(refused.value)


def test_a_retired_key_still_opens_while_the_first_one_seals() -> None:
    row = uuid4()
    new = generate_keys().replace("k1=", "k2=").split(",")[0]
    both = cipher(f"{new},{KEYS}")
    assert both.open(CIPHER.seal("old", PLACE, row), PLACE, row) == "old"
    assert both.seal("new", PLACE, row)[2:4] == b"k2"
    with pytest.raises(KeyUnavailableError, match="not configured"):
        CIPHER.open(both.seal("new", PLACE, row), PLACE, row)


def test_without_keys_nothing_is_sealed_opened_or_indexed() -> None:
    empty, row = FieldCipher(), uuid4()
    for attempt in (
        lambda: empty.seal("x", PLACE, row),
        lambda: empty.open(CIPHER.seal("x", PLACE, row), PLACE, row),
        lambda: empty.index("x", "phone"),
    ):
        with pytest.raises(KeyUnavailableError):
            attempt()


@pytest.mark.parametrize(
    "keys",
    ["", "k1=", "index=" + "A" * 44, KEYS.split(",", maxsplit=1)[0], "k1=short,index=short", KEYS.replace("=", "", 1)],
    ids=["empty", "no value", "no data key", "no index key", "too short", "no sign"],
)
def test_malformed_keys_are_refused_with_a_cure(keys: str) -> None:
    with pytest.raises(KeyUnavailableError, match="consular keys generate"):
        cipher(keys)


def test_an_index_is_equal_for_equal_values_of_one_column_only() -> None:
    assert CIPHER.index("+218911234567", "phone") == CIPHER.index("+218911234567", "phone")
    assert CIPHER.index("+218911234567", "phone") != CIPHER.index("+218911234568", "phone")
    assert CIPHER.index("+218911234567", "phone") != CIPHER.index("+218911234567", "email")
    assert cipher(generate_keys()).index("+218911234567", "phone") != CIPHER.index("+218911234567", "phone")
