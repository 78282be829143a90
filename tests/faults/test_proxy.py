"""The fault proxy against a small server: what the client sees, and whether the server acted."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from consular.loopback import free_port
from tests.faults.proxy import Door, FaultProxy, Trouble

BODY = b'{"sid": "SM0123456789"}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.send_response(201)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Counts what it is asked."""

    asked = 0


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", server.server_address[1]), free_port()) as running:
        yield running


def post(proxy: FaultProxy, times: int = 1, timeout: float = 0.5) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)
    try:
        for _ in range(times):
            connection.request("POST", "/", b"x" * 300)
            answer = connection.getresponse()
            body = answer.read()
        return answer.status, body
    finally:
        connection.close()


def test_without_trouble_everything_goes_through(proxy: FaultProxy, server: Server) -> None:
    assert post(proxy, times=3) == (201, BODY)
    assert (server.asked, proxy.struck) == (3, {})


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.HANG_BEFORE, TimeoutError),
        (Trouble.RESET_BEFORE, ConnectionError),
        (Trouble.RESET_AFTER, ConnectionError),
        (Trouble.HANG_HEADERS, TimeoutError),
        (Trouble.HANG_BODY, TimeoutError),
        (Trouble.DRIP, TimeoutError),
        (Trouble.TRUNCATED, http.client.IncompleteRead),
    ],
)
def test_trouble_without_an_answer(proxy: FaultProxy, server: Server, trouble: Trouble, error: type[Exception]) -> None:
    proxy.trouble({trouble: 1.0})
    with pytest.raises(error):
        post(proxy)
    assert server.asked == trouble.is_forwarded
    assert proxy.struck == {trouble.value: 1}
    proxy.trouble()
    assert post(proxy) == (201, BODY)


@pytest.mark.parametrize(("trouble", "status"), [(Trouble.HTML, 200), (Trouble.REDIRECT, 302)])
def test_answers_that_are_not_the_servers(proxy: FaultProxy, server: Server, trouble: Trouble, status: int) -> None:
    proxy.trouble({trouble: 1.0})
    assert post(proxy)[0] == status
    assert server.asked == 1


@pytest.mark.parametrize(("door", "error"), [(Door.REFUSING, ConnectionRefusedError), (Door.HANGING, TimeoutError)])
def test_closed_doors_open_again(proxy: FaultProxy, server: Server, door: Door, error: type[Exception]) -> None:
    proxy.door(door)
    with pytest.raises(error):
        post(proxy)
    proxy.door(Door.OPEN)
    assert post(proxy, timeout=5.0) == (201, BODY)
    assert server.asked == 1
