"""The promises of domain.ports.SmsGateway, kept alike by the fake of the tests and by the real adapter on the
practice gateway."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from consular.domain.ports import GatewayError, RefusalScope, SendOutcome, SmsGateway, SmsRequest, SmsResult
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings
from tests.fakes import FakeGateway, lost, refused, throttled, unreachable

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
TOKEN = "contract-token"
SENDER = "+15005550006"
_fresh = iter(range(10_000_000))


@dataclass
class Side:
    """A gateway and the means to make it fail: trouble("429"), or "" for none; lose() takes it away."""

    gateway: SmsGateway
    trouble: Callable[[str], None]
    lose: Callable[[], None]


def fake_side() -> Side:
    gateway = FakeGateway(concurrency=10)
    answers = {
        "": gateway.answer,
        "429": throttled(),
        "500_before": lost,
        "500_after": gateway.taken_but_lost,
        "21408": refused("21408", RefusalScope.COUNTRY),
        "suspended": refused("20003", RefusalScope.ACCOUNT),
    }

    def lose() -> None:
        gateway.answer, gateway.list_error = unreachable, True

    return Side(gateway, lambda name: setattr(gateway, "answer", answers[name]), lose)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    token_file = tmp_path_factory.mktemp("gateway") / "token"
    token_file.write_text(TOKEN)
    options = ["--account-sid", ACCOUNT_SID, "--auth-token-file", str(token_file), "--latency-ms", "0"]
    options += ["--inbound-url", "http://127.0.0.1:9/inbound", "--profile", "lean"]
    command = [sys.executable, "-m", "consular.drill.gateway", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def real_side(url: str) -> Side:
    def make(base: str) -> TwilioGateway:
        settings = TwilioSettings("exercise", base, ACCOUNT_SID, TOKEN, SENDER, is_exercise=True, concurrency=10)
        return TwilioGateway(settings, lambda attempt_id: f"http://127.0.0.1:9/status/{attempt_id}")

    def trouble(name: str) -> None:
        shares = json.dumps({name: 1.0} if name else {}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{url}/_sim/faults", data=shares, method="POST")).close()

    side = Side(make(url), trouble, lambda: None)

    def lose() -> None:
        side.gateway.close()
        side.gateway = make("http://127.0.0.1:9")

    side.lose = lose
    return side


@pytest.fixture(params=["fake", "twilio"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    made = fake_side() if request.param == "fake" else real_side(request.getfixturevalue("simulator"))
    made.trouble("")
    yield made
    made.gateway.close()


def sms(to: str | None = None, body: str = "Stay indoors. Ref K7Q2XM", lease: float = 60.0) -> SmsRequest:
    return SmsRequest(uuid4(), to or f"+21892{next(_fresh):07d}", body, 3600, time.monotonic() + lease)


def hand_over(side: Side, *requests: SmsRequest) -> dict[UUID, SmsResult]:
    for request in requests:
        side.gateway.submit(request)
    results: list[SmsResult] = []
    deadline = time.monotonic() + 20
    while side.gateway.in_flight and time.monotonic() < deadline:
        results += side.gateway.poll(0.1)
    assert sorted(str(result.attempt_id) for result in results) == sorted(
        str(request.attempt_id) for request in requests
    )
    return {result.attempt_id: result for result in results}


def moments_ago() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=5)


def test_a_taken_text_has_an_id_and_is_in_the_list(side):
    request = sms(body="غادروا & reply 1 😀 Ref K7Q2XM")
    result = hand_over(side, request)[request.attempt_id]
    assert (result.outcome, result.http_status) == (SendOutcome.ACCEPTED, 201)
    assert result.provider_message_id
    (found,) = side.gateway.find(request.to, moments_ago())
    assert (found.provider_message_id, found.to, found.body, found.is_inbound) == (
        result.provider_message_id,
        request.to,
        request.body,
        False,
    )
    assert found.created_at.tzinfo is not None


def test_more_requests_than_connections_come_back_each_once(side):
    requests = [sms() for _ in range(60)]
    results = hand_over(side, *requests)
    assert {result.outcome for result in results.values()} == {SendOutcome.ACCEPTED}
    assert len({result.provider_message_id for result in results.values()}) == 60


def test_in_flight_counts_what_has_not_come_back(side):
    assert side.gateway.in_flight == 0
    for _ in range(15):
        side.gateway.submit(sms())
    assert side.gateway.in_flight == 15
    done = 0
    while side.gateway.in_flight:
        done += len(side.gateway.poll(0.1))
        assert side.gateway.in_flight == 15 - done


def test_polling_when_nothing_flies_is_empty(side):
    assert list(side.gateway.poll(0.01)) == []


def test_a_request_whose_lease_is_over_is_not_written(side):
    request = sms(lease=0.01)
    result = hand_over(side, request)[request.attempt_id]
    assert (result.outcome, result.error_code) == (SendOutcome.NOT_SENT, "lease")
    assert list(side.gateway.find(request.to, moments_ago())) == []


@pytest.mark.parametrize(
    ("trouble", "outcome", "scope", "is_listed"),
    [
        ("429", SendOutcome.NOT_SENT, None, False),
        ("500_before", SendOutcome.UNKNOWN, None, False),
        ("500_after", SendOutcome.UNKNOWN, None, True),
        ("21408", SendOutcome.REFUSED, RefusalScope.COUNTRY, False),
        ("suspended", SendOutcome.REFUSED, RefusalScope.ACCOUNT, False),
    ],
)
def test_each_trouble_has_its_class_and_the_list_tells_the_truth(side, trouble, outcome, scope, is_listed):
    side.trouble(trouble)
    request = sms()
    result = hand_over(side, request)[request.attempt_id]
    assert (result.outcome, result.scope) == (outcome, scope)
    assert result.provider_message_id is None
    assert result.error_code
    assert len(side.gateway.find(request.to, moments_ago())) == is_listed


def test_the_list_shows_only_that_phone_and_only_since_then(side):
    request, other = sms(), sms()
    hand_over(side, request, other)
    assert [message.to for message in side.gateway.find(request.to, moments_ago())] == [request.to]
    assert list(side.gateway.find(request.to, datetime.now(UTC) + timedelta(minutes=1))) == []


def test_nobody_has_written_yet(side):
    assert list(side.gateway.list_inbound(moments_ago())) == []


def test_a_gateway_that_is_away_takes_nothing_and_its_list_raises(side):
    side.lose()
    request = sms()
    assert hand_over(side, request)[request.attempt_id].outcome is SendOutcome.NOT_SENT
    with pytest.raises(GatewayError) as raised:
        side.gateway.find(request.to, moments_ago())
    assert request.to not in str(raised.value)
