"""A practice world for load tests: a crowd in its database, officers at work, workers that can be set anew."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import requests

from bench import crowd
from bench.officers import Polls, polling
from config import Config
from consular import create_app
from consular.cli.operate import upgrade_schema
from consular.domain.rendering import render_sms
from consular.domain.segmentation import segment
from consular.drill import desk, world
from consular.drill.pages import Visitor
from consular.embedded import EmbeddedServers
from consular.extensions import db
from consular.queries import drills
from consular.security.links import links
from consular.services.keys import note_keys
from consular.services.places import load_gazetteer
from consular.services.transactions import unit_of_work

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "var" / "load"
TEXT = "Stay indoors until 08:00."
_SERIOUSNESS = {"urgency": "Immediate", "severity": "Severe", "certainty": "Observed", "response_type": "Shelter"}


@dataclass(slots=True)
class Stage:
    """A running world with its servers, and both officers signed in."""

    running: world.World
    servers: EmbeddedServers
    author: Visitor
    approver: Visitor

    def open_crisis(self, title: str, *countries: str) -> str:
        """Open an exercise; the path of its page."""
        self.author.open("/officer/crises/new")
        form = self.author.form("/crises/new")
        self.author.send(form, title=title, status="Exercise", countries=list(countries))  # type: ignore[arg-type]
        return _path(self.author)

    def submit(
        self,
        crisis_path: str,
        country: str,
        message_class: str = "life_safety",
        *,
        asks: bool = False,
        words: str = TEXT,
    ) -> str:
        """Write an alert of one text and hand it to the approver; the path of its page."""
        self.author.open(f"{crisis_path}/alerts/new")
        about = {"event": "Fighting", "category": "Security", "message_class": message_class, "countries": country}
        rest = {"validity_minutes": "360", "asks_for_reply": "yes" if asks else "no", **_SERIOUSNESS}
        form = self.author.form("/alerts/new")
        self.author.send(form, headline_en="Fighting", text_en=words, **about, **rest)
        path = _path(self.author)
        self.author.open(path)
        self.author.send(self.author.form("/submit"))
        return path

    def approve(self, alert_path: str) -> tuple[UUID, float, float]:
        """Release it: the event's id, and when the approver pressed the button and saw the answer (time.monotonic)."""
        self.approver.open(alert_path)
        form = self.approver.form("/approve")
        pressed = time.monotonic()
        self.approver.send(form, typed_count=form.values.get("seen_count", ""))
        answered = time.monotonic()
        with unit_of_work():
            event = drills.latest_event()
        assert event is not None
        return event.id, pressed, answered

    def stop(self, alert_path: str) -> float:
        """Stop it; seconds from the button to the answer."""
        self.approver.open(alert_path)
        form = self.approver.form("/stop")
        pressed = time.monotonic()
        self.approver.send(form)
        return time.monotonic() - pressed

    @contextmanager
    def polled(self, path: str, officers: int) -> Iterator[Polls]:
        """Officers look at a page meanwhile."""
        cookies = self.author._session.cookies.get_dict()
        with polling(self.running.web_url + path, cookies, officers) as polls:
            yield polls

    def parts(self, asks: bool = False) -> int:
        """SMS parts of one text of submit()."""
        link = f"{self.running.web_url}/s/{links.token(1_000_000)}"
        text = render_sms(TEXT, language="en", is_exercise=True, link=link, reference="QQQQQQ", asks_for_reply=asks)
        return segment(text).parts

    def reset_workers(self, names: str = "worker-exercise", **env: object) -> None:
        """Stop these workers in order and start them with other settings."""
        self.running.env.update({name: str(value) for name, value in env.items()})
        for name in [name for name in self.running.names if name.startswith(names)]:
            program = self.running.group[name].program
            self.running.group.stop_child(name)
            told = {**program.env, **{key: str(value) for key, value in env.items()}}
            self.running.group.start(replace(program, env=told))

    def halt(self, names: str) -> None:
        """Stop these workers in order, for good: nothing is in flight afterwards."""
        for name in [name for name in self.running.names if name.startswith(names)]:
            self.running.names.remove(name)
            self.running.group.stop_child(name)

    def wait(self, is_over: Callable[[], bool], patience: float = 600.0) -> bool:
        """Look every fifth of a second; False when patience ends first."""
        ends_at = time.monotonic() + patience
        while not is_over():
            self.running.check()
            if time.monotonic() > ends_at:
                return False
            time.sleep(0.2)
        return True

    def gateway(self, what: str) -> Any:
        """What the practice gateway knows: "stats", or the rows of "log"."""
        answer = requests.get(f"{self.running.gateway_url}/_sim/{what}", timeout=120)
        answer.raise_for_status()
        return answer.json() if what == "stats" else [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def stage(name: str, people: dict[str, int], **plan: Any) -> Iterator[Stage]:
    """Everything a drill starts, with these people in its database; its logs stay in var/load/<name>."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before = Path.cwd()
    with EmbeddedServers.temporary() as servers, _environment(servers):
        os.chdir(folder)
        officers: list[tuple[desk.SignIn, desk.SignIn]] = []
        chosen = world.Plan(plan.pop("scenario", "lean"), seed=7, speed=plan.pop("speed", 1.0), **plan)
        try:
            with world.running(chosen, lambda config: officers.append(_prepare(config, people))) as running:
                app = create_app(running.config)
                with app.app_context():
                    signed_in = [desk._signed_in(running.web_url, officer) for officer in officers[0]]
                    yield Stage(running, servers, *signed_in)
                    db.session.remove()
                    db.engine.dispose()
        finally:
            os.chdir(before)


@contextmanager
def _environment(servers: EmbeddedServers) -> Iterator[None]:
    """The world takes these servers instead of starting its own, and nothing else from our environment."""
    taken = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CONSULAR_KEYS", "CONSULAR_KEY_FILE")
    before = {name: os.environ.pop(name) for name in taken if name in os.environ}
    os.environ.update(servers.environment())
    try:
        yield
    finally:
        for name in taken:
            os.environ.pop(name, None)
        os.environ.update(before)


def _prepare(config: Config, people: dict[str, int]) -> tuple[desk.SignIn, desk.SignIn]:
    with create_app(config).app_context():
        upgrade_schema(config.database_url)
        note_keys()
        load_gazetteer()
        crowd.settle(people)
        officers = desk.hire()
        db.session.remove()
        db.engine.dispose()
    return officers


def _path(visitor: Visitor) -> str:
    return "/" + visitor.url.split("/", 3)[-1].split("?")[0]
