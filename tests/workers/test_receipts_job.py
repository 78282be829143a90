"""The job that applies receipts ends long before the queue's own limit would break it off, and goes on in the next."""

from __future__ import annotations

import pytest
from flask import Flask

from config import Config
from consular.queueing import JOB_TIMEOUT_SECONDS, connect, open_queue, wakeups
from consular.services import receipts
from tests.factories import alert_everybody, states
from tests.fakes import FakeGateway
from tests.services.test_delivery import send
from tests.services.test_receipts import report
from workers.jobs.receipts import SECONDS, drain


@pytest.fixture
def waiting(session, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six receipts, of which two are taken at a time; nobody was woken."""
    monkeypatch.setattr(receipts, "BATCH", 2)
    alert_everybody(session, 6)
    gateway = FakeGateway()
    send(gateway)
    for request in gateway.taken:
        report(request.attempt_id, "delivered", sid=f"SM{request.attempt_id.hex}")
    assert config.redis_url is not None
    with connect(config.redis_url) as connection:
        connection.flushall()
    wakeups.configure(config.redis_url)


def woken(config: Config) -> int:
    assert config.redis_url is not None
    with connect(config.redis_url) as connection:
        return int(open_queue("receipts", connection).count)


def test_when_its_time_is_over_the_rest_is_left_to_the_next_job(
    session, application: Flask, config: Config, waiting: None
):
    assert 2 * SECONDS < JOB_TIMEOUT_SECONDS
    assert drain(seconds=0) == 2
    assert states(session) == {"delivered": 2, "accepted": 4}
    assert woken(config) == 1


def test_when_nothing_is_left_nobody_is_woken(session, application: Flask, config: Config, waiting: None):
    assert drain() == 6
    assert states(session) == {"delivered": 6}
    assert woken(config) == 0
