"""The process that owns the bind: alone, stopped cleanly, and patient when the database is away."""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from config import Config
from consular.domain.cap import AlertStatus
from consular.embedded import EmbeddedServers
from consular.extensions import db
from consular.providers.smpp.wire import Command
from tests.conftest import migrate
from tests.factories import alert_everybody, phone, rows, set_messages
from tests.providers.smpp.smsc import Smsc, text
from tests.waiting import eventually
from tests.workers.processes import environment, process

BIND = [sys.executable, "-m", "workers.smpp"]
PEOPLE = 60


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    made = Smsc()
    yield made
    made.stop()


def settings(config: Config, smsc: Smsc, **changes: str) -> dict[str, str]:
    named = {"HOST": "127.0.0.1", "PORT": str(smsc.port), "SYSTEM_ID": "consular", "PASSWORD": "secret"}
    chosen = {**named, "FROM": "+218910000000", "RATE": "1000", "WINDOW": "10", **changes}
    return environment(config, **{f"SMPP_{name}": value for name, value in chosen.items()})


def approve() -> None:
    alert_everybody(db.session, PEOPLE, status=AlertStatus.ACTUAL)
    set_messages(db.session, "gateway = 'smpp'")
    db.session.remove()


def states() -> dict[str, int]:
    found = {str(state): int(n) for state, n in rows(db.session, "select state, count(*) from messages group by 1")}
    db.session.remove()
    return found


def test_without_settings_it_only_waits(committing: Flask, config: Config, tmp_path: Path) -> None:
    log = tmp_path / "smpp.log"
    with process(BIND, environment(config), log) as started:
        assert eventually(lambda: "smpp_not_configured" in log.read_text()), log.read_text()
        started.send_signal(signal.SIGTERM)
        assert started.wait(10) == 0


def test_wrong_settings_are_named_at_once(committing: Flask, config: Config, smsc: Smsc, tmp_path: Path) -> None:
    log = tmp_path / "smpp.log"
    with process(BIND, settings(config, smsc, HOST="smsc.example.org"), log) as started:
        assert started.wait(20) == 3
    assert "reach a public SMSC through a VPN" in log.read_text()


def test_of_two_processes_one_binds_and_the_other_follows_it(
    committing: Flask, config: Config, smsc: Smsc, tmp_path: Path
) -> None:
    env = settings(config, smsc)
    with process(BIND, env, tmp_path / "1.log") as first:
        assert eventually(lambda: len(smsc.binds) == 1), (tmp_path / "1.log").read_text()
        with process(BIND, env, tmp_path / "2.log"):
            assert eventually(lambda: "stands by" in (tmp_path / "2.log").read_text())
            approve()
            assert eventually(lambda: states() == {"accepted": PEOPLE}), (tmp_path / "1.log").read_text()
            assert len(smsc.binds) == 1
            first.send_signal(signal.SIGTERM)
            assert first.wait(20) == 0
            assert Command.UNBIND in smsc.commands()
            assert eventually(lambda: len(smsc.binds) == 2)
    assert len({one.message.destination.digits for one in smsc.submitted}) == PEOPLE
    assert (tmp_path / "2.log").read_text().count("stands by") == 1


def test_a_text_that_comes_again_to_the_process_that_took_over_is_one_text(
    committing: Flask, config: Config, smsc: Smsc, tmp_path: Path
) -> None:
    """As after a kill between storing and answering, which nobody can time: the SMSC did not hear the answer."""
    env = settings(config, smsc)
    with process(BIND, env, tmp_path / "1.log") as first, process(BIND, env, tmp_path / "2.log") as second:
        assert eventually(lambda: len(smsc.binds) == 1)
        assert eventually(lambda: "stands by" in (tmp_path / "1.log").read_text() + (tmp_path / "2.log").read_text())
        asked = smsc.session.deliver(text(phone(1), b"2"))
        assert eventually(lambda: smsc.answers().get(asked) == 0)
        owner = first if "mine" in (tmp_path / "1.log").read_text() else second
        owner.kill()
        assert eventually(lambda: len(smsc.binds) == 2)
        for _ in range(2):
            again = smsc.session.deliver(text(phone(1), b"2"))
            assert eventually(lambda asked=again: smsc.answers().get(asked) == 0)
    found = rows(db.session, "select 1 from inbound_messages")
    assert len(found) == 2, "once what came again, and once what was said again"


def test_sigterm_finishes_what_is_in_flight(committing: Flask, config: Config, smsc: Smsc, tmp_path: Path) -> None:
    with process(BIND, settings(config, smsc, RATE="40"), tmp_path / "1.log") as started:
        assert eventually(lambda: len(smsc.binds) == 1)
        approve()
        assert eventually(lambda: states().get("accepted", 0) >= 10), (tmp_path / "1.log").read_text()
        started.send_signal(signal.SIGTERM)
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    assert set(states()) == {"accepted", "queued"}, "no text of a clean stop may be unknown"
    assert Command.UNBIND in smsc.commands()


@pytest.mark.slow
def test_while_the_database_is_away_the_bind_stays_and_nothing_is_confirmed(
    config: Config, smsc: Smsc, tmp_path: Path
) -> None:
    log = tmp_path / "1.log"
    with EmbeddedServers.temporary(valkey=False) as servers:
        url = servers.create_database("away")
        migrate(url)
        own = dataclasses.replace(config, database_url=url, redis_url=None)

        def stored() -> int:
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                found: Any = connection.execute("select count(*) from inbound_messages").fetchone()
            return int(found[0])

        with process(BIND, settings(own, smsc), log):
            assert eventually(lambda: len(smsc.binds) == 1), log.read_text()
            servers.stop_postgres()
            asked = smsc.session.deliver(text(phone(1), b"2"))
            assert eventually(lambda: asked in smsc.answers())
            assert smsc.answers()[asked] == 0x64
            servers.start_postgres()
            again = smsc.session.deliver(text(phone(1), b"2"))
            assert eventually(lambda: again in smsc.answers())
            while smsc.answers()[again]:
                again = smsc.session.deliver(text(phone(1), b"2"))
                assert eventually(lambda asked=again: asked in smsc.answers())
            assert stored() == 1
            assert eventually(lambda: log.read_text().count("mine: this process") == 2), log.read_text()
        assert len(smsc.binds) == 1
    assert "Traceback" not in log.read_text()
