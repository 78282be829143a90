"""Settings of the HTTP gateway: every problem is named at once, no secret is shown."""

from __future__ import annotations

import certifi
import pytest

from config import Config, ConfigError
from consular.providers.registry import Adapters, check_settings, http_settings

BASE = {"DATABASE_URL": "postgresql://localhost/consular", "SECRET_KEY": "s" * 32, "CONSULAR_KEYS": "keys"}
HTTP = {
    "HTTP_GATEWAY_PROFILE": "kannel",
    "HTTP_GATEWAY_URL": "http://10.0.0.7:13013/cgi-bin/sendsms",
    "HTTP_GATEWAY_FROM": "13013",
    "HTTP_GATEWAY_RATE": "2.5",
    "HTTP_GATEWAY_CONCURRENCY": "7",
    "HTTP_GATEWAY_CA_FILE": certifi.where(),
    "HTTP_GATEWAY_KEY_VERSION": "3",
    "HTTP_GATEWAY_SECRET_USERNAME": "quokka",
    "HTTP_GATEWAY_SECRET_PASSWORD": "wombat {1}",
}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config.from_env(BASE | environ)
    return str(caught.value).splitlines()


def test_every_setting_reaches_the_adapter():
    config = Config.from_env(BASE | HTTP)
    assert config.http_gateway is not None
    settings = http_settings(config.http_gateway)
    assert (settings.name, settings.profile.name, settings.url) == ("http", "kannel", HTTP["HTTP_GATEWAY_URL"])
    assert settings.secrets == {"username": "quokka", "password": "wombat {1}"}
    assert (settings.sender, settings.concurrency, config.http_gateway.rate) == ("13013", 7, 2.5)
    assert (settings.ca_file, settings.key_version, settings.is_exercise) == (certifi.where(), 3, False)
    assert list(config.gateways) == ["http"]


def test_a_request_fits_into_the_lease():
    """A lease of the shortest length that is allowed must leave time for a whole request, or nothing would be sent."""
    config = Config.from_env(BASE | HTTP | {"LEASE_SECONDS": "20"})
    assert config.http_gateway is not None
    settings = http_settings(config.http_gateway)
    assert settings.total_timeout_seconds + settings.lease_margin_seconds < config.lease_seconds


def test_secrets_are_never_shown():
    config = Config.from_env(BASE | HTTP | {"HTTP_GATEWAY_URL": "https://sms.example/hidden-path"})
    assert config.http_gateway is not None
    shown = f"{config!r}{config.http_gateway!r}{http_settings(config.http_gateway)!r}{Adapters(config)!r}"
    assert not any(secret in shown for secret in ("quokka", "wombat", "hidden-path"))


@pytest.mark.parametrize("name", ["URL", "FROM", "RATE", "SECRET_USERNAME"])
def test_a_gateway_begins_with_any_of_its_settings(name):
    (problem,) = problems({f"HTTP_GATEWAY_{name}": "1"})
    assert problem.startswith("HTTP_GATEWAY_PROFILE is not set")


def test_all_problems_are_named_at_once():
    wrong = {name: "wrong" for name in ("RATE", "CONCURRENCY", "KEY_VERSION")}
    found = problems({f"HTTP_GATEWAY_{name}": value for name, value in wrong.items()})
    named = [line.split(" ")[0] for line in found]
    assert sorted(named) == sorted(f"HTTP_GATEWAY_{name}" for name in ("PROFILE", *wrong))


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_rate_is_above_nothing(value):
    assert problems(HTTP | {"HTTP_GATEWAY_RATE": value}) == [
        "HTTP_GATEWAY_RATE must be a number of parts per second above 0"
    ]


def test_empty_settings_are_no_gateway():
    assert Config.from_env(BASE | {name: " " for name in HTTP}).http_gateway is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"HTTP_GATEWAY_PROFILE": "/nowhere/operator.toml"}, "cannot be read"),
        ({"HTTP_GATEWAY_URL": ""}, "no address"),
        ({"HTTP_GATEWAY_URL": "http://sms.example/send"}, "https"),
        ({"HTTP_GATEWAY_SECRET_PASSWORD": ""}, "HTTP_GATEWAY_SECRET_PASSWORD"),
        ({"HTTP_GATEWAY_FROM": "Ministry of Foreign Affairs"}, "sender"),
        ({"HTTP_GATEWAY_CA_FILE": "/nowhere/ca.pem"}, "CA_FILE"),
        ({"HTTP_GATEWAY_CA_FILE": __file__}, "CA_FILE"),
    ],
    ids=["profile", "address", "not https", "secret", "sender", "no certificates", "certificates that are none"],
)
def test_what_only_the_adapter_can_judge_is_judged_before_the_start(changes, said):
    config = Config.from_env(BASE | HTTP | changes)
    (problem,) = Adapters(config).problems()
    assert problem.startswith("The http gateway: ")
    assert said in problem
    assert "wombat" not in problem
    with pytest.raises(ValueError, match=said):
        check_settings(config.http_gateway)
