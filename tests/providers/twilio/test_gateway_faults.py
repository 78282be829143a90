"""Every fault of a gateway: which outcome class it gets and how often the request was on the wire."""

import json
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from consular.domain.ports import FailureReason, RefusalScope, SendOutcome

NOT_SENT, ACCEPTED, REFUSED, UNKNOWN = (
    SendOutcome.NOT_SENT,
    SendOutcome.ACCEPTED,
    SendOutcome.REFUSED,
    SendOutcome.UNKNOWN,
)
SID = "SM" + "0123456789abcdef" * 2
HEAD = b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n"


def error(code):
    return json.dumps({"code": code, "message": "no", "status": 400}).encode()


def created(**changes):
    return json.dumps({"sid": SID, "account_sid": "AC" + "1" * 32, "status": "queued", **changes}).encode()


def chunked(talk, size):
    talk.write(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(size // 1000):
        talk.write(b"3e8\r\n" + b" " * 1000 + b"\r\n")
    talk.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(created()), created()))
    return True


ONE_REQUEST = {
    "hang before headers": (lambda talk: talk.hang(), UNKNOWN),
    "hang mid headers": (lambda talk: talk.write(HEAD) or talk.hang(), UNKNOWN),
    "hang mid body": (lambda talk: talk.write(HEAD + b"\r\n{") or talk.hang(), UNKNOWN),
    "one byte at a time": (lambda talk: talk.drip(HEAD + b"\r\n" + b" " * 100, 0.1), UNKNOWN),
    "reset after the request": (lambda talk: talk.reset(), UNKNOWN),
    "close after the request": (lambda talk: False, UNKNOWN),
    "close mid body": (lambda talk: talk.answer(201, created()[:50], length=500) and False, UNKNOWN),
    "not HTTP": (lambda talk: talk.write(b"220 ready\r\n"), UNKNOWN),
    "truncated JSON": (lambda talk: talk.answer(201, created()[:-3]), UNKNOWN),
    "201 empty": (lambda talk: talk.answer(201), UNKNOWN),
    "201 a list": (lambda talk: talk.answer(201, b"[1]"), UNKNOWN),
    "201 not UTF-8": (lambda talk: talk.answer(201, b'{"sid": "\xff"}'), UNKNOWN),
    "201 deeply nested": (lambda talk: talk.answer(201, b"[" * 60_000), UNKNOWN),
    "201 too large": (lambda talk: talk.answer(201, created() + b" " * 70_000), UNKNOWN),
    "201 too large in chunks": (lambda talk: chunked(talk, 70_000), UNKNOWN),
    "200 HTML": (lambda talk: talk.answer(200, b"<html>Welcome to the hotel</html>"), UNKNOWN),
    "wrong sid": (lambda talk: talk.answer(201, created(sid="SM123")), UNKNOWN),
    "sid of a call": (lambda talk: talk.answer(201, created(sid="CA" + "0" * 32)), UNKNOWN),
    "sid with a line after it": (lambda talk: talk.answer(201, created(sid=SID + "\n")), UNKNOWN),
    "sid not a text": (lambda talk: talk.answer(201, created(sid=[SID])), UNKNOWN),
    "sid of another account": (lambda talk: talk.answer(201, created(account_sid="AC" + "2" * 32)), UNKNOWN),
    "408": (lambda talk: talk.answer(408), UNKNOWN),
    "500": (lambda talk: talk.answer(500, error(20500)), UNKNOWN),
    "502 HTML": (lambda talk: talk.answer(502, b"<html>"), UNKNOWN),
    "503": (lambda talk: talk.answer(503, error(20503), "Retry-After: 5"), UNKNOWN),
    "400 with a code that may have been processed": (lambda talk: talk.answer(400, error(20500)), UNKNOWN),
    "201": (lambda talk: talk.answer(201, created()), ACCEPTED),
    "201 MM": (lambda talk: talk.answer(201, created(sid="MM" + "a" * 32)), ACCEPTED),
    "201 after 100": (lambda talk: talk.write(b"HTTP/1.1 100 Go\r\n\r\n") or talk.answer(201, created()), ACCEPTED),
    "429": (lambda talk: talk.answer(429, error(20429)), NOT_SENT),
    "429 HTML": (lambda talk: talk.answer(429, b"<html>"), NOT_SENT),
    "400 sender's queue full": (lambda talk: talk.answer(400, error(21611)), NOT_SENT),
    "401": (lambda talk: talk.answer(401, error(20003), 'WWW-Authenticate: Basic realm="x"'), REFUSED),
    "401 digest": (lambda talk: talk.answer(401, b"", 'WWW-Authenticate: Digest realm="x", nonce="y"'), REFUSED),
    "400": (lambda talk: talk.answer(400, error(21211)), REFUSED),
    "400 without a code": (lambda talk: talk.answer(400, b"<html>"), REFUSED),
    "417": (lambda talk: talk.answer(417), REFUSED),
}


