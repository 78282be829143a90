"""A gateway pointed at a server of the test, with short times, and a way to hand over one text and see the result."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from consular.domain.ports import SmsRequest, SmsResult
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings

ACCOUNT = "AC" + "1" * 32
SID = "SM" + "0123456789abcdef" * 2
PHONE = "+218912345678"
SENDER = "+15557122661"
TEXT = "غادروا المدينة & reply 1=safe 😀 Ref K7Q2XM"

Make = Callable[..., TwilioGateway]
HandOver = Callable[..., SmsResult]


def callback(attempt_id: UUID) -> str:
    return f"https://consular.example/webhooks/twilio/status/{attempt_id}?k=abc&x=1"


@pytest.fixture
def account() -> str:
    return ACCOUNT


@pytest.fixture
def created() -> bytes:
    """What Twilio answers to a message it took."""
    fields = {"sid": SID, "account_sid": ACCOUNT, "status": "queued", "error_code": None, "to": PHONE, "body": TEXT}
    return json.dumps(fields).encode()


@pytest.fixture
def settings() -> Callable[..., TwilioSettings]:
    def make(base_url: str, **changes: Any) -> TwilioSettings:
        values: dict[str, Any] = {
            "name": "twilio",
            "base_url": base_url,
            "account_sid": ACCOUNT,
            "auth_token": "secret-token",
            "sender": SENDER,
            "concurrency": 4,
            "connect_timeout_seconds": 0.4,
            "total_timeout_seconds": 0.6,
            "list_timeout_seconds": 0.6,
            "lease_margin_seconds": 0.1,
        }
        return TwilioSettings(**{**values, **changes})

    return make


@pytest.fixture
def gateway(settings: Callable[..., TwilioSettings]) -> Iterator[Make]:
    made: list[TwilioGateway] = []

    def make(base_url: str, **changes: Any) -> TwilioGateway:
        made.append(TwilioGateway(settings(base_url, **changes), callback))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def request_for() -> Callable[..., SmsRequest]:
    def make(to: str = PHONE, body: str = TEXT, lease_seconds: float = 60.0) -> SmsRequest:
        return SmsRequest(uuid4(), to, body, 3600, time.monotonic() + lease_seconds)

    return make


@pytest.fixture
def hand_over(request_for: Callable[..., SmsRequest]) -> HandOver:
    """Submit one text and poll until its result is there."""

    def run(gateway: TwilioGateway, **changes: Any) -> SmsResult:
        request = request_for(**changes)
        gateway.submit(request)
        results = drain(gateway)
        assert [result.attempt_id for result in results] == [request.attempt_id]
        return results[0]

    return run


@pytest.fixture
def drain_all() -> Callable[[TwilioGateway], list[SmsResult]]:
    return drain


def drain(gateway: TwilioGateway) -> list[SmsResult]:
    results: list[SmsResult] = []
    ends_at = time.monotonic() + 20
    while gateway.in_flight:
        results += gateway.poll(1.0)
        assert time.monotonic() < ends_at, "a submitted request did not come back"
    return results
