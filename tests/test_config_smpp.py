"""The settings of an operator's SMSC: read whole, refused at once, and never used by anything but their process."""

from __future__ import annotations

import pytest

from config import Config, ConfigError
from consular.providers.registry import Adapters, check_settings
from tests.test_config import BASE

SMPP = {
    "SMPP_HOST": "10.8.0.7",
    "SMPP_SYSTEM_ID": "consular",
    "SMPP_PASSWORD": "secret",
    "SMPP_FROM": "+218910000000",
    "SMPP_RATE": "30",
    "SMPP_WINDOW": "20",
    "SMPP_HOME_CODE": "218",
    "SMPP_SENDER_TON": "0",
}


def test_everything_is_read_and_can_be_used() -> None:
    settings = Config.from_env(BASE | SMPP).smpp_gateway
    assert settings is not None
    check_settings(settings)
    assert (settings.host, settings.port, settings.rate, settings.concurrency) == ("10.8.0.7", 2775, 30.0, 20)
    assert (settings.home_code, settings.sender_ton, settings.sender_npi) == ("218", 0, None)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("missing", ["SMPP_HOST", "SMPP_SYSTEM_ID", "SMPP_PASSWORD", "SMPP_FROM"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        Config.from_env(BASE | {name: value for name, value in SMPP.items() if name != missing})


def test_without_any_there_is_no_such_gateway() -> None:
    assert Config.from_env(BASE).gateways == {}
    with pytest.raises(ValueError, match="SMPP_HOST"):
        Adapters(Config.from_env(BASE)).open_smpp(lambda receipts, texts: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SMPP_HOST": "smsc.example.org"}, "VPN"),
        ({"SMPP_PASSWORD": "too-long-a-password"}, "password"),
        ({"SMPP_FROM": "a sender with too many letters"}, "sender"),
        ({"SMPP_WINDOW": "20000"}, "window"),
    ],
)
def test_what_cannot_work_is_said_in_words(changes: dict[str, str], words: str) -> None:
    (problem,) = Adapters(Config.from_env(BASE | SMPP | changes)).problems()
    assert words in problem
    assert problem.startswith("The smpp gateway: ")


def test_a_protected_line_may_lead_anywhere() -> None:
    changes = {"SMPP_HOST": "smsc.example.org", "SMPP_PROTECTED_LINE": "yes"}
    assert Adapters(Config.from_env(BASE | SMPP | changes)).problems() == []
    with pytest.raises(ConfigError, match="SMPP_PROTECTED_LINE must be yes or no"):
        Config.from_env(BASE | SMPP | {"SMPP_PROTECTED_LINE": "perhaps"})


def test_nobody_else_opens_the_bind() -> None:
    assert Adapters(Config.from_env(BASE | SMPP)).gateway("smpp") is None
