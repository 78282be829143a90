"""What the web server itself writes about requests: nothing that was in them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counterparts import free_port
from tests.waiting import eventually
from tests.workers.processes import process

APP = """
def app(environ, start_response):
    if environ["PATH_INFO"] == "/fails":
        raise ValueError(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
"""
SECRETS = ("218911234567", "wombat", "our-key")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """gunicorn with the settings of the Procfile and a small application; its port and its log."""
    (tmp_path / "small.py").write_text(APP)
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--no-control-socket"]
    command += ["--pythonpath", str(tmp_path), "--bind", f"127.0.0.1:{port}", "small:app"]
    with process(command, {"PATH": os.environ["PATH"], "WEB_WORKERS": "1"}, log):
        assert eventually(lambda: "Booting worker" in log.read_text())
        yield port, log


def say(port: int, line: str) -> bytes:
    """The answer to a request with this first line."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("GET /inbound?k=our-key&from=218911234567&text=wombat HTTP/1.1", b"200", "Booting worker"),
        ("GET /inbound?k=our-key&from=218911234567&text=help wombat HTTP/1.1", b"400", "was refused"),
        ("GET /inbound?k=our-key&from=218911234567&text=wombat\xff", b"400", "was refused"),
        ("G(T /inbound?k=our-key&from=218911234567&text=wombat HTTP/1.1", b"400", "was refused"),
        (f"GET /inbound?k=our-key&from=218911234567&text={'wombat' * 2000} HTTP/1.1", b"414", "was refused"),
        (
            "GET /fails?k=our-key&from=218911234567&text=wombat HTTP/1.1",
            b"500",
            "<class 'ValueError'>",
        ),
    ],
    ids=["right", "a space", "no version", "no method", "too long", "the application fails"],
)
def test_an_address_is_never_logged(server, line, status, said):
    port, log = server
    assert say(port, line).split(b" ", 2)[1] == status
    assert eventually(lambda: said in log.read_text())
    assert not any(secret in log.read_text() for secret in SECRETS), log.read_text()


def test_where_an_application_failed_is_told(server):
    port, log = server
    say(port, "GET /fails?wombat HTTP/1.1")
    assert eventually(lambda: "small.py" in log.read_text())
