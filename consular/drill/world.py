"""The practice world: servers, web, workers, clock and practice gateway as separate processes, all gone at the end."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config import Config
from consular.embedded import EmbeddedServers
from consular.loopback import free_port, http_ok
from consular.processes import ProcessError, ProcessGroup, Program
from consular.security.fields import generate_keys

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("var") / "drill"
REAL_ACCOUNTS = ("TWILIO_", "SMPP_", "HTTP_GATEWAY_", "MASTODON_", "TELEGRAM_", "EXERCISE_")
SENDER = "+15005550006"
SENDING_WORKERS = 2
MOST_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. speed: seconds of the event per second. rate: parts per second of the practice sender.

    tls: workers speak to the practice gateway over TLS. faults: shares of requests that go wrong, by the gateway's
    names for them, besides those of the scenario.
    """

    scenario: str
    seed: int
    speed: float
    rate: float = 20_000.0
    concurrency: int = 500
    latency_ms: float = 80.0
    web_port: int | None = None
    tls: bool = False
    faults: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class World:
    """A running practice world. env: the settings of its processes. gateway_url: without TLS, for questions to it."""

    env: dict[str, str]
    group: ProcessGroup
    web_url: str
    gateway_url: str
    names: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise ProcessError when a process has ended, or keeps ending, with its last lines."""
        self.group.check()
        for name in self.names:
            if self.group[name].restarts >= MOST_RESTARTS:
                raise ProcessError(f"{name} keeps ending. Its last lines:\n{self.group.tail(name)}")

    @property
    def config(self) -> Config:
        """The same settings, parsed."""
        return Config.from_env(self.env)


@contextmanager
def running(plan: Plan, prepare: Callable[[Config], None]) -> Iterator[World]:
    """Start everything; `prepare(config)` runs when the database answers and before web and workers start.

    Raises EmbeddedError or ProcessError, in one sentence, when something cannot start. Leaving stops all that was
    started.
    """
    with ExitStack() as stack:
        env = dict(_environment(plan))
        if "DATABASE_URL" not in env or "REDIS_URL" not in env:
            servers = stack.enter_context(EmbeddedServers(FOLDER / "servers", valkey="REDIS_URL" not in env))
            env = {**servers.environment(), **env}
        prepare(Config.from_env(env))
        group = stack.enter_context(ProcessGroup(FOLDER / "log"))
        gateway_url = env["EXERCISE_GATEWAY_BASE_URL"]
        if plan.tls:
            address = f"https://127.0.0.1:{free_port(int(gateway_url.rpartition(':')[2]) + 1)}"
            authority = (FOLDER / "practice-authority.pem").absolute()
            env |= {"EXERCISE_GATEWAY_BASE_URL": address, "EXERCISE_GATEWAY_CA_FILE": str(authority)}
        world = World(env, group, env["PUBLIC_URL"], gateway_url)
        _start(world, plan)
        yield world


def _environment(plan: Plan) -> Iterator[tuple[str, str]]:
    kept = ("DATABASE_URL", "REDIS_URL", "CONSULAR_KEYS", "CONSULAR_KEY_FILE", "SECRET_KEY")
    given = {name: os.environ[name] for name in kept if os.environ.get(name)}
    yield from given.items()
    if "SECRET_KEY" not in given:
        yield "SECRET_KEY", secrets.token_urlsafe(48)
    if "CONSULAR_KEYS" not in given and "CONSULAR_KEY_FILE" not in given:
        yield "CONSULAR_KEYS", generate_keys()
    web, hooks, gateway = _ports(plan)
    yield "PUBLIC_URL", f"http://127.0.0.1:{web}"
    yield "WEBHOOK_BASE_URL", f"http://127.0.0.1:{hooks}"
    yield "EXERCISE_GATEWAY_BASE_URL", f"http://127.0.0.1:{gateway}"
    yield "EXERCISE_GATEWAY_ACCOUNT_SID", "AC" + secrets.token_hex(16)
    yield "EXERCISE_GATEWAY_AUTH_TOKEN", secrets.token_hex(16)
    yield "EXERCISE_GATEWAY_FROM", SENDER
    yield "EXERCISE_GATEWAY_RATE", str(plan.rate)
    yield "EXERCISE_GATEWAY_CONCURRENCY", str(plan.concurrency)
    yield "MISSION_NAME", "Embassy (practice)"
    yield "MISSION_PHONE", SENDER
    yield "WEB_WORKERS", "2"


def _ports(plan: Plan) -> tuple[int, int, int]:
    web = free_port(plan.web_port)
    hooks = free_port(web + 1)
    return web, hooks, free_port(hooks + 1)


def _start(world: World, plan: Plan) -> None:
    web, hooks = (world.env[name] for name in ("PUBLIC_URL", "WEBHOOK_BASE_URL"))
    programs = [
        _gateway(world, plan),
        _web(world, "web", web, {"WEB_THREADS": "16"}),
        _web(world, "hooks", hooks, {"WEB_THREADS": "8"}),
        *(
            _python(world, f"worker-exercise-{number + 1}", "workers.worker", "exercise")
            for number in range(SENDING_WORKERS)
        ),
        *(_python(world, f"worker-{queue}", "workers.worker", queue) for queue in ("inbound", "receipts", "social")),
        _python(world, "clock", "workers.clock"),
    ]
    for program in programs:
        world.group.start(program)
        world.names.append(program.name)
    world.group.wait_ready("gateway", http_ok(f"{world.gateway_url}/_sim/stats"), 30)
    for name, url in (("web", web), ("hooks", hooks)):
        world.group.wait_ready(name, http_ok(f"{url}/readyz"), 60)


def _gateway(world: World, plan: Plan) -> Program:
    env = world.env
    port = world.gateway_url.rpartition(":")[2]
    arguments = [
        *("--port", port, "--account-sid", env["EXERCISE_GATEWAY_ACCOUNT_SID"], "--seed", str(plan.seed)),
        *("--inbound-url", f"{env['WEBHOOK_BASE_URL']}/webhooks/twilio/inbound", "--profile", plan.scenario),
        *("--speed", str(plan.speed), "--latency-ms", str(plan.latency_ms)),
        *(part for kind, share in (plan.faults or {}).items() for part in ("--fault", f"{kind}={share}")),
    ]
    if plan.tls:
        arguments += ["--tls-port", env["EXERCISE_GATEWAY_BASE_URL"].rpartition(":")[2]]
        arguments += ["--tls-authority", env["EXERCISE_GATEWAY_CA_FILE"]]
    return Program(
        "gateway",
        [sys.executable, "-m", "consular.drill.gateway", *arguments],
        env=_child_env(env),
        cwd=ROOT,
    )


def _web(world: World, name: str, url: str, env: dict[str, str]) -> Program:
    bind = url.removeprefix("http://")
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "gunicorn.conf.py",
        "--no-control-socket",
        "--bind",
        bind,
        "wsgi:app",
    ]
    return Program(name, argv, env={**_child_env(world.env), **env}, cwd=ROOT, supervise=True)


def _python(world: World, name: str, module: str, *arguments: str) -> Program:
    argv = [sys.executable, "-m", module, *arguments]
    return Program(name, argv, env=_child_env(world.env), cwd=ROOT, supervise=True, grace_s=40.0)


def _child_env(env: dict[str, str]) -> dict[str, str | None]:
    """The world's settings, with every real account of this machine taken away: an exercise has no key to a real
    gateway."""
    removed: dict[str, str | None] = {name: None for name in os.environ if name.startswith(REAL_ACCOUNTS)}
    return {**removed, **env}
