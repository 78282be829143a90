"""The practice gateway over TLS: only who trusts its own authority may speak to it, and plain HTTP stays beside it."""

import socket
import ssl
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from consular.domain.ports import SmsRequest
from consular.loopback import free_port
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings
from tests.drill.conftest import ACCOUNT_SID, SENDER, TOKEN


@pytest.fixture
def over_tls(start, tmp_path):
    """(gateway, settings of a client that trusts it)"""
    port, authority = free_port(), tmp_path / "authority.pem"
    gateway = start("--profile", "lean", "--tls-port", str(port), "--tls-authority", str(authority))
    url = f"https://127.0.0.1:{port}"
    return gateway, TwilioSettings(
        "exercise", url, ACCOUNT_SID, TOKEN, SENDER, is_exercise=True, ca_file=str(authority)
    )


def hand_over(settings: TwilioSettings) -> str:
    client = TwilioGateway(settings, lambda attempt: f"http://127.0.0.1:9/status/{attempt}")
    try:
        client.submit(SmsRequest(uuid4(), "+218911234567", "hello", 3600, time.monotonic() + 60))
        while not (results := client.poll(5.0)):
            assert client.in_flight
        return results[0].outcome.value
    finally:
        client.close()


def test_a_client_that_trusts_the_authority_hands_over(over_tls):
    gateway, settings = over_tls
    assert hand_over(settings) == "accepted"
    assert gateway.stats()["accepted"] == 1


def test_a_client_that_does_not_sends_nothing(over_tls):
    gateway, settings = over_tls
    assert hand_over(replace(settings, ca_file="")) == "not_sent"
    assert gateway.stats()["accepted"] == 0


def test_the_certificate_is_for_the_address_alone(over_tls):
    _, settings = over_tls
    context = ssl.create_default_context(cafile=settings.ca_file)
    address = ("127.0.0.1", int(settings.base_url.rpartition(":")[2]))
    with (
        socket.create_connection(address, timeout=5) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(connection, server_hostname="api.twilio.com")


def test_the_key_is_written_nowhere(over_tls):
    _, settings = over_tls
    text = Path(settings.ca_file).read_text()
    assert text.count("BEGIN") == 1
    assert "PRIVATE" not in text


def test_one_option_alone_is_refused(tmp_path, capsys):
    from consular.drill.gateway.__main__ import main

    told = ["--account-sid", ACCOUNT_SID, "--inbound-url", "http://127.0.0.1:9/", "--tls-port", "1"]
    (tmp_path / "token").write_text(TOKEN)
    assert main([*told, "--auth-token-file", str(tmp_path / "token")]) == 2
    assert "need each other" in capsys.readouterr().err


def test_answers_in_pieces_over_tls(over_tls):
    """Hundreds of requests on one connection, as requests' pool sends them."""
    gateway, settings = over_tls
    with requests.Session() as session:
        for number in range(50):
            form = {"To": f"+2189112345{number:02d}", "From": SENDER, "Body": "hi " * 40}
            answer = session.post(
                settings.base_url + settings.messages_path,
                data=form,
                auth=(ACCOUNT_SID, TOKEN),
                verify=settings.ca_file,
                timeout=5,
            )
            assert answer.status_code == 201
    assert gateway.stats()["accepted"] == 50
