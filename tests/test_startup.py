"""A process whose settings cannot work says so and ends; it never serves half of its work."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from flask import Flask

from config import Config
from consular.startup import UNUSABLE_SETTINGS, start

TWILIO = "https://api.twilio.com"


def with_gateway(config: Config, name: str, **changes: Any) -> Config:
    assert config.exercise_gateway is not None
    changed = dataclasses.replace(config.exercise_gateway, name=name, **changes)
    gateways: dict[str, Any] = {"twilio_gateway": None, "exercise_gateway": None, f"{name}_gateway": changed}
    return dataclasses.replace(config, **gateways)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("exercise", {"base_url": TWILIO}, "The exercise gateway: The exercise gateway must never be Twilio's own"),
        ("exercise", {"base_url": "https://sms.example.org"}, "must be on this machine or in the private network"),
        ("twilio", {"base_url": TWILIO, "account_sid": "AC123"}, "The twilio gateway: The account sid must be AC"),
        ("twilio", {"base_url": "http://sms.example.org"}, "must begin with https://"),
    ],
    ids=["exercise at Twilio", "exercise in public", "mistyped account", "password in the clear"],
)
def test_a_gateway_that_cannot_be_used_stops_every_process(
    application: Flask,
    config: Config,
    capsys: pytest.CaptureFixture[str],
    name: str,
    changes: dict[str, str],
    sentence: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        start(with_gateway(config, name, **changes))
    assert ended.value.code == UNUSABLE_SETTINGS
    told = capsys.readouterr().err
    assert sentence in told
    assert config.secret_key not in told
