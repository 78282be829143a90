"""A practice gateway in a process of its own, and a receiver that plays the product behind its webhooks."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tests.waiting import eventually

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
TOKEN = "drill-token"
SENDER = "+15005550006"
PAGE = """<!doctype html><form action="/search"><input type=hidden name=wrong value=1></form>
<form method="post" action="?step=2"><input type="hidden" name="csrf" value="a&amp;b"><button name="answer"
value="safe">1</button></form>"""


@dataclass
class Received:
    """One request as it came in."""

    method: str
    path: str
    fields: dict[str, str]
    pairs: list[tuple[str, str]]
    signature: str
    cookie: str


@dataclass
class Receiver:
    """Records requests; `answers` holds statuses for the next ones to a path prefix, 200 when there is none."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    arrivals: Queue[Received] = field(default_factory=Queue)
    answers: dict[str, list[int]] = field(default_factory=dict)

    def at(self, prefix: str) -> list[Received]:
        return [request for request in self.requests if request.path.startswith(prefix)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    record = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self, body: str) -> None:
            pairs = parse_qsl(body, keep_blank_values=True)
            signature, cookie = self.headers.get("X-Twilio-Signature", ""), self.headers.get("Cookie", "")
            received = Received(self.command, self.path, dict(pairs), pairs, signature, cookie)
            record.requests.append(received)
            statuses = next((list_ for prefix, list_ in record.answers.items() if self.path.startswith(prefix)), [])
            content = PAGE.encode() if self.command == "GET" else b"<Response/>"
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("Content-Length", str(len(content)))
            if self.command == "GET":
                self.send_header("Set-Cookie", "session=s1; Path=/; HttpOnly")
            self.end_headers()
            self.wfile.write(content)
            record.arrivals.put(received)

        def do_POST(self) -> None:
            self._take(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def do_GET(self) -> None:
            self._take("")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        record.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield record
        server.shutdown()
        thread.join()


class ToGateway(TwilioHttpClient):
    """Twilio's own client, sent to the practice gateway instead."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=10)
        self.base = base

    def request(self, method, url, *args, **kwargs):
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **kwargs)


@dataclass
class RunningGateway:
    """A started practice gateway."""

    url: str
    port: int
    receiver: Receiver
    session: requests.Session
    process: subprocess.Popen[str]

    def sdk(self, token: str = TOKEN) -> Client:
        return Client(ACCOUNT_SID, token, http_client=ToGateway(self.url))

    @property
    def messages_url(self) -> str:
        return f"{self.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"

    def create(self, to: str, body: str = "hello", **fields: str) -> requests.Response:
        form = {"To": to, "From": SENDER, "Body": body} | fields
        return self.session.post(self.messages_url, data=form, auth=(ACCOUNT_SID, TOKEN), timeout=10)

    def alert(self, to: str, ref: str = "K7Q2XM") -> requests.Response:
        """A text as the product sends it: link, reference, status callback."""
        body = f"Stay indoors. Reply 1, 2 or 3. {self.receiver.url}/s/{ref}-{to[1:]} Ref {ref}"
        return self.create(to, body, StatusCallback=f"{self.receiver.url}/status/{to[1:]}?k=ab%2Bc")

    def sim(self, what: str) -> requests.Response:
        return self.session.get(f"{self.url}/_sim/{what}", timeout=10)

    def stats(self) -> dict:
        return self.sim("stats").json()

    def rows(self, what: str) -> list[dict]:
        return [json.loads(line) for line in self.sim(what).text.splitlines()]

    def settle(self, seconds: float = 20.0) -> dict:
        """Wait until nothing more will happen; the counts."""
        assert eventually(lambda: self.stats()["pending"] == 0, seconds), f"still busy: {self.stats()}"
        return self.stats()


@pytest.fixture
def start(receiver: Receiver, tmp_path) -> Iterator[Callable[..., RunningGateway]]:
    """Starts practice gateways: start("--profile", "perfect", ...)."""
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    running: list[tuple[subprocess.Popen[str], requests.Session]] = []

    def run(*options: str) -> RunningGateway:
        fixed = ["--account-sid", ACCOUNT_SID, "--auth-token-file", str(token_file), "--latency-ms", "0"]
        fixed += ["--inbound-url", f"{receiver.url}/inbound", "--speed", "2000"]
        command = [sys.executable, "-m", "consular.drill.gateway", *fixed, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        session = requests.Session()
        running.append((process, session))
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        return RunningGateway(url, int(url.rpartition(":")[2]), receiver, session, process)

    yield run
    for process, session in running:
        session.close()
        if process.poll() is None:
            process.terminate()
            _, errors = process.communicate(timeout=10)
            assert errors == ""
        assert process.returncode == 0
