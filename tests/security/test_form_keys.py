"""Form keys: each form has its own, and only for its purpose."""

from __future__ import annotations

import pytest
from itsdangerous import TimestampSigner

from consular.security.fields import KeyUnavailableError
from consular.security.form_keys import FormKeys

FOUR_DAYS = 4 * 24 * 3600


def keys(secret: str = "a secret of thirty-two characters") -> FormKeys:
    made = FormKeys()
    made.configure(secret)
    return made


def test_a_key_reads_the_same_each_time() -> None:
    form_key = keys().issue("registration")
    assert keys().read(form_key, "registration") == keys().read(form_key, "registration") is not None


def test_two_forms_have_two_keys() -> None:
    first, second = (keys().read(keys().issue("registration"), "registration") for _ in range(2))
    assert first != second


@pytest.mark.parametrize("forged", ["", "x", "WyJ4Il0.x.y", "\x00", "é" * 500])
def test_forged_keys_are_none(forged: str) -> None:
    assert keys().read(forged, "registration") is None


def test_a_key_for_another_purpose_or_secret_is_none() -> None:
    form_key = keys().issue("registration")
    assert keys().read(form_key, "answer") is None
    assert keys("another secret of many characters").read(form_key, "registration") is None


def test_an_old_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    form_key = keys().issue("registration")
    now = TimestampSigner("x").get_timestamp()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: now + FOUR_DAYS)
    assert keys().read(form_key, "registration") is None


def test_without_a_secret_nothing_is_issued() -> None:
    with pytest.raises(KeyUnavailableError):
        FormKeys().issue("registration")
