"""A gateway of each kind of request pointed at a server of the test, with short times; a way to hand over one text."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from consular.domain.ports import SmsRequest, SmsResult
from consular.providers.http_gateway.gateway import HttpGateway
from consular.providers.http_gateway.profile_files import read_profile
from consular.providers.http_gateway.settings import HttpSettings

PHONE = "+218912345678"
TEXT = "غادروا المدينة & reply 1=safe 😀 Ref K7Q2XM"
SECRETS = {"username": "ministry", "password": "pass word&{1}"}

OPERATOR = """
name = "operator"

[request]
method = "POST"

[request.form]
user = "{secret.username}"
pass = "{secret.password}"
msisdn = "{to_digits}"
message = "{text}"
from = "{sender}"
dlr = "{callback}&state=%s"

[[answers]]
status = 200
body = '^OK (?P<id>\\S+)'
means = "accepted"

[[answers]]
status = 200
body = '^ERR (?P<code>105)'
means = "refused"
reason = "invalid_number"

[[answers]]
status = 200
body = '^ERR (?P<code>300)'
means = "refused"
reason = "sender_rejected"
scope = "country"

[[answers]]
status = [200, 503]
body = '^ERR (?P<code>900)'
means = "not_sent"
wait_seconds = 7

[[answers]]
status = "4xx"
body = 'maybe taken'
means = "unknown"

[receipts]
status = "state"
id = "ref"
detail = "why"

[receipts.states]
DELIVRD = "delivered"
UNDELIV = "undelivered"
ENROUTE = "sent"

[[receipts.failures]]
detail = 'absent'
reason = "unreachable"

[inbound]
id = "id"
sender = "msisdn"
text = "message"
charset = "charset"
country_code = "218"
"""
AS_GET = OPERATOR.replace('"POST"', '"GET"').replace("[request.form]", "[request.query]")

Make = Callable[..., HttpGateway]
HandOver = Callable[..., SmsResult]


def callback(attempt_id: UUID) -> str:
    return f"https://consular.example/webhooks/http/libyana/receipt/{attempt_id}?k=abc"


@pytest.fixture
def settings() -> Callable[..., HttpSettings]:
    def make(url: str, profile: str = OPERATOR, **changes: Any) -> HttpSettings:
        values: dict[str, Any] = {
            "name": "libyana",
            "profile": read_profile(profile),
            "url": url,
            "secrets": SECRETS,
            "sender": "Consulate",
            "concurrency": 4,
            "connect_timeout_seconds": 0.4,
            "total_timeout_seconds": 0.6,
            "lease_margin_seconds": 0.1,
        }
        return HttpSettings(**{**values, **changes})

    return make


@pytest.fixture(params=["POST", "GET"])
def profile(request: pytest.FixtureRequest) -> str:
    return OPERATOR if request.param == "POST" else AS_GET


@pytest.fixture
def gateway(settings: Callable[..., HttpSettings]) -> Iterator[Make]:
    made: list[HttpGateway] = []

    def make(url: str, profile: str = OPERATOR, **changes: Any) -> HttpGateway:
        made.append(HttpGateway(settings(url, profile, **changes), callback))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def request_for() -> Callable[..., SmsRequest]:
    def make(to: str = PHONE, body: str = TEXT, lease_seconds: float = 60.0, validity: int = 3600) -> SmsRequest:
        return SmsRequest(uuid4(), to, body, validity, time.monotonic() + lease_seconds)

    return make


@pytest.fixture
def hand_over(request_for: Callable[..., SmsRequest]) -> HandOver:
    """Submit one text and poll until its result is there."""

    def run(gateway: HttpGateway, **changes: Any) -> SmsResult:
        request = request_for(**changes)
        gateway.submit(request)
        (result,) = drain(gateway)
        assert result.attempt_id == request.attempt_id
        return result

    return run


@pytest.fixture
def drain_all() -> Callable[[HttpGateway], list[SmsResult]]:
    return drain


def drain(gateway: HttpGateway) -> list[SmsResult]:
    results: list[SmsResult] = []
    ends_at = time.monotonic() + 30
    while gateway.in_flight:
        results += gateway.poll(1.0)
        assert time.monotonic() < ends_at, "a submitted request did not come back"
    return results
