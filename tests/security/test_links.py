"""Personal links: only ours are read, whatever is changed in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.security.fields import KeyUnavailableError
from consular.security.links import LINK_TOKEN_LENGTH, LinkSigner

NUMBERS = st.integers(min_value=0, max_value=2**40 - 1)
SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def signer(secret: str = "a secret of thirty-two characters") -> LinkSigner:
    links = LinkSigner()
    links.configure(secret)
    return links


@given(NUMBERS)
def test_a_token_gives_its_number_back(number: int) -> None:
    links = signer()
    token = links.token(number)
    assert links.number(token) == number
    assert len(token) == LINK_TOKEN_LENGTH
    assert token.isascii()
    assert token.isalnum()


@given(NUMBERS, st.integers(0, LINK_TOKEN_LENGTH - 1), st.sampled_from(SIGNS))
def test_any_other_sign_makes_it_unreadable(number: int, position: int, sign: str) -> None:
    links = signer()
    token = links.token(number)
    changed = token[:position] + sign + token[position + 1 :]
    assert links.number(changed) == (number if changed == token else None)


@given(st.text(max_size=40))
def test_no_text_is_an_error(text: str) -> None:
    assert signer().number(text) is None


def test_another_secret_reads_nothing() -> None:
    assert signer("another secret of many characters").number(signer().token(7)) is None


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("z" * LINK_TOKEN_LENGTH, id="beyond 13 bytes"),
        pytest.param("٠" * LINK_TOKEN_LENGTH, id="other digits"),
        pytest.param("0" * 100_000, id="very long"),
    ],
)
def test_malformed_tokens_are_none(token: str) -> None:
    assert signer().number(token) is None


@pytest.mark.parametrize("number", [-1, 2**40])
def test_numbers_beyond_40_bits_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="40 bits"):
        signer().token(number)


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(KeyUnavailableError):
        LinkSigner().token(1)
