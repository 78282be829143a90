"""Real processes for tests: workers, the clock, a practice gateway; each stopped with the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config import Config
from tests.conftest import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, ROOT


def environment(config: Config, gateway_url: str = "http://127.0.0.1:9", **changes: str) -> dict[str, str]:
    """The settings of `config` as a process reads them."""
    settings = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": config.database_url.replace("postgresql+psycopg://", "postgresql://"),
        "REDIS_URL": config.redis_url or "",
        "SECRET_KEY": config.secret_key,
        "CONSULAR_KEYS": config.keys,
        "PUBLIC_URL": config.public_url,
        "WEBHOOK_BASE_URL": config.webhook_base_url,
        "EXERCISE_GATEWAY_BASE_URL": gateway_url,
        "EXERCISE_GATEWAY_ACCOUNT_SID": ACCOUNT_SID,
        "EXERCISE_GATEWAY_AUTH_TOKEN": AUTH_TOKEN,
        "EXERCISE_GATEWAY_FROM": OUR_NUMBER,
        "EXERCISE_GATEWAY_RATE": "1000",
        "EXERCISE_GATEWAY_CONCURRENCY": "50",
    }
    return {**settings, **changes}


class Gateway:
    """A practice gateway that takes texts and does nothing else."""

    def __init__(self, url: str) -> None:
        self.url = url

    def taken(self) -> list[dict[str, Any]]:
        """Accepted texts, from its own log."""
        with urllib.request.urlopen(f"{self.url}/_sim/log") as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


@contextmanager
def practice_gateway(folder: Path, *options: str) -> Iterator[Gateway]:
    """Start one on a free port."""
    token_file = folder / "token"
    token_file.write_text(AUTH_TOKEN)
    fixed = ["--account-sid", ACCOUNT_SID, "--auth-token-file", str(token_file), "--profile", "lean"]
    command = [sys.executable, "-m", "consular.drill.gateway", *fixed, "--inbound-url", "http://127.0.0.1:9/", *options]
    with process(command, {"PATH": os.environ["PATH"]}, folder / "gateway.log", stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        yield Gateway(started.stdout.readline().split()[-1])


@contextmanager
def process(
    command: list[str], env: dict[str, str], log: Path, stdout: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process in the project's folder; terminated, and killed when it does not go."""
    with (
        log.open("a") as file,
        subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=stdout or file, stderr=file) as started,
    ):
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                started.kill()


def worker(queue: str) -> list[str]:
    """The command of one worker process."""
    return [sys.executable, "-m", "workers.worker", queue]


CLOCK = [sys.executable, "-m", "workers.clock"]
