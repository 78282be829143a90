"""`consular gateway-urls`: what to give to an operator, and with which warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from config import Config
from consular.cli.main import commands
from consular.providers.http_gateway.calls import WebhookCall
from consular.providers.registry import Adapters
from tests.cli.test_draining import HTTP
from tests.web.webhooks.test_http import FIXED
from tests.workers.processes import environment


def settings(config: Config, **changes: str) -> dict[str, str]:
    return environment(config, **HTTP | {"HTTP_GATEWAY_URL": "http://127.0.0.1:9/send"} | changes)


def told(env: dict[str, str]) -> str:
    result = CliRunner(env=env).invoke(commands, ["gateway-urls"])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_address_for_texts_is_the_one_that_is_taken(config):
    env = settings(config)
    output = told(env)
    (address,) = [line.strip() for line in output.splitlines() if line.startswith("  http")]
    path, _, query = address.partition("?")
    assert path == "http://consular.test/webhooks/http/http/inbound"
    call = WebhookCall(f"{query}&id=1&from=218912345678&text=1&charset=UTF-8".encode())
    assert Adapters(Config.from_env(env)).http_doorway.inbound("http", call).body == "1"
    assert "fields id, from, to, text, charset" in output
    assert "every text carries an address of its own" in output


def test_it_warns_of_the_key_and_of_an_open_line(config, https_config):
    assert "our key is in it" in told(settings(config))
    assert "not https" in told(settings(config))
    assert "not https" not in told(settings(https_config))


def test_one_address_for_all_receipts_where_the_operator_has_ids(config, tmp_path: Path):
    profile = tmp_path / "fixed.toml"
    profile.write_text(FIXED)
    output = told(settings(config, HTTP_GATEWAY_PROFILE=str(profile)))
    assert "http://consular.test/webhooks/http/http/receipt?k=" in output


@pytest.mark.parametrize("left_out", ["[receipts]", "[inbound]"])
def test_what_a_profile_does_not_read_is_said(config, tmp_path: Path, left_out):
    other = {"[receipts]": "[inbound]", "[inbound]": "[receipts]"}[left_out]
    start, _, rest = FIXED.partition("[receipts]")
    profile = tmp_path / "half.toml"
    receipts, _, inbound = rest.partition("[inbound]")
    profile.write_text(start + other + (inbound if other == "[inbound]" else receipts))
    assert f"the profile has no {left_out}" in told(settings(config, HTTP_GATEWAY_PROFILE=str(profile)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict.fromkeys([*HTTP, "HTTP_GATEWAY_URL"], ""), "The http gateway is not configured"),
        ({"HTTP_GATEWAY_URL": ""}, "The gateway has no address"),
        ({"HTTP_GATEWAY_PROFILE": "nobody"}, "give one of kannel, kannel-get"),
    ],
    ids=["nothing set", "no address", "no such profile"],
)
def test_it_says_what_is_missing(config, changes, said):
    result = CliRunner(env=settings(config, **changes)).invoke(commands, ["gateway-urls"])
    assert result.exit_code == 1
    assert said in result.output
    assert "pw" not in result.output


def test_check_config_names_the_gateway_and_what_is_wrong(config):
    env = settings(config, HTTP_GATEWAY_SECRET_PASSWORD="", HTTP_GATEWAY_CA_FILE="/nowhere/ca.pem")
    result = CliRunner(env=env).invoke(commands, ["check-config"])
    assert result.exit_code == 1
    (said,) = [line for line in result.output.splitlines() if line.startswith("✗ The http gateway: ")]
    assert said.endswith("needs a secret named password: set HTTP_GATEWAY_SECRET_PASSWORD.")
    right = CliRunner(env=settings(config)).invoke(commands, ["check-config"]).output
    assert "✓ The http gateway sends 1000 parts a second." in right
    assert "✗ The http gateway" not in right
