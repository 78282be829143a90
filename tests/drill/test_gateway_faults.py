"""Faults of the practice gateway: what the client sees, and whether the text went out."""

import socket

import pytest
import requests
from twilio.base.exceptions import TwilioException

from consular.drill.gateway.faults import FaultSource
from consular.drill.gateway.profiles import Fault
from tests.drill.conftest import ACCOUNT_SID, TOKEN
from tests.drill.test_gateway_http import post, talk


@pytest.mark.parametrize(
    ("fault", "status", "is_accepted"),
    [
        ("429", 429, False),
        ("500_before", 500, False),
        ("500_after", 500, True),
        ("503_before", 503, False),
        ("suspended", 403, False),
        ("20003", 401, False),
        ("429_long", 429, False),
        ("21408", 400, False),
        ("redirect", 302, False),
        ("html_after", 200, True),
        ("wrong_sid_after", 201, True),
    ],
)
def test_faults_with_an_answer(start, fault, status, is_accepted):
    gateway = start("--profile", "lean", "--fault", f"{fault}=1")
    answer = gateway.session.post(
        gateway.messages_url,
        data={"To": "+218911234567", "From": "+15005550006", "Body": "x"},
        auth=(ACCOUNT_SID, TOKEN),
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == fault.startswith("429")
    assert gateway.stats()["accepted"] == int(is_accepted)
    assert len(gateway.sdk().messages.list(to="+218911234567")) == int(is_accepted)


@pytest.mark.parametrize(("fault", "is_accepted"), [("reset_before", False), ("reset_after", True)])
def test_reset_connections(start, fault, is_accepted):
    gateway = start("--profile", "lean", "--fault", f"{fault}=1")
    with pytest.raises(requests.ConnectionError):
        gateway.create("+218911234567")
    assert gateway.stats()["accepted"] == int(is_accepted)


def test_truncated_answer(start):
    gateway = start("--profile", "lean", "--fault", "truncated_after=1")
    answer = talk(gateway.port, post("218911234567"))
    length = int(answer.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert len(answer.partition(b"\r\n\r\n")[2]) < length
    assert gateway.stats()["accepted"] == 1


@pytest.mark.parametrize(("fault", "is_accepted"), [("hang_before", False), ("hang_after", True)])
def test_hanging_connections_do_not_hold_up_others(start, fault, is_accepted):
    gateway = start("--profile", "lean", "--fault", f"{fault}=1")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=0.3) as connection:
        connection.sendall(post("218911234567"))
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert gateway.stats()["accepted"] == int(is_accepted)


def test_faults_can_end_while_the_gateway_runs(start):
    gateway = start("--profile", "lean", "--fault", "suspended=1")
    assert gateway.create("+218911234567").status_code == 403
    assert gateway.session.post(f"{gateway.url}/_sim/faults", json={}, timeout=10).json() == {}
    assert gateway.create("+218911234567").status_code == 201
    assert gateway.session.post(f"{gateway.url}/_sim/faults", json={"no such": 1}, timeout=10).status_code == 400


def test_too_many_requests_at_a_time(start):
    gateway = start("--profile", "lean", "--concurrency-limit", "5", "--latency-ms", "200")
    answers = talk(gateway.port, b"".join([post(f"21891123456{digit}") for digit in range(8)]))
    assert (answers.count(b" 201 Created"), answers.count(b" 429 Too Many")) == (5, 3)


def test_each_try_has_its_own_chance_and_the_same_one_in_every_run():
    def run() -> list[Fault | None]:
        source = FaultSource(7, {Fault.ERROR_BEFORE: 0.5})
        return [source.strike("+218911234567", 0) for _ in range(50)]

    first = run()
    assert first == run()
    assert Fault.ERROR_BEFORE in first
    assert first[-1] is None
    shares = [FaultSource(7, {Fault.TOO_MANY: 0.3}).strike(f"+2189112{number:05d}", 0) for number in range(2_000)]
    assert 500 < sum(fault is not None for fault in shares) < 700


def test_base_profile_leaves_a_few_results_open(start):
    gateway = start("--speed", "0.001")
    codes = [gateway.create(f"+21891900{number:04d}").status_code for number in range(1_500)]
    assert 0 < codes.count(500) < 12
    assert gateway.stats()["accepted"] == codes.count(201) + codes.count(500)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--profile", "nowhere"], id="profile"),
        pytest.param(["--host", "8.8.8.8"], id="public address"),
        pytest.param(["--fault", "nonsense=1"], id="fault"),
        pytest.param(["--speed", "0"], id="speed"),
    ],
)
def test_wrong_options_get_one_sentence(capsys, options, monkeypatch):
    from consular.drill.gateway.__main__ import ENVIRONMENT_NAME, main

    monkeypatch.setenv(ENVIRONMENT_NAME, "t")
    assert main(["--account-sid", ACCOUNT_SID, "--inbound-url", "http://127.0.0.1:1/", *options]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_list_can_lag_and_fail_while_the_gateway_runs(start):
    gateway = start("--profile", "lean")
    gateway.create("+218911234567")
    messages = gateway.sdk().messages

    def change(what, **values):
        return gateway.session.post(f"{gateway.url}/_sim/{what}", json=values, timeout=10).status_code

    assert change("list", lag_seconds=None) == 200
    assert messages.list(to="+218911234567") == []
    assert change("list", is_failing=True) == 200
    with pytest.raises(TwilioException, match="500"):
        messages.list(to="+218911234567")
    assert change("list") == 200
    assert len(messages.list(to="+218911234567")) == 1
    assert change("network", no_such=1) == 400


def test_callbacks_can_be_lost_from_some_moment_on_and_the_log_says_which_were_taken(start, receiver):
    gateway = start("--profile", "perfect", "--speed", "100")
    gateway.create("+218961234567", StatusCallback=f"{receiver.url}/status/1")
    gateway.settle()
    gateway.session.post(f"{gateway.url}/_sim/network", json={"lost_callback": 1.0}, timeout=10)
    gateway.create("+218961234568", StatusCallback=f"{receiver.url}/status/2")
    gateway.settle()
    assert [row["acknowledged"] for row in gateway.rows("log")] == [["sent", "delivered"], []]
    assert receiver.at("/status/2") == []
