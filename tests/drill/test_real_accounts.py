"""The processes of a drill have no key to a real gateway or account, whatever this machine is set up with."""

from __future__ import annotations

import pytest

from consular.drill import world

REAL = ("TWILIO_AUTH_TOKEN", "SMPP_PASSWORD", "HTTP_GATEWAY_SECRET_PASSWORD", "MASTODON_TOKEN", "TELEGRAM_TOKEN")


@pytest.mark.parametrize("name", [*REAL, "EXERCISE_MASTODON_TOKEN"])
def test_a_real_account_is_taken_away(name, monkeypatch):
    monkeypatch.setenv(name, "secret")
    assert world._child_env({"PUBLIC_URL": "http://127.0.0.1:1"}) == {name: None, "PUBLIC_URL": "http://127.0.0.1:1"}