@pytest.mark.parametrize(("behaviour", "outcome"), ONE_REQUEST.values(), ids=ONE_REQUEST)
def test_fault_after_the_request_was_written_once(serve, gateway, hand_over, behaviour, outcome):
    server = serve(behaviour)
    started_at = time.monotonic()

    result = hand_over(gateway(server.url))

    assert result.outcome is outcome
    assert len(server.received) == 1
    assert time.monotonic() - started_at < 5
    assert (result.provider_message_id is not None) == (outcome is ACCEPTED)
    assert result.retry_after_seconds is None or outcome is NOT_SENT


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirect_is_never_followed_and_proves_nothing(serve, gateway, hand_over, status):
    elsewhere = serve(lambda talk: talk.answer(201, created()))
    server = serve(lambda talk: talk.answer(status, b"", f"Location: {elsewhere.url}/"))

    result = hand_over(gateway(server.url))

    assert (result.outcome, result.http_status) == (UNKNOWN, status)
    assert (len(server.received), len(elsewhere.received)) == (1, 0)


@pytest.mark.parametrize("closing", ["reset", "close"])
def test_kept_connection_that_dies_after_the_request_is_not_written_again(serve, gateway, hand_over, closing):
    def first_good_then_silent(talk):
        if talk.number == 1:
            return talk.answer(201, created())
        return talk.reset() if closing == "reset" else False

    server = serve(first_good_then_silent)
    one = gateway(server.url)

    assert hand_over(one).outcome is ACCEPTED
    result = hand_over(one)

    assert result.outcome is UNKNOWN
    assert len(server.received) == 2, "libcurl repeated the request by itself"
    assert server.received[0].body != server.received[1].body


def test_many_kept_connections_that_die_write_every_text_once(serve, gateway, request_for, drain_all):
    server = serve(lambda talk: talk.answer(201, created()) if talk.number <= 20 else talk.reset())
    one = gateway(server.url, concurrency=20)
    for _ in range(20):
        one.submit(request_for())
    assert {result.outcome for result in drain_all(one)} == {ACCEPTED}

    for _ in range(40):
        one.submit(request_for())
    results = drain_all(one)

    callbacks = [request.form["StatusCallback"][0] for request in server.received]
    assert len(callbacks) == len(set(callbacks)) == 60
    assert {result.outcome for result in results} == {UNKNOWN}


