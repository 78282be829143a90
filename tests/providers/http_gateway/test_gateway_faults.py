"""Every fault of an operator, for GET and POST: which outcome class it gets, how often the request was written."""

import threading
import time

import pytest

from consular.domain.ports import FailureReason, RefusalScope, SendOutcome

NOT_SENT, ACCEPTED, REFUSED, UNKNOWN = (
    SendOutcome.NOT_SENT,
    SendOutcome.ACCEPTED,
    SendOutcome.REFUSED,
    SendOutcome.UNKNOWN,
)
OK = b"OK 8123-a.f"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"

ONE_REQUEST = {
    "hang before headers": (lambda talk: talk.hang(), UNKNOWN),
    "hang mid headers": (lambda talk: talk.write(HEAD) or talk.hang(), UNKNOWN),
    "hang mid body": (lambda talk: talk.write(HEAD + b"\r\nOK 1") or talk.hang(), UNKNOWN),
    "one byte at a time": (lambda talk: talk.drip(HEAD + b"\r\n" + b" " * 100, 0.1), UNKNOWN),
    "reset after the request": (lambda talk: talk.reset(), UNKNOWN),
    "close after the request": (lambda talk: False, UNKNOWN),
    "close mid body": (lambda talk: talk.answer(200, OK, length=500) and False, UNKNOWN),
    "not HTTP": (lambda talk: talk.write(b"220 ready\r\n"), UNKNOWN),
    "200 empty": (lambda talk: talk.answer(200), UNKNOWN),
    "200 of a captive portal": (lambda talk: talk.answer(200, b"<html>Welcome OK 1</html>"), UNKNOWN),
    "200 not UTF-8": (lambda talk: talk.answer(200, b"\xff\xfeOK 1"), UNKNOWN),
    "200 too large": (lambda talk: talk.answer(200, OK + b" " * 70_000), UNKNOWN),
    "201 with the words of a 200": (lambda talk: talk.answer(201, OK), UNKNOWN),
    "408": (lambda talk: talk.answer(408), UNKNOWN),
    "500 with the words of a 200": (lambda talk: talk.answer(500, OK), UNKNOWN),
    "503 of a proxy": (lambda talk: talk.answer(503, b"<html>upstream", "Retry-After: 5"), UNKNOWN),
    "502": (lambda talk: talk.answer(502, b"<html>"), UNKNOWN),
    "4xx that a rule doubts": (lambda talk: talk.answer(400, b"maybe taken"), UNKNOWN),
    "302": (lambda talk: talk.answer(302, OK, "Location: /elsewhere"), UNKNOWN),
    "200 OK": (lambda talk: talk.answer(200, OK), ACCEPTED),
    "200 OK after 100": (lambda talk: talk.write(b"HTTP/1.1 100 Go\r\n\r\n") or talk.answer(200, OK), ACCEPTED),
    "429": (lambda talk: talk.answer(429), NOT_SENT),
    "503 in the operator's words": (lambda talk: talk.answer(503, b"ERR 900"), NOT_SENT),
    "200 in the operator's words": (lambda talk: talk.answer(200, b"ERR 900"), NOT_SENT),
    "200 refusing": (lambda talk: talk.answer(200, b"ERR 105"), REFUSED),
    "400": (lambda talk: talk.answer(400), REFUSED),
    "401 basic": (lambda talk: talk.answer(401, b"", 'WWW-Authenticate: Basic realm="x"'), REFUSED),
    "401 digest": (lambda talk: talk.answer(401, b"", 'WWW-Authenticate: Digest realm="x", nonce="y"'), REFUSED),
    "417": (lambda talk: talk.answer(417), REFUSED),
}


@pytest.mark.parametrize(("behaviour", "outcome"), ONE_REQUEST.values(), ids=ONE_REQUEST)
def test_fault_after_the_request_was_written_once(serve, gateway, hand_over, profile, behaviour, outcome):
    server = serve(behaviour)
    started_at = time.monotonic()

    result = hand_over(gateway(f"{server.url}/send", profile))

    assert result.outcome is outcome
    assert len(server.received) == 1
    assert server.received[0].path.startswith("/send")
    assert time.monotonic() - started_at < 5
    assert (result.provider_message_id is not None) == (outcome is ACCEPTED)
    assert result.retry_after_seconds is None or outcome is NOT_SENT
    assert (result.failure_reason is not None) == (outcome is REFUSED)
    assert result.error_code or outcome is ACCEPTED


@pytest.mark.parametrize("closing", ["reset", "close"])
def test_kept_connection_that_dies_after_the_request_is_not_written_again(serve, gateway, hand_over, profile, closing):
    def first_good_then_silent(talk):
        if talk.number == 1:
            return talk.answer(200, OK)
        return talk.reset() if closing == "reset" else False

    server = serve(first_good_then_silent)
    one = gateway(server.url, profile)

    assert [hand_over(one).outcome for _ in range(2)] == [ACCEPTED, UNKNOWN]
    assert len(server.received) == 2, "libcurl repeated the request by itself"


def test_connection_closed_while_idle_is_not_written_to(serve, gateway, hand_over, profile):
    told = threading.Event()

    def close_the_first(talk):
        talk.answer(200, OK)
        return talk.number > 1 or bool(told.wait(5) and False)

    server = serve(close_the_first)
    one = gateway(server.url, profile)
    assert hand_over(one).outcome is ACCEPTED
    told.set()
    assert server.closed.acquire(timeout=5)
    assert [hand_over(one).outcome for _ in range(2)] == [NOT_SENT, ACCEPTED]
    assert len(server.received) == 2


