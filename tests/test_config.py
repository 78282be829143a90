"""Settings that would only fail later, or fail silently, are named at once."""

from __future__ import annotations

import pytest

from config import Config, ConfigError
from consular.providers.registry import twilio_settings

BASE = {
    "DATABASE_URL": "postgresql://localhost/consular",
    "SECRET_KEY": "s" * 32,
    "CONSULAR_KEYS": "keys",
}
ONE, OTHER = "AC" + "a" * 32, "AC" + "b" * 32


def gateway(prefix: str, account_sid: str) -> dict[str, str]:
    values = {"ACCOUNT_SID": account_sid, "AUTH_TOKEN": "t", "FROM": "+15550001111", "BASE_URL": "http://127.0.0.1:1"}
    return {f"{prefix}_{name}": value for name, value in values.items()}


@pytest.mark.parametrize("address", ["localhost:6379", "garbage", "http://localhost:6379"])
def test_an_address_that_is_no_redis_is_named(address: str) -> None:
    with pytest.raises(ConfigError, match="REDIS_URL must be an address such as redis://"):
        Config.from_env(BASE | {"REDIS_URL": address})


@pytest.mark.parametrize("address", ["redis://h:1/0", "rediss://h", "unix:///run/redis.sock"])
def test_an_address_of_a_redis_is_taken(address: str) -> None:
    assert Config.from_env(BASE | {"REDIS_URL": address}).redis_url == address


@pytest.mark.parametrize(
    "address", ["https://c.example?x=1", "https://c.example/#top", "https://user@c.example", "c.example"]
)
@pytest.mark.parametrize("name", ["PUBLIC_URL", "WEBHOOK_BASE_URL"])
def test_an_address_that_no_path_can_be_added_to_is_named(name: str, address: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must"):
        Config.from_env(BASE | {name: address})


def test_an_exercise_never_shares_the_account_of_the_real_gateway() -> None:
    """A text that comes in tells by its account alone whether it is real."""
    with pytest.raises(ConfigError, match="are the same"):
        Config.from_env(BASE | gateway("TWILIO", ONE) | gateway("EXERCISE_GATEWAY", ONE))
    both = Config.from_env(BASE | gateway("TWILIO", ONE) | gateway("EXERCISE_GATEWAY", OTHER))
    assert (both.twilio_gateway, both.exercise_gateway) != (None, None)


def test_handsets_are_read_with_spaces_and_each_once() -> None:
    config = Config.from_env(BASE | {"CANARY_PHONES": "+218 91 123 4567, +393331234567,,+218911234567"})
    assert config.canary_phones == ("+218911234567", "+393331234567")
    assert config.canary_hour == 6
    assert "911234567" not in repr(config)


@pytest.mark.parametrize("phones", ["0911234567", "+0911234567", "+39333", "+218911234567;+393331234567", "embassy"])
def test_handsets_that_are_no_numbers_are_named_without_saying_them(phones: str) -> None:
    with pytest.raises(ConfigError, match="CANARY_PHONES holds 1 that is no phone number") as caught:
        Config.from_env(BASE | {"CANARY_PHONES": phones})
    assert phones not in str(caught.value)


@pytest.mark.parametrize("hour", ["24", "-1", "six"])
def test_the_hour_of_the_test_is_one_of_the_day(hour: str) -> None:
    with pytest.raises(ConfigError, match="CANARY_HOUR must be"):
        Config.from_env(BASE | {"CANARY_HOUR": hour})


def test_midnight_is_an_hour() -> None:
    assert Config.from_env(BASE | {"CANARY_HOUR": "0"}).canary_hour == 0


def test_a_gateway_with_an_authority_of_its_own_is_trusted_by_its_file_alone() -> None:
    told = gateway("TWILIO", ONE) | gateway("EXERCISE_GATEWAY", OTHER) | {"EXERCISE_GATEWAY_CA_FILE": "/ca.pem"}
    config = Config.from_env(BASE | told)
    assert config.exercise_gateway is not None
    assert config.twilio_gateway is not None
    assert twilio_settings(config.exercise_gateway).route("/", 1.0, 1).ca_file == "/ca.pem"
    assert twilio_settings(config.twilio_gateway).route("/", 1.0, 1).ca_file == ""
