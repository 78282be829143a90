"""An SMSC of the test, a gateway bound to it with short times, and what that gateway had stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from consular.domain.ports import SmsRequest, SmsResult
from consular.providers.smpp.gateway import SmppGateway
from consular.providers.smpp.received import NotStored, SmppReceipt, SmppText
from consular.providers.smpp.settings import SmppSettings
from tests.providers.smpp.smsc import Smsc

PHONE = "+218912345678"
SENDER = "+218910000000"


@dataclass
class Shelf:
    """The caller's storage. failures: how many of the next calls raise this instead of keeping anything."""

    kept: list[SmppReceipt | SmppText] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    failures: int = 0
    error: type[Exception] = NotStored

    def __call__(self, items: Sequence[SmppReceipt | SmppText]) -> None:
        self.batches.append(len(items))
        if self.failures:
            self.failures -= 1
            raise self.error
        self.kept.extend(items)

    @property
    def receipts(self) -> list[SmppReceipt]:
        return [one for one in self.kept if isinstance(one, SmppReceipt)]

    @property
    def texts(self) -> list[SmppText]:
        return [one for one in self.kept if isinstance(one, SmppText)]


@dataclass
class Side:
    """The gateway under test with its storage; drive() polls until something is so."""

    gateway: SmppGateway
    shelf: Shelf
    results: dict[UUID, SmsResult] = field(default_factory=dict)

    def drive(self, until: Callable[[], object], seconds: float = 8.0) -> None:
        ends_at = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < ends_at, "it did not come to that in time"
            for result in self.gateway.poll(0.02):
                assert result.attempt_id not in self.results, "a request came back twice"
                self.results[result.attempt_id] = result

    def bind(self) -> Side:
        self.drive(lambda: self.gateway.is_bound)
        return self

    def send(self, *requests: SmsRequest) -> list[SmsResult]:
        for request in requests:
            self.gateway.submit(request)
        self.drive(lambda: all(request.attempt_id in self.results for request in requests))
        return [self.results[request.attempt_id] for request in requests]


def sms(to: str = PHONE, body: str = "Stay indoors. Ref K7Q2XM", lease: float = 60.0) -> SmsRequest:
    return SmsRequest(uuid4(), to, body, 3600, time.monotonic() + lease)


@pytest.fixture
def smsc() -> Iterator[Callable[..., Smsc]]:
    """smsc(on_submit=take, bind_status=0, port=0) starts an SMSC that stops with the test."""
    made: list[Smsc] = []

    def start(*arguments: Any, **options: Any) -> Smsc:
        made.append(Smsc(*arguments, **options))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Side]]:
    """connect(port, **settings): a gateway with short times, not yet bound."""
    made: list[SmppGateway] = []

    def make(port: int, **changes: Any) -> Side:
        shelf = Shelf()
        made.append(SmppGateway(settings_for(port, **changes), shelf))
        return Side(made[-1], shelf)

    yield make
    for one in made:
        one.close()


def settings_for(port: int, **changes: Any) -> SmppSettings:
    values: dict[str, Any] = {
        "name": "exercise",
        "host": "127.0.0.1",
        "port": port,
        "system_id": "consular",
        "password": "secret",
        "sender": SENDER,
        "window": 4,
        "is_exercise": True,
        "connect_timeout_seconds": 1.0,
        "answer_timeout_seconds": 0.5,
        "enquire_seconds": 5.0,
        "lease_margin_seconds": 0.1,
        "first_wait_seconds": 0.02,
        "longest_wait_seconds": 0.1,
        "refused_wait_seconds": 0.3,
        "part_hold_seconds": 0.3,
        "early_hold_seconds": 0.3,
    }
    return SmppSettings(**{**values, **changes})
