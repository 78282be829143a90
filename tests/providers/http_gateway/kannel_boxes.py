"""Debian's Kannel on loopback: bearerbox, smsbox and the fake SMS centre that comes with it, as a test's processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from tests.counterparts import free_port
from tests.waiting import eventually

FAKE_SMSC = "/usr/lib/kannel/test/fakesmsc"
USERNAME, PASSWORD = "consular", "pass word&1"

_CONF = """
group = core
admin-port = {admin}
admin-password = admin
smsbox-port = {box}
box-allow-ip = "127.0.0.1"
log-file = "{folder}/bearerbox.log"
log-level = 1
store-type = file
store-location = "{folder}/store"

group = smsc
smsc = fake
smsc-id = fake
host = 127.0.0.1
port = {smsc}
connect-allow-ip = "127.0.0.1"
denied-prefix = "+99"

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-file = "{folder}/smsbox.log"
log-level = 1
http-request-retry = 20
http-queue-delay = 1

group = sendsms-user
username = {username}
password = "{password}"
max-messages = 20
concatenation = true

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{inbound}&id=%I&from=%p&to=%P&text=%b&charset=%C"
"""


def need_kannel() -> None:
    """Skip with a clear message where Kannel is missing; fail when CONSULAR_REQUIRE_KANNEL=1."""
    if _program("bearerbox") and _program("smsbox") and Path(FAKE_SMSC).exists():
        return
    words = "needs Kannel: apt-get install kannel kannel-extras"
    if os.environ.get("CONSULAR_REQUIRE_KANNEL") == "1":
        pytest.fail(words)
    pytest.skip(words)


def _program(name: str) -> str | None:
    """Its path; Debian keeps it where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def whole(lines: list[str]) -> bytes:
    """The text that the centre got, of all its parts."""
    return b"".join(_part(line) for line in lines)


def _part(line: str) -> bytes:
    if line.startswith("text "):
        return line.removeprefix("text ").encode()
    return unquote_to_bytes(line.rsplit(" ", maxsplit=1)[-1].replace("+", " "))


class Kannel:
    """The three processes. inbound_url: where Kannel takes texts from people, to be completed with its escape codes."""

    def __init__(self, folder: Path, inbound_url: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("admin", "box", "smsc", "sendsms")}
        self.url = f"http://127.0.0.1:{self.ports['sendsms']}/cgi-bin/sendsms"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        settings = {**self.ports, "folder": folder, "username": USERNAME, "password": PASSWORD, "inbound": inbound_url}
        (folder / "kannel.conf").write_text(_CONF.format(**settings))

    def start(self) -> None:
        """All three, ready to take a text."""
        self._run("bearerbox", "bearerbox", "kannel.conf")
        assert eventually(lambda: _listens(self.ports["box"])), self.words("bearerbox")
        self.start_smsbox()
        self.start_smsc()

    def start_smsbox(self) -> None:
        self._run("smsbox", "smsbox", "kannel.conf")
        assert eventually(lambda: _listens(self.ports["sendsms"])), self.words("smsbox")
        assert eventually(lambda: "smsbox:(none)" in self.status()), self.status()

    def start_smsc(self, *texts: str) -> None:
        """The SMS centre; texts (fakesmsc's form) are what people send, each once."""
        count = str(len(texts))
        options = ["-H", "127.0.0.1", "-r", str(self.ports["smsc"]), "-i", "0.2", "-m", count]
        self._run("fakesmsc", FAKE_SMSC, *options, *(texts or ["1 2 text nothing"]))
        assert eventually(lambda: "(online" in self.status()), self.status()

    def send_signal(self, box: str, number: signal.Signals) -> None:
        self._running[box].send_signal(number)

    def stop(self, box: str) -> None:
        process = self._running.pop(box)
        process.kill()
        process.wait(10)

    def stop_all(self) -> None:
        for box in list(self._running):
            self.stop(box)

    def status(self) -> str:
        """What bearerbox says of its connections."""
        url = f"http://127.0.0.1:{self.ports['admin']}/status.txt?password=admin"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def handed_over(self, number: str) -> list[str]:
        """What reached the centre for a number, in order: "text <words>", "ucs-2 <%..>", "udh <%..> <kind> <%..>"."""
        form = rf"Got message \d+: <\S+ {re.escape(number)} (.*?)>\n(?=\d{{4}}-\d\d-\d\d |$)"
        return re.findall(form, self.words("fakesmsc"), re.DOTALL)

    def words(self, box: str) -> str:
        return (self.folder / f"{box}.out").read_text("utf-8", "replace")

    def _run(self, name: str, *command: str) -> None:
        if name in self._running:
            self.stop(name)
        program = _program(command[0])
        assert program
        with (self.folder / f"{name}.out").open("ab") as out:
            self._running[name] = subprocess.Popen(
                [program, *command[1:]], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
