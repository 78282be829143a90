"""Which idle connections count as dead, by what waits on them."""

import selectors
import socket

import pytest

from consular.providers.kept_connections import KeptConnections


def record(kind, length):
    return bytes([kind, 3, 3]) + length.to_bytes(2, "big") + b"\x00" * length


TICKET, ALERT, OLD_ALERT = record(0x17, 234), record(0x17, 19), record(0x15, 26)


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        with ours, theirs:
            yield ours, theirs


@pytest.mark.parametrize(
    ("is_tls", "words", "is_dead"),
    [
        (False, b"HTTP/1.1 408 Request Timeout\r\n", True),
        (True, TICKET, False),
        (True, TICKET + TICKET, False),
        (True, ALERT, True),
        (True, TICKET + ALERT, True),
        (True, OLD_ALERT, True),
        (True, TICKET + TICKET[:7], True),
        (True, b"HTTP/1.1 400 Bad Request\r\n", True),
    ],
    ids=["words", "ticket", "tickets", "alert", "ticket, alert", "TLS 1.2 alert", "cut off", "not TLS"],
)
def test_what_waits_on_an_idle_connection(pair, is_tls, words, is_dead):
    ours, theirs = pair
    with selectors.DefaultSelector() as selector:
        kept = idle(selector, ours, is_tls)
        theirs.sendall(words)
        ((key, _),) = selector.select(5)
        assert kept.notice(key.fd)
        assert kept.dead_ports == ({ours.getsockname()[1]} if is_dead else set())
        assert selector.select(0) == [], "still watched: the loop would spin"


@pytest.mark.parametrize("is_tls", [False, True])
def test_closed_connection_is_dead(pair, is_tls):
    ours, theirs = pair
    with selectors.DefaultSelector() as selector:
        kept = idle(selector, ours, is_tls)
        theirs.close()
        ((key, _),) = selector.select(5)
        assert kept.notice(key.fd)
        assert kept.dead_ports == {ours.getsockname()[1]}


def test_connection_in_use_is_none_of_its_business(pair):
    ours, theirs = pair
    with selectors.DefaultSelector() as selector:
        kept = idle(selector, ours, is_tls=False)
        kept.take(ours.fileno())
        selector.register(ours.fileno(), selectors.EVENT_READ)
        theirs.sendall(b"HTTP/1.1 201 Created\r\n")
        ((key, _),) = selector.select(5)
        assert not kept.notice(key.fd)
        assert kept.dead_ports == set()


def idle(selector, connection, is_tls):
    kept = KeptConnections(selector, is_tls=is_tls)
    selector.register(connection.fileno(), selectors.EVENT_WRITE)
    kept.keep(connection.fileno())
    return kept
