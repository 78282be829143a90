"""Killed at any point, a worker loses no text and sends none twice; chopped connections neither."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from consular.domain.ports import SmsRequest
from consular.extensions import db
from consular.services import sweeping
from tests.conftest import ROOT
from tests.factories import alert_everybody, rows, set_messages, states
from tests.fakes import FakeGateway
from tests.services.dying_drain import POINTS
from tests.services.test_delivery import assert_counted, send
from tests.services.test_sweeping import BOOK, LATER, time_passes
from tests.workers.processes import environment

PEOPLE = 120


def give_up_leases() -> None:
    set_messages(db.session, "lease_until = now() - interval '1 second'", "state in ('claimed', 'sending')")
    sweeping.sweep()


def finish(gateway: FakeGateway) -> None:
    """What clock and workers do once the dead worker's leases are over."""
    give_up_leases()
    for _ in range(3):
        sweeping.reconcile(gateway, BOOK)
        time_passes(db.session, LATER)
        send(gateway)


@pytest.mark.parametrize("count", [1, 37], ids=["at once", "in the middle"])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(committing, config, tmp_path: Path, point, count):
    count = {"all_in_flight": (count + 36) // 37 + count // 37, "while_recording": count // 37 + 1}.get(point, count)
    log = tmp_path / "taken"
    log.touch()
    event_id = alert_everybody(db.session, PEOPLE)
    db.session.remove()
    command = [sys.executable, "-m", "tests.services.dying_drain", point, str(count), str(log)]
    died = subprocess.run(command, cwd=ROOT, env=environment(config), check=False, capture_output=True)
    assert died.returncode == 137, died.stderr.decode()
    gateway = FakeGateway()
    for line in log.read_text().splitlines():
        taken = json.loads(line)
        gateway.take(SmsRequest(taken["attempt"], taken["to"], taken["body"], 60, 0.0))
    finish(gateway)
    assert states(db.session) == {"accepted": PEOPLE}
    assert set(Counter(request.to for request in gateway.taken).values()) == {1}
    assert len(gateway.taken) == PEOPLE
    assert_counted(event_id)


def test_rows_that_died_twice_are_claimed_one_by_one(committing, config, tmp_path: Path):
    alert_everybody(db.session, 10)
    set_messages(db.session, "deaths = 2")
    db.session.remove()
    command = [sys.executable, "-m", "tests.services.dying_drain", "after_claim", "1", str(tmp_path / "taken")]
    died = subprocess.run(command, cwd=ROOT, env=environment(config), check=False, capture_output=True)
    assert died.returncode == 137, died.stderr.decode()
    assert states(db.session) == {"claimed": 1, "queued": 9}
    give_up_leases()
    send(FakeGateway())
    assert states(db.session) == {"held": 1, "accepted": 9}


def test_connections_cut_again_and_again_lose_and_double_nothing(committing):
    event_id = alert_everybody(db.session, 400)
    db.session.remove()
    is_over = threading.Event()

    def cut() -> None:
        with db.engine.connect() as other:
            while not is_over.wait(0.03):
                other.execute(
                    text(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                        " and pid <> pg_backend_pid() and random() < 0.7"
                    )
                )
                other.commit()

    def cutting() -> None:
        with committing.app_context():
            cut()

    gateway = FakeGateway(concurrency=40)
    thread = threading.Thread(target=cutting)
    thread.start()
    broken = 0
    try:
        for _ in range(200):
            try:
                if not send(gateway) and not rows(db.session, "select 1 from messages where state = 'queued' limit 1"):
                    break
            except DBAPIError:
                broken += 1
            finally:
                db.session.remove()
    finally:
        is_over.set()
        thread.join()
    # A busy server may cut a connection only after the call that asked for it has returned.
    db.engine.dispose()
    finish(gateway)
    assert states(db.session) == {"accepted": 400}
    assert set(Counter(request.to for request in gateway.taken).values()) == {1}
    assert_counted(event_id)
    assert broken, "no connection was cut while it was needed: the test proves nothing"
