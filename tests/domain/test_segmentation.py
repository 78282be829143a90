"""Parts are counted as the gateway counts them; the vectors were answered by Twilio's sms-segments-calculator 1.3.0."""

import json
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consular.domain.graphemes import split_graphemes
from consular.domain.segmentation import GSM_7, UCS_2, non_gsm_characters, segment

VECTORS = json.loads((Path(__file__).parent / "data" / "segmentation.json").read_text(encoding="ascii"))
LARGEST_CLUSTER = 32
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
CROWDED_TEXT = st.lists(
    st.sampled_from(["a", "é", "€", "{", "ê", "😀", "👨‍👩‍👧‍👦", "🇱🇾", "क्षि", "\r\n", "\u0301", "\ud83d", "अ", "ت"]),
    max_size=200,
).map("".join)


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def units_as(encoding: str, text: str) -> int:
    if encoding == UCS_2:
        return utf16_units(text)
    return sum(2 if character in "\f^{}\\[~]|€" else 1 for character in text)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_counts_and_cuts_as_twilio(vector):
    got = segment(vector["text"])
    assert (got.encoding, got.parts) == (vector["encoding"], vector["parts"])
    assert [utf16_units(part) for part in got.texts] == vector["lengths"]


@given(ANY_TEXT | CROWDED_TEXT)
def test_the_parts_joined_are_the_text(text):
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    got = segment(text)
    assert "".join(got.texts) == paired
    assert len(got.texts) == got.parts


@given(CROWDED_TEXT)
def test_no_part_is_overfull_while_two_clusters_fit_into_one(text):
    assume(max(map(utf16_units, split_graphemes(text)), default=0) <= LARGEST_CLUSTER)
    got = segment(text)
    alone, concatenated = {GSM_7: (160, 153), UCS_2: (70, 67)}[got.encoding]
    limit = concatenated if got.parts > 1 else alone
    assert all(units_as(got.encoding, part) <= limit for part in got.texts)


@given(CROWDED_TEXT)
def test_a_character_more_never_costs_a_part_less(text):
    assert segment(text).parts <= segment(text + "x").parts


@given(ANY_TEXT)
def test_gsm_7_exactly_when_no_character_forces_ucs_2(text):
    assert (segment(text).encoding == UCS_2) == bool(non_gsm_characters(text))


def test_the_characters_that_double_the_price_are_named_once_each():
    assert non_gsm_characters("Ça ne va pas: l’eau, reçu, déçu") == ("’", "ç")


def test_time_grows_with_the_length_and_no_faster():
    short, long = (fastest_of_three(lambda n=n: segment("क्षि€" * n)) for n in (2_000, 20_000))
    assert long < short * 40


def fastest_of_three(action) -> float:
    durations = []
    for _ in range(3):
        started = perf_counter()
        action()
        durations.append(perf_counter() - started)
    return min(durations)
