"""A whole practice world for tests: real processes on a database of its own, with officers who can sign in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from config import Config
from consular.drill import world
from consular.drill.pages import Visitor
from consular.embedded import EmbeddedServers
from tests.waiting import eventually

PASSWORD = "correct horse battery staple"
OFFICERS = {"amina": "author", "boris": "approver", "chen": "viewer", "dora": "administrator"}
TEXTS = {
    "en": "Stay indoors and away from windows until tomorrow 08:00.",
    "ar": "ابقوا في بيوتكم بعيداً عن النوافذ حتى الغد الساعة 8.",
}
REAL = {"status": "Actual", "confirmation": "THIS IS REAL"}
_COMMANDS = """
import json, sys
from consular.cli.main import commands
for arguments in json.loads(sys.argv[1]):
    commands(arguments, standalone_mode=False)
"""
_PHONE = "+21896{:07d}"  # the gateway's network carries these numbers, and nobody behind them answers by himself


def phone(number: int) -> str:
    """A phone of the practice network whose holder says only what a test makes them say."""
    return _PHONE.format(number)


@dataclass(frozen=True, slots=True)
class Mission:
    """A running mission: its site, its gateway, its database, its logs."""

    world: world.World
    servers: EmbeddedServers
    logs: Path
    database_url: str

    @property
    def url(self) -> str:
        """Address of the site."""
        return self.world.web_url

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a constant query."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def officer(self, name: str) -> Visitor:
        """A browser without JavaScript, signed in as one of OFFICERS."""
        visitor = Visitor(self.url)
        visitor.open("/officer/sign-in")
        visitor.send(visitor.form("sign-in"), username=name, password=PASSWORD)
        assert "/sign-in" not in visitor.url, f"{name} could not sign in"
        return visitor

    def says(self, sender: str, text: str) -> str:
        """A text from that phone comes in through the gateway, signed; its sid."""
        form = {"From": sender, "To": world.SENDER, "Body": text}
        answer = requests.post(f"{self.world.gateway_url}/_sim/texts", data=form, timeout=10)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["sid"])

    def texts_to(self, number: str) -> list[str]:
        """What that phone was sent, the oldest first."""
        sid, token = (self.world.env[f"EXERCISE_GATEWAY_{name}"] for name in ("ACCOUNT_SID", "AUTH_TOKEN"))
        address = f"{self.world.gateway_url}/2010-04-01/Accounts/{sid}/Messages.json"
        answer = requests.get(address, params={"To": number}, auth=(sid, token), timeout=10)
        assert answer.status_code == 200, answer.text
        return [message["body"] for message in reversed(answer.json()["messages"])]

    def wait_for_text(self, number: str, count: int = 1) -> str:
        """The newest of at least `count` texts to that phone, once it is there."""
        assert eventually(lambda: len(self.texts_to(number)) >= count), f"no text number {count} arrived"
        return self.texts_to(number)[-1]


@contextmanager
def mission(servers: EmbeddedServers, name: str, folder: Path, **plan: Any) -> Iterator[Mission]:
    """Everything a drill starts, on a new database called `name`. plan: what world.Plan takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for variable in [key for key in os.environ if key.startswith(("CONSULAR_KEY", "SECRET_KEY"))]:
            patch.delenv(variable)
        patch.setenv("DATABASE_URL", servers.create_database(name).replace("+psycopg", ""))
        patch.setenv("REDIS_URL", f"{servers.redis_url.removesuffix('/0')}/7")
        chosen = world.Plan("perfect", seed=1, latency_ms=5.0, **plan)
        try:
            with world.running(chosen, prepare) as running:
                url = running.config.database_url.replace("+psycopg", "")
                yield Mission(running, servers, folder / world.FOLDER / "log", url)
        finally:
            servers.drop_database(name)


def prepare(config: Config) -> None:
    """Migrate and add the officers by the commands of the operator, all in one process to be quick."""
    accounts = [
        ["officer", "add", name, "--name", name.title(), "--role", role, "--password", PASSWORD]
        for name, role in OFFICERS.items()
    ]
    told = {"DATABASE_URL": config.database_url, "SECRET_KEY": config.secret_key, "CONSULAR_KEYS": config.keys}
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, json.dumps([["migrate"], *accounts])],
        cwd=world.ROOT,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def register(site: Mission, name: str, number: str, country: str = "LY", place: str = "Tripoli", **more: str) -> str:
    """Fill in the registration form as a resident; the page that answers."""
    visitor = Visitor(site.url)
    visitor.open("/?lang=en")
    resident = {"home_country": "IN", "country": country, "place": place, "stay": "resident", "consent": "yes"}
    rest = {"people_with_me": "0", "language": "en"} | more
    page = visitor.send(visitor.form("lang="), full_name=name, phone=number, **resident, **rest)
    assert "You are registered" in page
    return page


def open_crisis(author: Visitor, title: str, country: str, **real: str) -> str:
    """Open an exercise for a country, or with **REAL a real crisis; the path of its page."""
    author.open("/officer/crises/new")
    author.send(author.form("/crises/new"), **{"title": title, "status": "Exercise", "countries": country, **real})
    return path_of(author)


def write_alert(author: Visitor, crisis_path: str, event: str, country: str, **texts: str) -> str:
    """Write an alert and submit it; the path of its page."""
    author.open(f"{crisis_path}/alerts/new")
    words = {f"text_{language}": text for language, text in (texts or TEXTS).items()}
    words |= {f"headline_{language}": event for language in (texts or TEXTS)}
    seriousness = {"urgency": "Immediate", "severity": "Severe", "certainty": "Observed", "response_type": "Shelter"}
    rest = {"category": "Security", "message_class": "life_safety", "asks_for_reply": "yes", "validity_minutes": "60"}
    form = author.form("/alerts/new")
    author.send(form, event=event, countries=country, **words, **seriousness, **rest)
    path = path_of(author)
    author.open(path)
    author.send(author.form("/submit"))
    return path


def release(approver: Visitor, alert_path: str, **typed: str) -> None:
    """Approve what the page shows. typed: what a real release asks for besides (typed_count)."""
    approver.open(alert_path)
    approver.send(approver.form("/approve"), **typed)


def path_of(visitor: Visitor) -> str:
    """The path of the page a visitor is on."""
    return "/" + visitor.url.split("/", 3)[-1].split("?")[0]
