"""`consular readiness` and `consular canary` as an operator types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import text

from config import GatewayConfig
from consular.cli import canary as canary_cli
from consular.cli import readiness as readiness_cli
from consular.cli.main import commands
from consular.clock import utc_now
from consular.providers.registry import Adapters
from tests.factories import make_people
from tests.social_world import accounts, approved

TWILIO = GatewayConfig("twilio", "http://127.0.0.1:9", "AC1", "token", "+15005550006", 1.0, 1)


@pytest.fixture
def run(app: Flask, monkeypatch: pytest.MonkeyPatch):
    """Runs a command on the test's database, with one real gateway and one handset."""
    settings = replace(app.config["CONSULAR"], twilio_gateway=TWILIO, canary_phones=("+218910000001",))
    monkeypatch.setitem(app.config, "CONSULAR", settings)

    @contextmanager
    def here(**_: object) -> Iterator[Flask]:
        yield app

    for module in (canary_cli, readiness_cli):
        monkeypatch.setattr(module, "application", here)
    return lambda *words: CliRunner().invoke(commands, list(words))


def test_a_country_whose_path_was_never_proven_ends_with_1(session, run):
    make_people(session, 3)
    session.commit()
    result = run("readiness", "ly")
    assert result.exit_code == 1
    assert "Libya: Nothing proven lately\n3 people on record there now, 3 could be reached now," in result.output
    assert "  twilio: Texts go by it\n    took a text: never" in result.output
    assert "- 3 people: Texts to numbers of Libya leave by twilio, never proven." in result.output


def test_a_proven_country_ends_with_0_and_old_proofs_count_no_more(session, run):
    make_people(session, 3)
    now = utc_now()
    session.execute(
        text("insert into path_proofs values ('twilio', 'LY', :at, :at, null)"), {"at": now.replace(microsecond=0)}
    )
    session.execute(text("update path_proofs set delivered_at = :at - interval '2 hours'"), {"at": now})
    session.commit()
    result = run("readiness")
    assert (result.exit_code, "Ready" in result.output) == (0, True)
    assert run("readiness", "--max-age", "1").exit_code == 1


def test_json_holds_the_same_facts(session, run):
    make_people(session, [None])
    session.commit()
    result = run("readiness", "LY", "--json")
    (facts,) = json.loads(result.output)
    assert (facts["country"], facts["people"], facts["reachable"], facts["no_phone"]) == ("LY", 1, 0, 1)
    assert facts["standing"] == "nobody_reachable"
    assert facts["gaps"][0]["why"] == "No phone on record"
    assert result.exit_code == 1


def test_public_posts_are_told_and_count_for_nobody(app, session, run, monkeypatch):
    make_people(session, [None])
    session.commit()
    assert "No public account is set up: alerts are posted nowhere." in run("readiness").output
    ready = accounts(app.config["CONSULAR"], "https://social.example")
    monkeypatch.setitem(app.extensions, "consular", Adapters(ready))
    approved(ready)
    session.execute(text("update social_posts set state = 'published', published_at = now()"))
    session.commit()
    for words in (("readiness",), ("readiness", "LY")):
        result = run(*words)
        assert "They reach nobody in particular" in result.output
        assert "  mastodon @ada\n    last post: 20" in result.output
        assert result.exit_code == 1, "a post reaches nobody"
    (facts,) = json.loads(run("readiness", "LY", "--json").output)
    assert facts["public_posts"][0]["published_at"].startswith("20")
    assert facts["reachable"] == 0


def test_nobody_anywhere_is_told_and_is_no_failure(session, run):
    result = run("readiness")
    assert (result.exit_code, "Nobody on record" in result.output) == (0, True)


def test_a_wrong_code_is_told(run):
    result = run("readiness", "Libya")
    assert (result.exit_code, "no country's code" in result.output) == (1, True)


def test_a_test_text_is_sent_once_and_shown(session, run):
    assert "1 test text waits to be sent." in run("canary", "send").output
    assert "1 left out: tested within the last ten minutes." in run("canary", "send").output
    shown = run("canary", "show").output
    assert "    last test text: waiting, " in run("readiness", "LY").output
    assert "LY …001 by twilio: waiting (sent " in shown
    assert "+218" not in shown


def test_nothing_to_test_is_told(app, run, monkeypatch):
    settings = replace(app.config["CONSULAR"], canary_phones=())
    monkeypatch.setitem(app.config, "CONSULAR", settings)
    result = run("canary", "send")
    assert (result.exit_code, "CANARY_PHONES" in result.output) == (1, True)
