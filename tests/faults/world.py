"""A whole installation of real processes that can be killed, starved and cut off, and comes back as under systemd."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask

from config import Config
from consular import create_app
from consular.cli.operate import upgrade_schema
from consular.domain.gateways import EXERCISE
from consular.drill.world import REAL_ACCOUNTS, ROOT, SENDER
from consular.embedded import EmbeddedServers
from consular.extensions import db
from consular.loopback import free_port, http_ok
from consular.processes import ProcessGroup, Program
from consular.security.fields import generate_keys
from consular.services.keys import note_keys
from tests.faults.desk import hire
from tests.faults.proxy import FaultProxy
from tests.waiting import eventually

RESTART_SECONDS = 1.0
TEMPLATE = "faults_template"
SECRET, KEYS = secrets.token_urlsafe(48), generate_keys()
SENDERS = ("sender-1", "sender-2")
WORKERS = (*SENDERS, "inbound", "receipts", "clock")
WEB = ("web", "hooks")
_MODULES: dict[str, tuple[str, ...]] = {
    "inbound": ("workers.worker", "inbound"),
    "receipts": ("workers.worker", "receipts"),
    "clock": ("workers.clock",),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """rate: parts per second of each sender. lease: seconds. profile: of the practice gateway.

    gateways: whose queues the senders work on. With the real ones' names the same practice gateway plays the first of
    them and a second one the other, and alerts are real.
    """

    rate: float = 120.0
    lease: int = 20
    concurrency: int = 50
    profile: str = "perfect"
    speed: float = 100.0
    latency_ms: float = 200.0
    gateways: tuple[str, ...] = (EXERCISE,)

    @property
    def is_real(self) -> bool:
        """Whether alerts are real ones."""
        return EXERCISE not in self.gateways

    @property
    def rates(self) -> dict[str, float]:
        """What each gateway may be handed over, parts per second."""
        return dict.fromkeys(self.gateways, self.rate)


@dataclass(slots=True)
class Site:
    """The running installation. app: the same settings in this process, for judging and for registering people."""

    settings: Settings
    servers: EmbeddedServers
    env: dict[str, str]
    group: ProcessGroup
    proxy: FaultProxy
    app: Flask
    database_url: str
    second_port: int
    restarts: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    _down_since: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def url(self) -> str:
        """Where officers and citizens go."""
        return self.env["PUBLIC_URL"]

    @property
    def hooks_url(self) -> str:
        """Where gateways go."""
        return self.env["WEBHOOK_BASE_URL"]

    @property
    def gateway_url(self) -> str:
        """The practice gateway itself, past the proxy."""
        return f"http://127.0.0.1:{self.proxy.target[1]}"

    @property
    def login(self) -> tuple[str, str]:
        """Account and token at the practice gateways."""
        account = self.env.get("TWILIO_ACCOUNT_SID", self.env["EXERCISE_GATEWAY_ACCOUNT_SID"])
        return account, self.env["EXERCISE_GATEWAY_AUTH_TOKEN"]

    @property
    def second_url(self) -> str:
        """The second practice gateway, where there is one."""
        return f"http://127.0.0.1:{self.second_port}"

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a constant query, on a connection of its own."""
        with psycopg.connect(self.database_url, connect_timeout=10, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def pid(self, name: str) -> int:
        """The process number of a part."""
        return self.group[name].pid

    def start(self, name: str, **changes: str | None) -> None:
        """Start a part, with other settings if asked, and keep it running from now on."""
        with self._lock:
            self.group.start(self.program(name, changes))
            self.kept.add(name)

    def stop(self, name: str, seconds: float = 40.0) -> float:
        """End a part by SIGTERM and leave it ended; how long it took. Kills it when it does not go."""
        with self._lock:
            self.kept.discard(name)
        began = time.monotonic()
        child = self.group[name]
        if child.exit_code is None:
            child.popen.send_signal(signal.SIGTERM)
        with suppress(Exception):
            child.popen.wait(seconds)
        took = time.monotonic() - began
        self.group.stop_child(name)
        return took

    def leave_ended(self, name: str) -> None:
        """Do not start this part again when it ends."""
        with self._lock:
            self.kept.discard(name)

    def move_to(self, database_url: str) -> None:
        """Start every part anew, on another database."""
        for name in (*WORKERS, *WEB):
            self.stop(name)
        self.database_url = self.env["DATABASE_URL"] = database_url
        self.app = create_app(Config.from_env(self.env))
        for name in (*WEB, *WORKERS):
            self.start(name)

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until both web processes answer."""
        for url in (self.url, self.hooks_url):
            if not eventually(http_ok(f"{url}/readyz"), seconds):
                raise RuntimeError(f"{url} did not become ready in {seconds:.0f} s.")

    def program(self, name: str, changes: Mapping[str, str | None] | None = None) -> Program:
        """How a part is run."""
        module = self._sender(name) if name.startswith("sender-") else _MODULES.get(name.partition("-")[0], ())
        argv = [sys.executable, "-m", *module]
        if name in WEB:
            bind = (self.url if name == "web" else self.hooks_url).removeprefix("http://")
            options = ["--config", "gunicorn.conf.py", "--no-control-socket", "--bind", bind]
            argv = [sys.executable, "-m", "gunicorn", *options, "wsgi:app"]
        removed: dict[str, str | None] = {key: None for key in _real_accounts()}
        env = {**removed, **self.env, "WEB_WORKERS": "2", "WEB_THREADS": "8", **(changes or {})}
        return Program(name, argv, env=env, cwd=ROOT, grace_s=40.0)

    def _sender(self, name: str) -> tuple[str, ...]:
        gateways = self.settings.gateways
        return ("workers.worker", gateways[(int(name.rpartition("-")[2]) - 1) % len(gateways)])

    def keep(self) -> None:
        """Start again whatever ended, a second later, as systemd would (Restart=always, RestartSec=1)."""
        while not self._over.wait(0.1):
            with self._lock:
                for name in list(self.kept):
                    self._revive(name)

    def _revive(self, name: str) -> None:
        child = self.group[name]
        if child.exit_code is None:
            return
        since = self._down_since.setdefault(name, time.monotonic())
        if time.monotonic() - since >= RESTART_SECONDS:
            del self._down_since[name]
            with (
                suppress(OSError),
                child.log.open("rb") as old,
                child.log.with_suffix(".before.log").open("ab") as all_,
            ):
                shutil.copyfileobj(old, all_)
            self.restarts[name] = self.restarts.get(name, 0) + 1
            self.group.start(child.program)

    def over(self) -> None:
        """Start nothing again."""
        self._over.set()


@contextmanager
def running(servers: EmbeddedServers, name: str, folder: Path, settings: Settings) -> Iterator[Site]:
    """Everything on a new database called `name`, logs in `folder`; stopped for certain."""
    with ExitStack() as stack:
        _prepare(servers)
        url = _copy(servers, name)
        stack.callback(_dropped, servers, name)
        gateway, proxied, second = free_port(), free_port(), free_port()
        env = _environment(servers, url, settings, proxied)
        env |= _real_gateways(env, settings, second) if settings.is_real else {}
        app = create_app(Config.from_env(env))
        group = stack.enter_context(ProcessGroup(folder / name))
        proxy = stack.enter_context(FaultProxy(("127.0.0.1", gateway), proxied))
        site = Site(settings, servers, env, group, proxy, app, url.replace("+psycopg", ""), second)
        for name_, address in _practice_gateways(site).items():
            group.start(_gateway(site, name_, address))
            group.wait_ready(name_, http_ok(f"{address}/_sim/stats"), 60)
        for part in (*WEB, *WORKERS):
            site.start(part)
        keeper = threading.Thread(target=site.keep, name="keeper", daemon=True)
        keeper.start()
        stack.callback(keeper.join)
        stack.callback(site.over)
        site.wait_ready(120)
        yield site


def _copy(servers: EmbeddedServers, name: str) -> str:
    """A copy of the template, and a checkpoint.

    Without it PostgreSQL would not log the first numbers that the copied sequences give, and a crash would make
    them go back: a copied page looks as if its reserve of numbers had been logged since the last checkpoint.
    """
    url = servers.create_database(name, TEMPLATE)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("checkpoint")
    return url


def _dropped(servers: EmbeddedServers, name: str) -> None:
    with suppress(psycopg.Error):
        servers.drop_database(name)


def _real_accounts() -> list[str]:
    return [name for name in os.environ if name.startswith((*REAL_ACCOUNTS, "SMPP_", "HTTP_GATEWAY_"))]


def _environment(servers: EmbeddedServers, url: str, settings: Settings, proxied: int) -> dict[str, str]:
    return {
        "DATABASE_URL": url.replace("+psycopg", ""),
        "REDIS_URL": servers.redis_url,
        "SECRET_KEY": SECRET,
        "CONSULAR_KEYS": KEYS,
        "PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
        "WEBHOOK_BASE_URL": f"http://127.0.0.1:{free_port()}",
        "EXERCISE_GATEWAY_BASE_URL": f"http://127.0.0.1:{proxied}",
        "EXERCISE_GATEWAY_ACCOUNT_SID": "AC" + secrets.token_hex(16),
        "EXERCISE_GATEWAY_AUTH_TOKEN": secrets.token_hex(16),
        "EXERCISE_GATEWAY_FROM": SENDER,
        "EXERCISE_GATEWAY_RATE": str(settings.rate),
        "EXERCISE_GATEWAY_CONCURRENCY": str(settings.concurrency),
        "LEASE_SECONDS": str(settings.lease),
        "MISSION_NAME": "Embassy (faults)",
    }


def _prepare(servers: EmbeddedServers) -> None:
    """Once for each pair of servers: a database with schema and officers, which all others are copies of."""
    try:
        url = servers.create_database(TEMPLATE)
    except psycopg.errors.DuplicateDatabase:
        return
    app = create_app(Config.from_env(_environment(servers, url, Settings(), 9)))
    with app.app_context():
        upgrade_schema(url)
        note_keys()
        hire()
        db.session.remove()
        db.engine.dispose()


def _real_gateways(env: dict[str, str], settings: Settings, second: int) -> dict[str, str]:
    """Two real gateways, both on this machine; neither takes replies, so that the first one is chosen first."""
    account, token = "AC" + secrets.token_hex(16), env["EXERCISE_GATEWAY_AUTH_TOKEN"]
    return {
        "TWILIO_BASE_URL": env["EXERCISE_GATEWAY_BASE_URL"],
        "TWILIO_ACCOUNT_SID": account,
        "TWILIO_AUTH_TOKEN": token,
        "TWILIO_FROM": SENDER,
        "TWILIO_RATE": str(settings.rate),
        "TWILIO_CONCURRENCY": str(settings.concurrency),
        "HTTP_GATEWAY_PROFILE": str(Path(__file__).with_name("second.toml")),
        "HTTP_GATEWAY_URL": f"http://127.0.0.1:{second}/2010-04-01/Accounts/{account}/Messages.json",
        "HTTP_GATEWAY_FROM": "EMBASSY",
        "HTTP_GATEWAY_RATE": str(settings.rate),
        "HTTP_GATEWAY_CONCURRENCY": str(settings.concurrency),
        "HTTP_GATEWAY_SECRET_ACCOUNT": account,
        "HTTP_GATEWAY_SECRET_TOKEN": token,
    }


def _practice_gateways(site: Site) -> dict[str, str]:
    """Address by name of those that are to be started."""
    first = {"gateway": site.gateway_url}
    return first | {"second-gateway": site.second_url} if site.settings.is_real else first


def _gateway(site: Site, name: str, address: str) -> Program:
    env, settings = site.env, site.settings
    arguments = [
        *("--port", address.rpartition(":")[2], "--account-sid", site.login[0]),
        *("--inbound-url", f"{env['WEBHOOK_BASE_URL']}/webhooks/twilio/inbound", "--profile", settings.profile),
        *("--speed", str(settings.speed), "--latency-ms", str(settings.latency_ms)),
    ]
    return Program(name, [sys.executable, "-m", "consular.drill.gateway", *arguments], env=env, cwd=ROOT)
