"""The clock process ticks, and beside it reads lists and remembers alarms; a hanging gateway delays nothing."""

from __future__ import annotations

import socket
import urllib.parse
import urllib.request
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from config import Config
from consular.domain.cap import AlertStatus
from consular.extensions import db
from tests.conftest import OUR_NUMBER
from tests.factories import alert_everybody, make_crisis, phone, rows, set_messages
from tests.waiting import eventually
from tests.workers.processes import CLOCK, environment, practice_gateway, process


def found(query: str) -> list[tuple[object, ...]]:
    """Rows as committed now."""
    result = [tuple(row) for row in rows(db.session, query)]
    db.session.remove()
    return result


def test_the_clock_fills_gaps_and_remembers_alarms(committing: Flask, config: Config, tmp_path: Path) -> None:
    make_crisis(db.session)
    db.session.commit()
    db.session.remove()
    with practice_gateway(tmp_path) as gateway:
        form = urllib.parse.urlencode({"From": phone(1), "To": OUR_NUMBER, "Body": "2"}).encode()
        urllib.request.urlopen(f"{gateway.url}/_sim/texts", data=form).close()
        with process(CLOCK, environment(config, gateway.url), tmp_path / "clock.log"):
            assert eventually(lambda: len(found("select 1 from heartbeats where done_at is not null")) == 4)
            beats = found("select task from heartbeats where failure is null order by task")
            assert beats == [("clock",), ("gaps:exercise",), ("proofs",), ("readiness",)]
            assert eventually(lambda: ("no_worker",) in found("select alarm from standing_alarms"))
            assert found("select 1 from inbound_messages") == [], "its webhook may still come"


def test_a_gateway_that_hangs_does_not_stop_the_sweep(committing: Flask, config: Config, tmp_path: Path) -> None:
    alert_everybody(db.session, 2)
    set_messages(db.session, "state = 'claimed', lease_until = now() + interval '8 seconds'")
    db.session.remove()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with process(CLOCK, environment(config, url), tmp_path / "clock.log"):
            assert eventually(lambda: found("select 1 from heartbeats where task = 'gaps:exercise'") != [])
            assert eventually(lambda: found("select distinct state from messages") == [("queued",)])
            assert found("select done_at from heartbeats where task = 'gaps:exercise'") == [(None,)], "still asking"


REAL = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "token", "TWILIO_FROM": OUR_NUMBER}
TESTED = {"CANARY_PHONES": phone(1), "CANARY_HOUR": "0"}


def test_the_clock_makes_the_daily_test_texts_and_misses_their_proof(
    committing: Flask, config: Config, tmp_path: Path
) -> None:
    with process(CLOCK, environment(config, **REAL, **TESTED), tmp_path / "clock.log"):
        assert eventually(lambda: found("select gateway, country, run from canaries") == [("twilio", "LY", 0)])
        assert eventually(lambda: ("LY by twilio",) in found("select subject from standing_alarms"))
    assert found("select kind, state, priority from messages") == [("canary", "queued", 1)]
    assert phone(1) not in (tmp_path / "clock.log").read_text()


def test_what_fails_each_time_keeps_nothing_else_back(committing: Flask, config: Config, tmp_path: Path) -> None:
    def rename(table: str, name: str) -> None:
        db.session.execute(text(f"alter table {table} rename to {name}"))
        db.session.commit()
        db.session.remove()

    make_crisis(db.session)
    db.session.commit()
    rename("canaries", "elsewhere")
    try:
        with (
            practice_gateway(tmp_path) as gateway,
            process(CLOCK, environment(config, gateway.url, **REAL, **TESTED), tmp_path / "clock.log"),
        ):
            read = "select 1 from heartbeats where task = 'gaps:exercise' and done_at is not null"
            assert eventually(lambda: bool(found(read)))
    finally:
        rename("elsewhere", "canaries")
    assert "canaries.send_daily" in (tmp_path / "clock.log").read_text()


def test_what_a_gateway_left_in_doubt_that_is_gone_goes_by_another(
    committing: Flask, config: Config, tmp_path: Path
) -> None:
    alert_everybody(db.session, 3, status=AlertStatus.ACTUAL)
    doubt = "state = 'unknown', tries = 1, sending_at = now() - interval '200 seconds', attempt_id = gen_random_uuid()"
    set_messages(db.session, f"gateway = 'http', {doubt}")
    db.session.remove()
    with process(CLOCK, environment(config, **REAL), tmp_path / "clock.log"):
        resent = "select distinct gateway, state, possible_duplicate from messages"
        assert eventually(lambda: found(resent) == [("twilio", "queued", True)]), (tmp_path / "clock.log").read_text()
