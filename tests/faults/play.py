"""What a case has at hand while it runs: the site, the officers, the gateway, and a place for what it finds."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import requests

from consular.drill.pages import Visitor
from tests.faults.desk import Alert, Desk
from tests.faults.posting import Poster
from tests.faults.simulator import Simulator
from tests.faults.story import Case, Verdict
from tests.faults.world import SENDERS, Site
from tests.waiting import eventually

OPEN = ["queued", "claimed", "sending", "unknown"]
LONGEST_RECOVERY = 150.0


@dataclass(slots=True)
class Stage:
    """One started site with its officers, shared by the cases of a group."""

    site: Site
    desk: Desk
    simulator: Simulator
    poster: Poster
    sizes: dict[str, int]
    random: random.Random
    second: Simulator | None = None
    normal_seconds: float = 0.0

    @property
    def simulators(self) -> list[Simulator]:
        """Every practice gateway's own door."""
        return [one for one in (self.simulator, self.second) if one is not None]

    def log(self) -> list[dict[str, Any]]:
        """Every text that any gateway accepted."""
        return [row for one in self.simulators for row in one.log()]


@dataclass(slots=True)
class Play:
    """One run of one case."""

    stage: Stage
    case: Case
    verdict: Verdict
    alerts: list[Alert] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    ended_at: float = 0.0
    keeps_receipts: bool = True
    is_broken_off: bool = False
    rested_at: float = 0.0

    @property
    def site(self) -> Site:
        """The installation."""
        return self.stage.site

    @property
    def simulator(self) -> Simulator:
        """The gateway's own door."""
        return self.stage.simulator

    def write(self, country: str = "LY", message_class: str = "life_safety", minutes: int = 60) -> Alert:
        """An alert that waits for approval."""
        title = f"{self.case.code} {len(self.alerts) + 1} {message_class}"
        alert = self.stage.desk.write(title, country, self.stage.sizes[country], message_class, minutes)
        self.alerts.append(alert)
        return alert

    def release(self, alert: Alert, visitor: Visitor | None = None) -> Alert:
        """Approve it; it has its rows from now on."""
        self.stage.desk.release(alert, visitor)
        return self.find_event(alert)

    def find_event(self, alert: Alert) -> Alert:
        """Note which event an alert became."""
        found = self.site.rows("select id from alert_events where alert_id = %s", alert.path.rsplit("/", 1)[1])
        alert.event_id = UUID(str(found[0][0])) if found else None
        return alert

    def send(self, country: str = "LY", message_class: str = "life_safety", minutes: int = 60) -> Alert:
        """Write and release."""
        return self.release(self.write(country, message_class, minutes))

    def states(self, alert: Alert) -> dict[str, int]:
        """How many rows of an alert stand in each state."""
        query = "select state, count(*) from messages where event_id = %s group by 1"
        return {str(state): int(count) for state, count in self.site.rows(query, alert.event_id)}

    def gone(self, alert: Alert) -> int:
        """Rows that the gateway is known to have taken."""
        states = self.states(alert)
        return sum(states.get(name, 0) for name in ("accepted", "sent", "delivered", "read", "undelivered", "failed"))

    def wait_until_moving(self, alert: Alert, texts: int = 20, seconds: float = 40.0) -> None:
        """Wait until the first texts have left, so that a fault strikes in the middle."""
        self.must(eventually(lambda: self.gone(alert) >= texts, seconds), f"no {texts} texts left in {seconds:.0f} s")

    def wait_until_gone(self, alert: Alert, seconds: float) -> bool:
        """Whether all texts of the alert have left within so many seconds."""
        return eventually(lambda: self.gone(alert) >= alert.people, seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass: the fault lasts that long."""
        time.sleep(seconds)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a part's process."""
        os.kill(self.site.pid(name), number)
        self.verdict.injected += 1

    def strike_sender(self, number: int = signal.SIGKILL, seconds: float = 1.0) -> str | None:
        """Signal a sender that has texts on the way, when there is one within `seconds`; else any that runs."""
        until = time.monotonic() + seconds
        while True:
            running = [name for name in SENDERS if self.site.group[name].exit_code is None]
            names = self._sending(running)
            if names or time.monotonic() > until:
                break
            time.sleep(0.02)
        names = names or running
        if not names:
            return None
        name = self.stage.random.choice(names)
        self.kill(name, number)
        return name

    def _sending(self, names: list[str]) -> list[str]:
        """Those of these senders that have texts on the way, as the database knows."""
        with suppress(psycopg.OperationalError):
            busy = self.site.rows("select distinct worker from messages where state = 'sending'")
            numbers = {str(row[0]).rpartition("-")[2] for row in busy}
            return [name for name in names if str(self.site.pid(name)) in numbers]
        return []

    def calm_down(self, seconds: float = 25.0) -> None:
        """Wait until the rest of these texts was tried, so that the next fault does not strike them, too."""
        leaving = [alert.event_id for alert in self.alerts if alert.leaves]
        exempt = [number for alert in self.alerts for number in alert.exempt]
        query = """select 1 from messages where event_id = any(%s) and not id = any(%s)
                   and state in ('queued', 'claimed', 'sending') limit 1"""
        eventually(lambda: not self.site.rows(query, leaving, exempt), seconds)

    def fault_is_over(self) -> None:
        """From now on the time of recovery counts."""
        self.ended_at = time.time()

    def must(self, holds: bool, sentence: str) -> None:
        """Note what is violated, and go on."""
        if not holds:
            self.verdict.broken.append(sentence)

    def metric(self, name: str) -> float:
        """One figure at /metrics as operators' machines read it, named with its labels; 0 when it is not there."""
        with suppress(requests.RequestException):
            lines = requests.get(f"{self.site.url}/metrics", timeout=10).text.splitlines()
            return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)
        return 0.0

    def must_alarm(self, name: str, subject: str, seconds: float = 20.0) -> None:
        """Operators see this alarm at /metrics, within seconds."""
        line = f'consular_alarm{{alarm="{name}",subject="{subject}"}}'
        is_told = eventually(lambda: self.metric(line) > 0, seconds)
        self.must(is_told, f"nobody is told: no alarm {name} about {subject} at /metrics")

    def note(self, sentence: str) -> None:
        """A figure worth a line below the table."""
        self.verdict.notes.append(sentence)

    def every(self, seconds: tuple[float, float], times: int, act: Callable[[], object]) -> None:
        """Do something so many times at random moments."""
        for _ in range(times):
            time.sleep(self.stage.random.uniform(*seconds))
            act()
