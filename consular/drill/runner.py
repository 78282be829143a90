"""Running a drill from registration to "safe": stages with progress, then the report and the checks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import requests
from flask import Flask

from config import Config
from consular import create_app
from consular.cli.operate import upgrade_schema
from consular.drill import desk, enrolment, report, scenario, scoring, world
from consular.errors import ConflictError
from consular.extensions import db
from consular.queries import counters, drills
from consular.queueing import connect
from consular.services.keys import note_keys
from consular.services.places import load_gazetteer
from consular.services.transactions import unit_of_work
from consular.services.verification import check_invariants
from consular.services.ways import seed_capabilities

PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.5


class Screen(Protocol):
    """Where progress is shown."""

    def say(self, sentence: str) -> None: ...

    def bar(self, label: str, length: int) -> Any: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for on the command line."""

    scenario: str
    people: int
    seed: int
    speed: float | None
    forms: int
    web_port: int | None = None


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill that is over, its world still up."""

    world: world.World
    officers: tuple[desk.SignIn, desk.SignIn]
    released: desk.Released
    report: dict[str, Any]


@contextmanager
def held(order: Order, screen: Screen) -> Iterator[Drill]:
    """Run the drill; the practice world stays up while the caller is inside. Raises the errors of world and desk."""
    started = time.monotonic()
    chosen = scenario.load(order.scenario)
    plan = world.Plan(order.scenario, order.seed, order.speed or chosen.speed, web_port=order.web_port)
    officers: list[tuple[desk.SignIn, desk.SignIn]] = []
    by_form, listed = enrolment.split(order.people, order.forms, order.seed, chosen)
    screen.say("Starting database, web, workers, clock and practice gateway")
    with world.running(plan, lambda config: officers.append(_prepare(config, screen))) as running:
        app = create_app(running.config)
        with app.app_context():
            with screen.bar("registered", order.people) as bar:
                enrolment.take_over(listed, f"drill-{order.seed}", bar.update)
                refused = enrolment.fill_in_forms(by_form, running.web_url, bar.update)
            if refused:
                screen.say(f"{refused:,} forms were not taken.")
            released = desk.issue(running.web_url, officers[0], chosen)
            _watch(running, screen)
            stats = _get(running, "stats")
            answers = [row for row in _lines(running, "answers") if row["sid"] and row["acked_at"] is not None]
            checked = check_invariants(list(_lines(running, "log")), {row["sid"] for row in answers})
            understood = scoring.score({row["sid"]: row["kind"] for row in answers})
            seconds = time.monotonic() - started
            checks = [*checked, scoring.nobody_wrongly_safe(understood)]
            document = report.compose(
                report.Run(chosen, order.seed, len(by_form) - refused, released.approval_seconds, seconds),
                stats,
                understood,
                checks,
            )
        yield Drill(running, officers[0], released, document)


def _prepare(config: Config, screen: Screen) -> tuple[desk.SignIn, desk.SignIn]:
    if config.redis_url is not None:
        with connect(config.redis_url) as redis:
            redis.ping()
    app: Flask = create_app(config)
    with app.app_context():
        try:
            _refuse_a_used_database()
            upgrade_schema(config.database_url)
            note_keys()
            screen.say("Loading the gazetteer")
            load_gazetteer()
            seed_capabilities()
            return desk.hire()
        finally:
            db.session.remove()
            db.engine.dispose()


def _refuse_a_used_database() -> None:
    with unit_of_work():
        held = drills.holdings()
    if held:
        raise ConflictError(
            f"The database of DATABASE_URL holds {' and '.join(held)}: a drill would mix made-up people with them. "
            "Unset DATABASE_URL, and the drill brings its own, or name an empty one. Nothing was changed."
        )


def _watch(running: world.World, screen: Screen) -> None:
    """Follow the event until nothing more will happen, or patience is over (then the checks will name what is
    missing)."""
    with unit_of_work():
        event = drills.latest_event()
    assert event is not None
    with unit_of_work():
        total = sum(counters.read(event.id).values())
    follow: list[tuple[str, int, Callable[[dict[str, int], dict[str, Any]], int]]] = [
        (
            "accepted",
            total,
            lambda states, _: total - states.get("message:queued", 0) - states.get("message:unknown", 0),
        ),
        ("delivered", total, lambda states, _: sum(states.get(f"message:{s}", 0) for s in _REPORTED)),
        ("answered", 0, lambda _, stats: int(stats["inbound_acked"])),
    ]
    screen.say(f"Selected {event.people:,} people; {total:,} phones to text")
    ends_at = time.monotonic() + PATIENCE_SECONDS
    for label, fixed_length, measure in follow:
        stats = _get(running, "stats")
        length = fixed_length or max(1, int(stats["planned_replies"]))
        with screen.bar(label, length) as bar:
            shown = 0
            while time.monotonic() < ends_at:
                with unit_of_work():
                    states = counters.read(event.id)
                stats = _get(running, "stats")
                now = min(length, measure(states, stats))
                bar.update(now - shown)
                shown = now
                if shown >= length or _is_quiet(stats):
                    break
                time.sleep(POLL_SECONDS)
    while time.monotonic() < ends_at and not _is_quiet(_get(running, "stats")):
        time.sleep(POLL_SECONDS)


_REPORTED = ("delivered", "read", "undelivered", "failed", "refused", "expired", "cancelled")


def _is_quiet(stats: dict[str, Any]) -> bool:
    with unit_of_work():
        return stats["pending"] == 0 and not any(drills.waiting().values())


def _get(running: world.World, what: str) -> dict[str, Any]:
    running.check()
    answer = requests.get(f"{running.gateway_url}/_sim/{what}", timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _lines(running: world.World, what: str) -> Iterator[dict[str, Any]]:
    text = requests.get(f"{running.gateway_url}/_sim/{what}", timeout=120).text
    for line in text.splitlines():
        yield json.loads(line)
