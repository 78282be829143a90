"""The job that applies receipts ends long before the queue's own limit would break it off, and goes on in the next."""

from __future__ import annotations

import pytest
from flask import Flask

from config import Config
from consular.queueing import JOB_TIMEOUT_SECONDS, connect, open_queue, wakeups
from consular.services import receipts, smsc_receipts
from tests.factories import alert_everybody, rows, states
from tests.fakes import FakeGateway
from tests.services.test_delivery import send
from tests.services.test_receipts import report, time_passes
from tests.services.test_smsc_receipts import report as report_by_smsc
from tests.services.test_smsc_receipts import send as send_by_smsc
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


@pytest.mark.parametrize("is_first", [True, False], ids=["before the foreign ones", "after them"])
def test_an_smscs_foreign_receipts_however_many_keep_none_of_ours_waiting(
    session, application: Flask, monkeypatch: pytest.MonkeyPatch, is_first: bool
):
    monkeypatch.setattr(smsc_receipts, "BATCH", 5)
    send_by_smsc(session, "1a2b")
    if is_first:
        report_by_smsc("1A2B")
    for number in range(23):
        report_by_smsc(f"ffff{number:02}", 9)
    if not is_first:
        report_by_smsc("1A2B")
    drain()
    assert states(session) == {"delivered": 1}


def test_one_that_waited_for_its_text_is_found_however_many_foreign_ones_came_meanwhile(
    session, application: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smsc_receipts, "BATCH", 5)
    report_by_smsc("1A2B")
    drain()
    send_by_smsc(session, "1a2b")
    for number in range(23):
        report_by_smsc(f"ffff{number:02}", 9)
    time_passes(session, 3)
    drain()
    assert states(session) == {"delivered": 1}


def test_an_smscs_receipts_have_a_turn_in_each_job_also_when_its_time_is_over(
    session, application: Flask, config: Config, waiting: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(smsc_receipts, "BATCH", 5)
    for number in range(8):
        report_by_smsc(f"ffff{number:02}", 9)
    drain(seconds=0)
    looked_at = "select count(*) from receipt_events where gateway = 'smpp' and result is not null"
    assert rows(session, looked_at) == [(5,)]
    assert woken(config) == 1