@pytest.mark.parametrize(
    "words", [b"", b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"], ids=["silent", "unasked 400"]
)
def test_connection_closed_while_idle_is_not_written_to(serve, gateway, hand_over, words):
    def close_the_first(talk):
        talk.answer(201, created())
        if talk.number > 1:
            return True
        told.wait(5)
        talk.write(words)
        return False

    told = threading.Event()
    server = serve(close_the_first)
    one = gateway(server.url)
    assert hand_over(one).outcome is ACCEPTED
    told.set()
    assert server.closed.acquire(timeout=5)

    assert hand_over(one).outcome is NOT_SENT
    assert len(server.received) == 1
    assert hand_over(one).outcome is ACCEPTED
    assert (len(server.received), server.connections) == (2, 2)


def test_connect_refused_is_not_sent(gateway, hand_over, closed_port):
    result = hand_over(gateway(f"http://127.0.0.1:{closed_port}"))
    assert (result.outcome, result.http_status, result.error_code) == (NOT_SENT, None, "transport-7")


def test_connect_that_hangs_is_not_sent_within_the_connect_timeout(gateway, hand_over, full_port):
    started_at = time.monotonic()
    result = hand_over(gateway(f"http://127.0.0.1:{full_port}", total_timeout_seconds=5))
    assert (result.outcome, result.error_code) == (NOT_SENT, "transport-28")
    assert time.monotonic() - started_at < 2


def test_name_that_does_not_exist_is_not_sent(gateway, hand_over):
    result = hand_over(gateway("https://gateway.invalid"))
    assert (result.outcome, result.http_status) == (NOT_SENT, None)


def test_tls_that_fails_is_not_sent(serve, gateway, hand_over):
    server = serve(lambda talk: talk.answer(201, created()))
    result = hand_over(gateway(f"https://127.0.0.1:{server.port}"))
    assert result.outcome is NOT_SENT
    assert server.received == []


def test_certificate_nobody_vouches_for_is_not_sent(serve, gateway, hand_over, tls):
    server = serve(lambda talk: talk.answer(201, created()), tls)
    result = hand_over(gateway(server.url, total_timeout_seconds=5))
    assert (result.outcome, result.error_code) == (NOT_SENT, "transport-60")
    assert server.received == []


def test_tls_connection_is_kept_and_session_tickets_do_not_kill_it(serve, gateway, hand_over, tls, certificate):
    server = serve(lambda talk: talk.answer(201, created()), tls)
    one = gateway(server.url, total_timeout_seconds=5, ca_file=str(certificate))
    assert [hand_over(one).outcome for _ in range(5)] == [ACCEPTED] * 5
    assert (len(server.received), server.connections) == (5, 1)


@pytest.mark.parametrize("closing", ["reset", "close", "unwrap"])
def test_kept_tls_connection_that_dies_after_the_request_is_not_written_again(
    serve, gateway, hand_over, tls, certificate, closing
):
    def first_good_then_silent(talk):
        if talk.number == 1:
            return talk.answer(201, created())
        if closing == "unwrap":
            talk.connection.unwrap()
        return talk.reset() if closing == "reset" else False

    server = serve(first_good_then_silent, tls)
    one = gateway(server.url, total_timeout_seconds=5, ca_file=str(certificate))
    assert [hand_over(one).outcome for _ in range(2)] == [ACCEPTED, UNKNOWN]
    assert len(server.received) == 2


@pytest.mark.parametrize("closing", ["close", "unwrap"])
def test_tls_connection_closed_while_idle_is_not_written_to(serve, gateway, hand_over, tls, certificate, closing):
    def close_the_first(talk):
        talk.answer(201, created())
        if talk.number > 1:
            return True
        told.wait(5)
        if closing == "unwrap":
            with suppress(OSError):
                talk.connection.settimeout(0.05)
                talk.connection.unwrap()
        return False

    told = threading.Event()
    server = serve(close_the_first, tls)
    one = gateway(server.url, total_timeout_seconds=5, ca_file=str(certificate))
    assert hand_over(one).outcome is ACCEPTED
    told.set()
    assert server.closed.acquire(timeout=5)
    assert [hand_over(one).outcome for _ in range(2)] == [NOT_SENT, ACCEPTED]
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Retry-After: 7", 7), ("Retry-After: 0", None), ("Retry-After: 86400", 120), ("Retry-After: soon", None)],
)
def test_429_says_how_long_to_wait(serve, gateway, hand_over, header, seconds):
    server = serve(lambda talk: talk.answer(429, error(20429), header))
    result = hand_over(gateway(server.url))
    assert (result.outcome, result.error_code) == (NOT_SENT, "20429")
    assert result.retry_after_seconds == seconds


def test_429_with_a_date_waits_until_then(serve, gateway, hand_over):
    date = (datetime.now(UTC) + timedelta(seconds=60)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    server = serve(lambda talk: talk.answer(429, b"", f"Retry-After: {date}"))
    assert 50 <= hand_over(gateway(server.url)).retry_after_seconds <= 60


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_refusal_without_a_code_that_can_only_mean_the_account_stops_the_line(serve, gateway, hand_over, status):
    server = serve(lambda talk: talk.answer(status, b"<html>"))
    result = hand_over(gateway(server.url))
    assert (result.outcome, result.scope, result.error_code) == (REFUSED, RefusalScope.ACCOUNT, f"http-{status}")
    assert result.failure_reason is FailureReason.PROVIDER_ERROR


def test_one_slow_gateway_does_not_hold_up_another(serve, gateway, request_for, hand_over):
    slow, quick = serve(lambda talk: talk.hang()), serve(lambda talk: talk.answer(201, created()))
    blocked, free = gateway(slow.url, total_timeout_seconds=10), gateway(quick.url)
    blocked.submit(request_for())
    started_at = time.monotonic()
    assert blocked.poll(0.05) == []
    assert hand_over(free).outcome is ACCEPTED
    assert time.monotonic() - started_at < 2
