"""A mission whose only gateway is a real Kannel with its fake SMS centre: the product's own processes, no exercise."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import Config
from consular.drill import world
from consular.embedded import EmbeddedServers
from consular.loopback import http_ok
from consular.processes import ProcessGroup, Program
from consular.security.fields import generate_keys
from tests.counterparts import free_port
from tests.journeys.practice import Mission, prepare
from tests.providers.http_gateway.kannel_boxes import PASSWORD, USERNAME, Kannel, whole

SHORT_CODE = "+218800123"
PARTS_A_SECOND = 40
_SECRET = "a secret of a journey, long enough"
_COMMAND = [sys.executable, "-c", "from consular.cli.main import main; main()"]
_WORKERS = {
    "worker-http-1": "http",
    "worker-http-2": "http",
    "worker-receipts": "receipts",
    "worker-inbound": "inbound",
}
_LINE = re.compile(r"Got message \d+: <\S+ (\+\d+) ")


@dataclass(frozen=True, slots=True)
class KannelMission:
    """The running mission and the Kannel it sends by."""

    site: Mission
    kannel: Kannel

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the operator's commands, with the settings of the mission."""
        return command(self.site.world.env, *arguments)

    def reached(self) -> list[str]:
        """Every number that the centre got something for, once for each part."""
        return _LINE.findall(self.kannel.words("fakesmsc"))

    def text_to(self, number: str) -> str:
        """All that the centre got for a number, joined. Only UTF-16 has zeros in it."""
        got = whole(self.kannel.handed_over(number))
        return got.decode("utf-16-be" if b"\0" in got else "utf-8")

    def says(self, sender: str, words: str) -> None:
        """A person writes to us: the centre comes back with the text."""
        self.kannel.start_smsc(f"{sender} {SHORT_CODE} text {words}")


def command(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `consular` as an operator does."""
    given = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(
        [*_COMMAND, *arguments], cwd=world.ROOT, env=given, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def kannel_mission(servers: EmbeddedServers, folder: Path) -> Iterator[KannelMission]:
    """Everything up, on a new database; what was started is stopped at the end."""
    env = _environment(servers)
    prepare(Config.from_env(env))
    told = command(env, "gateway-urls")
    assert told.returncode == 0, told.stderr
    address = next(line.strip() for line in told.stdout.splitlines() if "/inbound?" in line)
    kannel = Kannel(folder, address)
    env["HTTP_GATEWAY_URL"] = kannel.url
    try:
        kannel.start()
        with ProcessGroup(folder / "log") as group:
            running = world.World(env, group, env["PUBLIC_URL"], kannel.url)
            _start(running)
            yield KannelMission(Mission(running, servers, folder / "log", env["DATABASE_URL"]), kannel)
    finally:
        kannel.stop_all()


def _environment(servers: EmbeddedServers) -> dict[str, str]:
    return {
        "DATABASE_URL": servers.create_database("kannel").replace("+psycopg", ""),
        "REDIS_URL": f"{servers.redis_url.removesuffix('/0')}/8",
        "SECRET_KEY": _SECRET,
        "CONSULAR_KEYS": generate_keys(),
        "PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
        "WEBHOOK_BASE_URL": f"http://127.0.0.1:{free_port()}",
        "MISSION_NAME": "Embassy of Testland",
        "WEB_WORKERS": "1",
        "HTTP_GATEWAY_PROFILE": "kannel",
        "HTTP_GATEWAY_URL": "http://127.0.0.1:9/cgi-bin/sendsms",
        "HTTP_GATEWAY_FROM": SHORT_CODE,
        "HTTP_GATEWAY_SECRET_USERNAME": USERNAME,
        "HTTP_GATEWAY_SECRET_PASSWORD": PASSWORD,
        "HTTP_GATEWAY_RATE": str(PARTS_A_SECOND),
    }


def _start(running: world.World) -> None:
    web, hooks = (running.env[name] for name in ("PUBLIC_URL", "WEBHOOK_BASE_URL"))
    programs = [_gunicorn(running, "web", web), _gunicorn(running, "hooks", hooks), _python(running, "clock", "clock")]
    programs += [_python(running, name, "worker", queue) for name, queue in _WORKERS.items()]
    for program in programs:
        running.group.start(program)
        running.names.append(program.name)
    for name, url in (("web", web), ("hooks", hooks)):
        running.group.wait_ready(name, http_ok(f"{url}/readyz"), 60)


def _gunicorn(running: world.World, name: str, url: str) -> Program:
    options = ["--config", "gunicorn.conf.py", "--no-control-socket", "--bind", url.removeprefix("http://")]
    return _program(running, name, "gunicorn", *options, "wsgi:app")


def _python(running: world.World, name: str, module: str, *arguments: str) -> Program:
    return _program(running, name, f"workers.{module}", *arguments)


def _program(running: world.World, name: str, module: str, *arguments: str) -> Program:
    argv = [sys.executable, "-m", module, *arguments]
    return Program(name, argv, env=running.env, cwd=world.ROOT, supervise=True, grace_s=40.0)
