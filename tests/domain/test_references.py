"""References: short, distinct, read out and typed back with the usual slips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.references import number_of, reference_of

NUMBERS = st.integers(0, 2**35 - 1)


@given(NUMBERS)
def test_a_reference_gives_its_number_back(number):
    assert number_of(reference_of(number)) == number


@given(NUMBERS, NUMBERS)
def test_two_messages_never_share_a_reference(one, other):
    assert (reference_of(one) == reference_of(other)) == (one == other)


@given(st.integers(0, 2**30 - 1))
def test_a_reference_has_six_signs_without_those_that_look_alike(number):
    reference = reference_of(number)
    assert len(reference) == 6
    assert not set(reference) & set("ILOU")


def test_neighbours_look_different():
    pairs = [(reference_of(number), reference_of(number + 1)) for number in range(1, 1000)]
    assert min(sum(a != b for a, b in zip(one, other, strict=True)) for one, other in pairs) >= 2


@given(NUMBERS)
def test_slips_of_the_pen_are_forgiven(number):
    reference = reference_of(number)
    written = reference.lower().replace("0", "o").replace("1", "l")
    assert number_of(f"  {written}\n") == number


@pytest.mark.parametrize("text", ["", "K7Q2X", "K7Q2XM77", "K7Q2X!", "K7Q2XU", "٣٣٣٣٣٣", "K7Q 2X", "ß12345"])
def test_anything_else_is_no_reference(text):
    assert number_of(text) is None
