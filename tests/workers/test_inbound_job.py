"""The job that reads texts ends long before the queue's own limit would break it off, and goes on in the next."""

from __future__ import annotations

import pytest
from flask import Flask

from config import Config
from consular.extensions import db
from consular.queueing import JOB_TIMEOUT_SECONDS, connect, open_queue, wakeups
from consular.services import inbound
from tests.factories import alert_everybody, phone, rows
from tests.services.test_inbound import hear
from workers.jobs.inbound import SECONDS, drain


@pytest.fixture
def waiting(session, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six texts, of which two are taken at a time; nobody was woken."""
    monkeypatch.setattr(inbound, "BATCH", 2)
    alert_everybody(session, 6)
    for number in range(1, 7):
        hear("1", sender=phone(number), minutes=number)
    assert config.redis_url is not None
    with connect(config.redis_url) as connection:
        connection.flushall()
    wakeups.configure(config.redis_url)


def woken(config: Config) -> int:
    assert config.redis_url is not None
    with connect(config.redis_url) as connection:
        return int(open_queue("inbound", connection).count)


def left() -> int:
    return int(rows(db.session, "select count(*) from inbound_messages where processed_at is null")[0][0])


def test_when_its_time_is_over_the_rest_is_left_to_the_next_job(application: Flask, config: Config, waiting: None):
    assert 2 * SECONDS < JOB_TIMEOUT_SECONDS
    assert drain(seconds=0) == 2
    assert (left(), woken(config)) == (4, 1)


def test_when_nothing_is_left_nobody_is_woken(application: Flask, config: Config, waiting: None):
    assert drain() == 6
    assert (left(), woken(config)) == (0, 0)
