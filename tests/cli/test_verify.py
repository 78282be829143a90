"""`consular verify` tells an operator every promise with its figures, and ends with 1 when one is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config import Config
from consular.extensions import db
from tests.conftest import ROOT
from tests.verified_world import VerifiedWorld, break_it
from tests.workers.processes import environment


@pytest.fixture
def world(committing) -> VerifiedWorld:
    made = VerifiedWorld(db.session)
    db.session.remove()
    return made


def run(config: Config, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from consular.cli.main import main; main()", "verify", *arguments]
    return subprocess.run(command, env=environment(config), cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_sound_service(config, world):
    result = run(config)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "✓ I5  statuses follow from statements: 5 people" in lines
    assert lines[-1].startswith("All ")
    assert lines[-1].endswith(" promises are kept.")
    assert "✗" not in result.stdout


def test_a_broken_promise_names_its_rows_and_ends_with_1(config, world):
    break_it("update messages set state = 'unknown', updated_at = now() - interval '1 hour' where state = 'sent'")
    result = run(config)
    assert result.returncode == 1
    (told,) = [line for line in result.stdout.splitlines() if line.startswith("✗ I8")]
    assert ":unknown" in told
    assert "promises are broken." in result.stdout.splitlines()[-1]


def test_it_is_compared_with_what_the_gateway_saw(config, world, tmp_path: Path):
    log, texts = tmp_path / "log", tmp_path / "texts"
    log.write_text("\n".join(json.dumps(row) for row in world.log()))
    texts.write_text("\n".join([*world.sids, "SMlost"]))
    result = run(config, "--quiet", "--gateway-log", str(log), "--gateway-texts", str(texts))
    assert [line for line in result.stdout.splitlines() if line.startswith("✗")] == [
        "✗ I4  no text from people lost: 1 rows: SMlost"
    ]
    assert "✓ I2  nobody texted twice: 12 texts, 0 declared possible duplicates arrived twice" in result.stdout


def test_a_log_that_is_none(config, world, tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("not a log")
    result = run(config, "--gateway-log", str(log))
    assert result.returncode == 1
    assert "is not one JSON object a line" in result.stderr
