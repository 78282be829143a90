"""What operators type: accounts under any spelling of a name, reports that cannot be written, plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from config import Config
from consular.cli.main import commands
from consular.clock import utc_now
from consular.extensions import db
from consular.services.keys import note_keys
from consular.services.officers import sign_in
from tests.workers.processes import environment

PASSWORD, OTHER = "correct horse battery", "staple of another kind"


@pytest.fixture
def operator(committing: Flask, config: Config) -> Iterator[CliRunner]:
    note_keys()
    db.session.remove()
    yield CliRunner(env=environment(config), catch_exceptions=False)
    db.session.remove()


def run(operator: CliRunner, *arguments: str) -> str:
    result = operator.invoke(commands, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def can_sign_in(password: str) -> bool:
    return sign_in("amina", password, utc_now(), session_hours=1) is not None


def test_an_account_is_found_however_its_name_is_typed(operator: CliRunner) -> None:
    added = run(operator, "officer", "add", " Amina ", "--name", "Amina D", "--role", "viewer", "--password", PASSWORD)
    assert added == "amina may now sign in as viewer.\n"
    assert can_sign_in(PASSWORD)
    assert "amina is signed out everywhere" in run(operator, "officer", "disable", "AMINA")
    assert not can_sign_in(PASSWORD)


def test_a_forgotten_password_is_replaced(operator: CliRunner) -> None:
    run(operator, "officer", "add", "amina", "--name", "Amina D", "--role", "viewer", "--password", PASSWORD)
    told = run(operator, "officer", "set-password", "Amina", "--password", OTHER)
    assert "new password" in told
    assert OTHER not in told
    assert (can_sign_in(PASSWORD), can_sign_in(OTHER)) == (False, True)


@pytest.mark.parametrize("command", ["drill", "demo"])
def test_a_report_that_cannot_be_written_is_refused_before_the_drill(tmp_path: Path, command: str) -> None:
    missing = tmp_path / "nowhere" / "report.json"
    result = CliRunner().invoke(commands, [command, "--people", "2", "--json", str(missing)])
    assert result.exit_code == 2
    assert "No such file or directory" in result.output
