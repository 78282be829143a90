"""The practice gateway's HTTP: requests in any pieces, several at a time, and malformed ones."""

import base64
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.drill.gateway.protocol import GatewayProtocol
from consular.drill.gateway.timing import Answer, DelayLine
from tests.drill.conftest import ACCOUNT_SID, TOKEN

AUTH = base64.b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()


def post(to: str, extra: str = "", version: str = "1.1") -> bytes:
    body = f"To=%2B{to}&From=%2B15005550006&Body=hi".encode()
    head = (
        f"POST /2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json HTTP/{version}\r\nHost: x\r\n{extra}"
        f"authorization: Basic {AUTH}\r\nContent-type: application/x-www-form-urlencoded\r\n"
        f"CONTENT-LENGTH: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def talk(port: int, data: bytes) -> bytes:
    """Send, close our half, read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_pipelined_requests_are_answered_in_order(start):
    gateway = start("--profile", "lean", "--latency-ms", "30")
    phones = [f"2189112345{number:02d}" for number in range(40)]
    last = post(phones[-1], "Connection: close\r\n")
    answers = talk(gateway.port, b"".join([post(phone) for phone in phones[:-1]]) + last)
    assert answers.count(b"HTTP/1.1 201 Created\r\n") == 40
    places = [answers.index(f'"to": "+{phone}"'.encode()) for phone in phones]
    assert places == sorted(places)


def test_http_1_0_closes_unless_asked_to_keep_alive(start):
    port = start("--profile", "lean").port
    assert talk(port, post("218911234567", version="1.0") * 2).count(b" 201 Created") == 1
    kept = post("218911234567", "Connection: keep-alive\r\n", version="1.0") + post("218911234568", version="1.0")
    assert talk(port, kept).count(b" 201 Created") == 2


def test_expect_100_continue(start):
    head, _, body = post("218911234567", "Expect: 100-continue\r\nConnection: close\r\n").partition(b"\r\n\r\n")
    port = start("--profile", "lean").port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert b"201 Created" in connection.recv(65536)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, id="TLS hello"),
        pytest.param(b"GET /\r\n\r\n", 400, id="no version"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET / HTTP/1.1\nHost: x\n\r\n\r\n", 400, id="bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, id="space before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400, id="folded header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: \x00\r\n\r\n", 400, id="NUL"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", 411, id="no length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411, id="chunked"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            411,
            id="length and chunked",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, id="negative length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n", 400, id="signed length"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, id="two lengths"
        ),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n", 413, id="10 MB"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000, 431, id="endless head"),
    ],
)
def test_malformed_requests_end_the_connection_and_nothing_else(start, request_bytes, status):
    gateway = start("--profile", "lean")
    answer = talk(gateway.port, request_bytes)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer
    assert gateway.create("+218911234567").status_code == 201


class Recorder:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


@given(st.lists(st.integers(min_value=1, max_value=400), max_size=30))
def test_pieces_do_not_matter(cuts):
    data = post("218911234567") + post("218911234568", "X-Long: " + "y" * 300 + "\r\n") + post("218911234569")
    seen: list[bytes] = []

    def handler(head, body):
        seen.append(body)
        return Answer(b"ok")

    transport = Recorder()
    protocol = GatewayProtocol(handler, DelayLine(None, 0.0))
    protocol.connection_made(transport)
    for cut in [*cuts, len(data)]:
        protocol.data_received(data[:cut])
        data = data[cut:]
    assert seen == [f"To=%2B21891123456{digit}&From=%2B15005550006&Body=hi".encode() for digit in (7, 8, 9)]
    assert transport.written == b"ok" * 3