def test_refused_connection_is_not_sent(gateway, hand_over, profile, closed_port):
    result = hand_over(gateway(f"http://127.0.0.1:{closed_port}", profile))
    assert (result.outcome, result.http_status) == (NOT_SENT, None)


def test_connection_that_never_stands_is_not_sent(gateway, hand_over, profile, full_port):
    assert hand_over(gateway(f"http://127.0.0.1:{full_port}", profile)).outcome is NOT_SENT


def test_name_that_does_not_exist_is_not_sent(gateway, hand_over, profile):
    assert hand_over(gateway("https://gateway.invalid", profile)).outcome is NOT_SENT


def test_certificate_nobody_vouches_for_is_not_sent(serve, gateway, hand_over, profile, tls):
    server = serve(lambda talk: talk.answer(200, OK), tls)
    result = hand_over(gateway(server.url, profile, total_timeout_seconds=5))
    assert (result.outcome, result.error_code) == (NOT_SENT, "transport-60")
    assert server.received == []


def test_tls_connection_is_kept(serve, gateway, hand_over, profile, tls, certificate):
    server = serve(lambda talk: talk.answer(200, OK), tls)
    one = gateway(server.url, profile, total_timeout_seconds=5, ca_file=str(certificate))
    assert [hand_over(one).outcome for _ in range(5)] == [ACCEPTED] * 5
    assert (len(server.received), server.connections) == (5, 1)


@pytest.mark.parametrize("left", [-1.0, 0.0, 0.69], ids=["over", "ends now", "too short for a whole request"])
def test_request_whose_lease_is_too_short_is_not_written(serve, gateway, hand_over, profile, left):
    server = serve(lambda talk: talk.hang())
    result = hand_over(gateway(server.url, profile), lease_seconds=left)
    assert (result.outcome, result.error_code) == (NOT_SENT, "lease")
    assert (server.received, server.connections) == ([], 0)


def test_lease_is_looked_at_again_after_waiting_for_a_connection(serve, gateway, request_for, drain_all):
    server = serve(lambda talk: talk.hang())
    one = gateway(server.url, concurrency=1)
    first, second = request_for(), request_for(lease_seconds=1.0)
    one.submit(first)
    one.submit(second)
    results = {result.attempt_id: result for result in drain_all(one)}
    assert results[first.attempt_id].outcome is UNKNOWN
    assert results[second.attempt_id].error_code == "lease"
    assert len(server.received) == 1


def test_exercise_does_not_write_to_a_public_address_even_when_the_name_looks_local(settings):
    with pytest.raises(ValueError, match="on this machine"):
        settings("http://54.1.2.3/send", is_exercise=True)


ANSWERS = {
    "the operator's id": (200, OK, (), (ACCEPTED, "8123-a.f", None, None, None)),
    "an id too long": (200, b"OK " + b"9" * 65, (), (ACCEPTED, "attempt", None, None, None)),
    "an id with odd signs": (200, b"OK <b>1</b>", (), (ACCEPTED, "attempt", None, None, None)),
    "number": (200, b"ERR 105 bad", (), (REFUSED, None, "105", FailureReason.INVALID_NUMBER, RefusalScope.NUMBER)),
    "country": (200, b"ERR 300", (), (REFUSED, None, "300", FailureReason.SENDER_REJECTED, RefusalScope.COUNTRY)),
    "account": (401, b"no", (), (REFUSED, None, "http-401", FailureReason.PROVIDER_ERROR, RefusalScope.ACCOUNT)),
    "404": (404, b"no", (), (REFUSED, None, "http-404", FailureReason.PROVIDER_ERROR, RefusalScope.ACCOUNT)),
    "400": (400, b"no", (), (REFUSED, None, "http-400", FailureReason.PROVIDER_ERROR, RefusalScope.NUMBER)),
    "throttled": (503, b"ERR 900", (), (NOT_SENT, None, "900", None, None)),
}


@pytest.mark.parametrize(("status", "body", "headers", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_the_profile_reads_the_answer(serve, gateway, hand_over, status, body, headers, expected):
    result = hand_over(gateway(serve(lambda talk: talk.answer(status, body, *headers)).url))
    own_id = "attempt" if result.provider_message_id == result.attempt_id.hex else result.provider_message_id
    assert (result.outcome, own_id, result.error_code, result.failure_reason, result.scope) == expected
    assert result.http_status == status


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [((), 7), (("Retry-After: 30",), 30), (("Retry-After: 86400",), 120)],
    ids=["the profile's", "the answer's", "never too long"],
)
def test_how_long_to_wait(serve, gateway, hand_over, headers, seconds):
    server = serve(lambda talk: talk.answer(503, b"ERR 900", *headers))
    assert hand_over(gateway(server.url)).retry_after_seconds == seconds


def test_never_more_requests_at_once_than_allowed_and_every_one_comes_back_once(
    serve, gateway, request_for, drain_all, profile
):
    server = serve(lambda talk: talk.answer(200, OK))
    one = gateway(server.url, profile, concurrency=8, total_timeout_seconds=10)
    requests = [request_for(to=f"+2189123{number:05}") for number in range(200)]
    for request in requests:
        one.submit(request)
    assert one.in_flight == 200

    results = drain_all(one)

    assert sorted(result.attempt_id for result in results) == sorted(request.attempt_id for request in requests)
    assert {result.outcome for result in results} == {ACCEPTED}
    assert len({(request.path, request.body) for request in server.received}) == 200
    assert server.connections <= 8
    assert one.in_flight == 0


def test_poll_with_nothing_in_flight_returns_at_once(gateway, closed_port):
    started_at = time.monotonic()
    assert gateway(f"http://127.0.0.1:{closed_port}").poll(5.0) == []
    assert time.monotonic() - started_at < 1
