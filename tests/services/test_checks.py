"""What `consular check-config` finds in the database the settings name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from config import Config, GatewayConfig
from consular.extensions import db
from consular.security.fields import generate_keys
from consular.services.checks import Finding, check
from consular.services.keys import note_keys
from tests.factories import make_people

REAL = GatewayConfig("twilio", "https://api.twilio.com", "AC" + "a" * 32, "token", "+15550001111", 1.0, 1)


@pytest.fixture
def migrated(committing: Flask) -> Iterator[Flask]:
    note_keys()
    yield committing


def fatal(config: Config) -> list[str]:
    return [finding.sentence for finding in check(config) if finding.is_fatal and not finding.is_ok]


def test_the_keys_of_the_database_are_good(migrated: Flask, config: Config) -> None:
    assert Finding(True, True, "The encryption keys are those of this database.") in check(config)
    assert fatal(config) == []


@pytest.mark.parametrize("part", [0, 1], ids=["data key", "index key"])
def test_well_formed_keys_of_another_database_are_found(migrated: Flask, config: Config, part: int) -> None:
    own, others = re.split("[,;]", config.keys), re.split("[,;]", generate_keys())
    own[part] = others[part]
    wrong = dataclasses.replace(config, keys=",".join(own))
    assert any("is not the one this database was made with" in sentence for sentence in fatal(wrong))


def test_a_database_that_knows_no_keys_is_not_ready(committing: Flask, config: Config) -> None:
    assert fatal(config) == ["The database does not know its keys yet: run `consular migrate`."]


def test_made_up_people_and_a_real_gateway_do_not_go_together(migrated: Flask, config: Config) -> None:
    make_people(db.session(), 1)
    db.session.execute(text("update registrations set consent_version = 'drill'"))
    db.session.commit()
    assert fatal(config) == []
    real = dataclasses.replace(config, twilio_gateway=REAL)
    assert any("made-up people" in sentence for sentence in fatal(real))


@pytest.mark.parametrize(
    ("phones", "is_ok", "words"),
    [
        ((), False, "No handset is tested daily"),
        (("+218911234567", "+393331234567"), True, "2 handsets get a test text every day."),
        (("+218911234567", "+999123456789"), False, "1 of them no network could reach"),
    ],
)
def test_handsets_are_looked_at_and_never_fatal(
    application: Flask, config: Config, phones: tuple[str, ...], is_ok: bool, words: str
) -> None:
    found = [one for one in check(dataclasses.replace(config, canary_phones=phones)) if words in one.sentence]
    assert [(one.is_ok, one.is_fatal) for one in found] == [(is_ok, False)]
