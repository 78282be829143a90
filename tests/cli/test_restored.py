"""`consular restored` leads an operator from a restored copy to texts that leave again, each once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from config import Config
from consular.domain.alerts import AlertAction
from consular.extensions import db
from consular.services import restoring
from tests.conftest import ROOT
from tests.factories import alert_everybody, rows, states
from tests.verified_world import decide
from tests.workers.processes import environment, practice_gateway


def run(config: Config, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from consular.cli.main import main; main()", *arguments]
    return subprocess.run(command, env=environment(config, url), cwd=ROOT, capture_output=True, text=True, check=False)


def forget_that_they_left() -> None:
    """What a backup from before the sending would say."""
    for statement in (
        "delete from message_attempts",
        """update messages set state = 'queued', provider_message_id = null, accepted_at = null, sending_at = null,
            created_at = created_at - interval '2 minutes'""",
        "update counters set key = 'message:queued' where key = 'message:accepted'",
        "delete from counters where key = 'message:queued' and value = 0",
    ):
        db.session.execute(text(statement))
    db.session.commit()


@pytest.mark.slow
def test_from_the_restore_to_the_release(committing: Flask, config: Config, tmp_path: Path) -> None:
    with practice_gateway(tmp_path) as gateway:
        decide(db.session, alert_everybody(db.session, 3), AlertAction.APPROVE)
        assert "Texts may leave." in run(config, gateway.url, "restored", "status").stdout
        run(config, gateway.url, "drain", "--gateway", "exercise")
        assert states(db.session) == {"accepted": 3}
        db.session.execute(text("delete from counters where key = 'message:queued'"))
        db.session.commit()
        forget_that_they_left()
        db.session.execute(text("update database_home set timeline = timeline + 1"))
        db.session.commit()
        assert "not where it was" in run(config, gateway.url, "restored", "status").stdout
        assert "0 messages were handed over" in run(config, gateway.url, "drain", "--gateway", "exercise").stdout
        assert "exercise: 3 queued" in run(config, gateway.url, "restored", "status").stdout
        db.session.execute(text("update database_home set closed_at = closed_at - interval '61 seconds'"))
        db.session.commit()
        compared = run(config, gateway.url, "restored", "compare")
        assert compared.stdout == "exercise: 3 texts in its list, 3 of them this copy did not know of.\n"
        refused = run(config, gateway.url, "restored", "release")
        assert (refused.returncode, restoring.closed_since() is not None) == (2, True)
        assert "add --yes when the old one is off" in refused.stderr
        assert run(config, gateway.url, "restored", "release", "--yes").stdout == "Texts may leave again.\n"
        assert run(config, gateway.url, "drain", "--gateway", "exercise").returncode == 0
        assert "3 texts" not in run(config, gateway.url, "restored", "status").stdout
        assert len(rows(db.session, "select distinct provider_message_id from messages")) == 3
        verified = run(config, gateway.url, "verify")
        assert verified.returncode == 0, verified.stdout


def test_what_is_marked_is_held_when_no_list_answers(committing: Flask, config: Config) -> None:
    alert_everybody(db.session, 2)
    assert run(config, "http://127.0.0.1:9", "restored", "mark").stdout == "Nothing is sent from now on.\n"
    assert run(config, "http://127.0.0.1:9", "restored", "mark").stdout == "That was known: nothing is sent.\n"
    compared = run(config, "http://127.0.0.1:9", "restored", "compare")
    assert (compared.returncode, compared.stderr) == (
        1,
        "exercise: not compared. The gateway's list gave no answer (transport 7).\n",
    )
    released = run(config, "http://127.0.0.1:9", "restored", "release", "--yes")
    assert "2 texts are held" in released.stdout
    assert states(db.session) == {"held": 2}


def test_where_nothing_was_restored(committing: Flask, config: Config) -> None:
    for command in (("release", "--yes"), ("compare",)):
        result = run(config, "http://127.0.0.1:9", "restored", *command)
        assert result.returncode == 1
        assert "nothing is closed" in result.stderr
