"""One embedded PostgreSQL and Valkey for the run; each test in a transaction that is rolled back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from config import Config, GatewayConfig
from consular import create_app
from consular.embedded import EmbeddedServers
from consular.extensions import Base, db
from consular.security.fields import generate_keys

os.environ["CONSULAR_ENV_FILE"] = ""
"""Nothing that a test starts reads the .env of whoever runs the tests."""
ROOT = Path(__file__).resolve().parent.parent
ACCOUNT_SID = "AC" + "e" * 32
AUTH_TOKEN = "practice-token-practice-token-00"
OUR_NUMBER = "+15005550006"


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedServers]:
    """Fresh servers for the whole run."""
    with EmbeddedServers.temporary(durable=False) as running:
        yield running


def migrate(database_url: str) -> None:
    """Bring an empty database to the newest schema through the real migrations."""
    settings = AlembicConfig(str(ROOT / "alembic.ini"))
    settings.set_main_option("script_location", str(ROOT / "migrations"))
    settings.attributes["database_url"] = database_url
    command.upgrade(settings, "head")


@pytest.fixture(scope="session")
def config(servers: EmbeddedServers) -> Config:
    """Settings of a mission that has a practice gateway and no real one."""
    return Config(
        database_url=servers.database_url,
        redis_url=servers.redis_url,
        secret_key="test-secret-key-test-secret-key-0",
        keys=generate_keys(),
        public_url="http://consular.test",
        webhook_base_url="http://consular.test",
        exercise_gateway=GatewayConfig(
            name="exercise",
            base_url="http://127.0.0.1:9",
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            sender=OUR_NUMBER,
            rate=1000.0,
            concurrency=50,
        ),
        mission_name="Embassy of Testland",
        mission_phone="+15005550001",
    )


@pytest.fixture(scope="session")
def application(config: Config) -> Iterator[Flask]:
    """The application on a migrated database; use `app` in tests."""
    migrate(config.database_url)
    made = create_app(config, testing=True)
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def app(application: Flask) -> Iterator[Flask]:
    """The application inside its context; everything a test writes is rolled back, also what services commit."""
    with application.app_context():
        connection = db.engine.connect()
        outer = connection.begin()
        original = db.session
        db.session = scoped_session(sessionmaker(bind=connection, join_transaction_mode="create_savepoint"))
        try:
            yield application
        finally:
            db.session.remove()
            db.session = original
            outer.rollback()
            connection.close()


@pytest.fixture
def session(app: Flask) -> scoped_session[Session]:
    """The session of the test's transaction."""
    return db.session


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without cookies."""
    return app.test_client()


@pytest.fixture
def committing(application: Flask) -> Iterator[Flask]:
    """The application with real commits, for tests of races, locks and processes; tables are emptied afterwards."""
    with application.app_context():
        try:
            yield application
        finally:
            db.session.remove()
            names = ", ".join(table.name for table in Base.metadata.sorted_tables)
            with db.engine.begin() as connection:
                connection.execute(text(f"truncate {names} restart identity cascade"))


@pytest.fixture
def https_config(config: Config) -> Config:
    """The same mission behind https."""
    return dataclasses.replace(config, public_url="https://consular.test", webhook_base_url="https://consular.test")
