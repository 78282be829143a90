"""A drill never touches a database that somebody uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest
from flask import Flask
from redis.exceptions import RedisError

from config import Config
from consular.drill import runner
from consular.embedded import EmbeddedServers
from consular.errors import ConflictError
from consular.queries import drills
from tests.factories import make_officer

NAME = "somebodys_database"


class Silent:
    """A screen nobody looks at."""

    def say(self, sentence: str) -> None:
        """Nothing."""

    def bar(self, label: str, length: int) -> Any:
        """Nothing."""
        return nullcontext()


@pytest.fixture
def used(servers: EmbeddedServers, config: Config, application: Flask) -> Iterator[Config]:
    """A database with one officer and an older schema."""
    address = servers.create_database(NAME)
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        connection.execute("create table officers (username text)")
        connection.execute("insert into officers values ('author')")
    yield dataclasses.replace(config, database_url=address)
    servers.drop_database(NAME)


def test_a_database_in_use_is_refused_before_anything_is_changed(used: Config) -> None:
    with pytest.raises(ConflictError, match=r"holds officers.*Unset DATABASE_URL.*Nothing was changed"):
        runner._prepare(used, Silent())
    with psycopg.connect(used.database_url.replace("+psycopg", "")) as connection:
        row = connection.execute("select to_regclass('alembic_version'), count(*) from officers").fetchone()
    assert row == (None, 1)


def test_what_a_database_holds(session: Any) -> None:
    assert drills.holdings() == []
    make_officer(session)
    assert drills.holdings() == ["officers"]


def test_a_redis_that_does_not_answer_is_told_at_once(used: Config) -> None:
    """Without it, workers would wait for it and the drill for the workers."""
    with pytest.raises(RedisError):
        runner._prepare(dataclasses.replace(used, redis_url="redis://127.0.0.1:9/0"), Silent())
