"""Servers other people wrote, as their own processes on loopback, for as long as a test needs them."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

MODULES = Path(os.environ.get("CONSULAR_NPM", Path(sys.prefix) / "npm" / "telegram"))
TELEGRAM_SCRIPT = Path(__file__).parent / "providers" / "telegram" / "counterpart" / "serve.js"


@contextmanager
def mastodon_mock(folder: Path) -> Iterator[str]:
    """mastodon-mock with its people (token "ada_token"); its address."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("mastodon_mock")), "serve", "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--in-memory", "--demo", "--log-level", "error"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(server, url)
        yield url
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def telegram_test_api() -> Iterator[str]:
    """telegram-test-api; its address. Skips with a clear message where Node.js or the package is missing."""
    node = shutil.which("node")
    if node is None or not (MODULES / "node_modules" / "telegram-test-api").is_dir():
        words = "needs Node.js and telegram-test-api (make test fetches it where npm is there)"
        if os.environ.get("CONSULAR_REQUIRE_NODE") == "1":
            pytest.fail(words)
        pytest.skip(words)
    port = free_port()
    command = [node, str(TELEGRAM_SCRIPT), str(MODULES), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str) -> None:
    ends_at = time.monotonic() + 40
    while time.monotonic() < ends_at:
        assert server.poll() is None, "mastodon_mock ended before it answered"
        try:
            if requests.get(f"{url}/api/v1/instance", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail("mastodon_mock did not answer within 40 seconds")
