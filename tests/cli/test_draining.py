"""`consular drain` by each kind of gateway, and what it says when it cannot send."""

from __future__ import annotations

import subprocess
import sys

import pytest

from consular.domain.cap import AlertStatus
from consular.extensions import db
from tests.conftest import ROOT
from tests.factories import alert_everybody, rows, set_messages
from tests.workers.processes import environment

HTTP = {
    "HTTP_GATEWAY_PROFILE": "kannel",
    "HTTP_GATEWAY_FROM": "13013",
    "HTTP_GATEWAY_SECRET_USERNAME": "consular",
    "HTTP_GATEWAY_SECRET_PASSWORD": "pw",
    "HTTP_GATEWAY_RATE": "1000",
}
SMPP = {"SMPP_HOST": "127.0.0.1", "SMPP_SYSTEM_ID": "consular", "SMPP_PASSWORD": "pw", "SMPP_FROM": "13013"}
NO_PRACTICE = dict.fromkeys(
    ("EXERCISE_GATEWAY_ACCOUNT_SID", "EXERCISE_GATEWAY_AUTH_TOKEN", "EXERCISE_GATEWAY_FROM"), ""
)
_COMMAND = [sys.executable, "-c", "from consular.cli.main import main; main()", "drain"]


def run(config, *arguments, **settings):
    env = environment(config, **settings)
    done = subprocess.run([*_COMMAND, *arguments], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [(), ("--gateway", "http")], ids=["every gateway", "this one"])
def test_texts_leave_by_the_http_gateway(committing, config, serve, arguments):
    server = serve(lambda talk: talk.answer(202, b"0: Accepted for delivery", "Content-Type: text/plain"))
    alert_everybody(db.session, 3, status=AlertStatus.ACTUAL)
    set_messages(db.session, "gateway = 'http'")
    status, said, wrong = run(config, *arguments, **HTTP, HTTP_GATEWAY_URL=server.url)
    assert (status, said.splitlines()[-1], wrong) == (0, "3 messages were handed over or tried.", "")
    assert len(server.received) == 3
    assert rows(db.session, "select distinct gateway, state from messages") == [("http", "accepted")]


@pytest.mark.parametrize(
    ("gateway", "variables"),
    [
        ("twilio", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"]),
        ("http", ["HTTP_GATEWAY_PROFILE", "HTTP_GATEWAY_URL", "HTTP_GATEWAY_SECRET_"]),
        ("smpp", ["SMPP_HOST", "SMPP_SYSTEM_ID", "SMPP_PASSWORD", "SMPP_FROM"]),
    ],
)
def test_a_gateway_that_is_not_set_up_names_its_variables(committing, config, gateway, variables):
    status, said, wrong = run(config, "--gateway", gateway)
    assert (status, said) == (1, "")
    assert wrong.startswith(f"The {gateway} gateway is not configured: set ")
    assert [name for name in variables if name not in wrong] == []


def test_smpp_sends_by_its_own_process_alone(committing, config):
    status, _, wrong = run(config, "--gateway", "smpp", **SMPP)
    assert status == 1
    assert "worker-smpp" in wrong
    status, said, wrong = run(config, **SMPP, **NO_PRACTICE)
    assert (status, said, wrong) == (0, "0 messages were handed over or tried.\n", ""), "receipts and texts are read"


def test_without_any_gateway_it_says_so(committing, config):
    status, _, wrong = run(config, **NO_PRACTICE)
    assert status == 1
    assert wrong.startswith("No gateway is configured")
