"""`consular verify` tells an operator every promise with its figures, and ends with 1 when one is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config import Config
from consular.clock import utc_now
from consular.extensions import db
from consular.services import inbound
from tests.conftest import ROOT
from tests.verified_world import VerifiedWorld, break_it
from tests.workers.processes import environment, practice_gateway


@pytest.fixture
def world(committing) -> VerifiedWorld:
    made = VerifiedWorld(db.session)
    db.session.remove()
    return made


HTTP = {"HTTP_GATEWAY_PROFILE": "kannel", "HTTP_GATEWAY_URL": "http://127.0.0.1:9", "HTTP_GATEWAY_FROM": "1"}
HTTP |= {f"HTTP_GATEWAY_SECRET_{name}": "secret" for name in ("USERNAME", "PASSWORD")}


def run(config: Config, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from consular.cli.main import main; main()", "verify", *arguments]
    return subprocess.run(
        command, env=environment(config, **changes), cwd=ROOT, capture_output=True, text=True, check=False
    )


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


def test_a_part_of_the_log_of_one_gateway_of_two(config, world, tmp_path: Path):
    first, number = "(select min(id) from messages)", len(world.log())
    break_it(f"update messages set gateway = 'twilio', sending_at = now() - interval '1 day' where id = {first}")
    log = tmp_path / "log"
    log.write_text("\n".join(json.dumps(row) for row in world.log()[1:]))
    told = f"✓ I3  accepted here is accepted there: {number - 1} texts of exercise"
    assert told in run(config, "--gateway-log", str(log)).stdout.splitlines()
    both = run(config, "--gateway-log", str(log), "--gateway", "exercise", "--gateway", "twilio").stdout
    assert "✗ I3  accepted here is accepted there: 1 rows: " in both
    now = utc_now().timestamp()
    moments = [now - 3600, *[now] * (number - 3), now + 3600]
    lines = [{**row, "created_at": at} for row, at in zip(world.log()[1:], moments, strict=True)]
    log.write_text("\n".join(json.dumps(line) for line in lines))
    dated = run(config, "--gateway-log", str(log), "--gateway", "exercise", "--gateway", "twilio").stdout
    assert f"✓ I3  accepted here is accepted there: {number - 1} texts of exercise, twilio, handed over from " in dated


def test_the_texts_of_every_gateway_are_read_again(config, world):
    inbound.store("http", "1", "+218912345678", "yes", [("from", "218912345678"), ("text", "no")], utc_now())
    inbound.process()
    db.session.remove()
    assert "not compared: 1 texts of http" in run(config).stdout
    result = run(config, **HTTP)
    assert "✗ I4  texts kept exactly: 1 rows: " in result.stdout, result.stderr


@pytest.mark.slow
def test_the_gateway_is_asked_for_its_own_list(config, world, tmp_path: Path):
    with practice_gateway(tmp_path) as gateway:
        result = run(config, "--gateway-list", "exercise", EXERCISE_GATEWAY_BASE_URL=gateway.url)
        told = [line for line in result.stdout.splitlines() if "accepted here is accepted there" in line]
        assert told[0].startswith("✓ I3  accepted here is accepted there: 0 texts of exercise, handed over from ")
        break_it(
            "update messages set sending_at = now() - interval '1 hour', accepted_at = now() - interval '59 minutes'"
        )
        older = run(config, "--gateway-list", "exercise", "--hours", "0.5", EXERCISE_GATEWAY_BASE_URL=gateway.url)
        assert "✓ I3  accepted here is accepted there: 0 texts" in older.stdout
        missed = run(config, "--gateway-list", "exercise", EXERCISE_GATEWAY_BASE_URL=gateway.url)
    assert "✗ I3  accepted here is accepted there: 12 rows: " in missed.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("exercise",), "exercise: The gateway's list gave no answer"),
        (("smpp",), "smpp is not set up here, or has no list."),
        (("twilio",), "twilio is not set up here, or has no list."),
        (("exercise", "--gateway-log", __file__), "Give --gateway-list or --gateway-log, not both."),
    ],
)
def test_a_list_that_cannot_be_had(config, world, arguments, told):
    result = run(config, "--gateway-list", *arguments)
    assert result.returncode in (1, 2)
    assert told in result.stderr


def test_a_log_that_is_none(config, world, tmp_path: Path):
    log = tmp_path / "log"
    for line in ("not a log", "[]", '{"attempt": "7"}', '{"sid": "SM1", "attempt": "7"}'):
        log.write_text(line)
        result = run(config, "--gateway-log", str(log))
        assert result.returncode == 1
        assert "is not one JSON object a line" in result.stderr
