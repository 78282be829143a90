"""`consular gaps` stores what webhooks missed, and says in a sentence when the gateway does not answer."""

from __future__ import annotations

import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from flask import Flask

from config import Config
from consular.extensions import db
from tests.conftest import OUR_NUMBER, ROOT
from tests.factories import phone, rows
from tests.workers.processes import environment, practice_gateway


def run(config: Config, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from consular.cli.main import main; main()", "gaps", *arguments]
    return subprocess.run(command, env=environment(config, url), cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_list_that_answers(committing: Flask, config: Config, tmp_path: Path) -> None:
    with practice_gateway(tmp_path) as gateway:
        form = urllib.parse.urlencode({"From": phone(1), "To": OUR_NUMBER, "Body": "2"}).encode()
        urllib.request.urlopen(f"{gateway.url}/_sim/texts", data=form).close()
        result = run(config, gateway.url, "--gateway", "exercise", "--hours", "1")
    assert (result.stdout, result.stderr) == ("0 texts were missing and are stored now.\n", "")
    assert rows(db.session, "select 1 from inbound_messages") == [], "its webhook may still come"


def test_a_list_that_does_not_answer(committing: Flask, config: Config) -> None:
    result = run(config, "http://127.0.0.1:9", "--gateway", "exercise")
    assert result.returncode == 1
    assert result.stderr == "Error: The gateway's list gave no answer (transport 7).\n"


def test_a_gateway_that_is_not_set_up(committing: Flask, config: Config) -> None:
    result = run(config, "http://127.0.0.1:9")
    assert (result.returncode, result.stderr) == (1, "Error: The twilio gateway is not configured.\n")
