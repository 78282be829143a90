"""What the gateway promises when nothing breaks: the form, the lease, requests at once, one result each."""

import logging
import threading
import time
from base64 import b64encode
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.ports import FailureReason, SendOutcome, SmsRequest
from consular.providers.addresses import is_local_address
from consular.providers.exchange import WriteGuard
from consular.providers.twilio.forms import create_form, sender_part

SERVICE = "MG" + "a" * 32
ABORT, WRITE = 1, 0


def test_form_holds_exactly_what_twilio_expects(serve, gateway, hand_over, created, account):
    server = serve(lambda talk: talk.answer(201, created))
    text = "غادروا &now=1+1 😀\n\x00 Ref K7Q2XM https://consular.example/s/a?b=c#d"
    result = hand_over(gateway(server.url), to="+218912345678", body=text)

    (request,) = server.received
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{account}/Messages.json")
    assert request.form == {
        "From": ["+15557122661"],
        "To": ["+218912345678"],
        "ValidityPeriod": ["3600"],
        "StatusCallback": [f"https://consular.example/webhooks/twilio/status/{result.attempt_id}?k=abc&x=1"],
        "Body": [text],
    }
    assert request.headers["authorization"] == "Basic " + b64encode(f"{account}:secret-token".encode()).decode()
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "expect" not in request.headers
    assert (result.http_status, result.provider_status) == (201, "queued")
    assert 0 < result.latency_seconds < 5


def test_messaging_service_replaces_the_number(serve, gateway, hand_over, created):
    server = serve(lambda talk: talk.answer(201, created))
    hand_over(gateway(server.url, sender=SERVICE))
    form = server.received[0].form
    assert form["MessagingServiceSid"] == [SERVICE]
    assert "From" not in form


@given(body=st.text(st.characters(exclude_categories=["Cs"])), to=st.text("+0123456789 ", min_size=1))
def test_form_survives_any_text(body, to):
    request = SmsRequest(uuid4(), to, body, 60, 0.0)
    form = create_form(request, sender_part("From", "Bölge &"), "https://x.example/?a=b&c=d")
    assert parse_qs(form.decode("ascii"), keep_blank_values=True, strict_parsing=True) == {
        "From": ["Bölge &"],
        "To": [to],
        "ValidityPeriod": ["60"],
        "StatusCallback": ["https://x.example/?a=b&c=d"],
        "Body": [body],
    }


def test_text_that_no_encoding_can_hold_is_refused_without_a_request(serve, gateway, hand_over):
    server = serve(lambda talk: talk.answer(500))
    result = hand_over(gateway(server.url), body="broken \ud800")
    assert (result.outcome, result.failure_reason) == (SendOutcome.REFUSED, FailureReason.CONTENT_REJECTED)
    assert server.received == []


def test_connections_are_kept(serve, gateway, hand_over, created):
    server = serve(lambda talk: talk.answer(201, created))
    one = gateway(server.url)
    for _ in range(5):
        assert hand_over(one).outcome is SendOutcome.ACCEPTED
    assert (len(server.received), server.connections) == (5, 1)


@pytest.mark.parametrize("left", [-1.0, 0.0, 0.69], ids=["over", "ends now", "too short for a whole request"])
def test_request_whose_lease_is_too_short_is_not_written(serve, gateway, hand_over, left):
    server = serve(lambda talk: talk.hang())
    result = hand_over(gateway(server.url), lease_seconds=left)
    assert (result.outcome, result.error_code) == (SendOutcome.NOT_SENT, "lease")
    assert server.received == []
    assert server.connections == 0


def test_lease_is_looked_at_again_after_waiting_for_a_connection(serve, gateway, request_for, drain_all):
    server = serve(lambda talk: talk.hang())
    one = gateway(server.url, concurrency=1)
    first, second = request_for(), request_for(lease_seconds=1.0)
    one.submit(first)
    one.submit(second)
    results = {result.attempt_id: result for result in drain_all(one)}
    assert results[first.attempt_id].outcome is SendOutcome.UNKNOWN
    assert results[second.attempt_id].error_code == "lease"
    assert len(server.received) == 1


class TestWriteGuard:
    def ask(self, guard, address="127.0.0.1", port=5000):
        return guard(address, "127.0.0.1", 80, port)

    def test_writes_once(self):
        guard = WriteGuard(only_local=False)
        guard.arm(time.monotonic() + 60)
        assert (self.ask(guard), guard.is_written) == (WRITE, True)
        assert (self.ask(guard), guard.is_written) == (ABORT, True)

    def test_does_not_write_before_it_is_armed_or_after_its_time(self):
        guard = WriteGuard(only_local=False)
        assert (self.ask(guard), guard.is_written) == (ABORT, False)
        guard.arm(time.monotonic() - 0.001)
        assert (self.ask(guard), guard.is_written) == (ABORT, False)

    def test_exercise_is_not_written_to_a_public_address(self):
        guard = WriteGuard(only_local=True)
        guard.arm(time.monotonic() + 60)
        assert (self.ask(guard, "54.1.2.3"), guard.is_written) == (ABORT, False)
        assert (self.ask(guard, "10.1.2.3"), guard.is_written) == (WRITE, True)

    def test_dead_connection_is_not_written_to(self):
        dead = {5000}
        guard = WriteGuard(only_local=False, dead_ports=dead)
        guard.arm(time.monotonic() + 60)
        assert (self.ask(guard, port=5000), guard.is_written) == (ABORT, False)
        assert dead == set()
        assert self.ask(guard, port=5001) == WRITE


def test_never_more_requests_at_once_than_allowed_and_every_one_comes_back(
    serve, gateway, request_for, drain_all, created
):
    inside, most, lock = 0, 0, threading.Lock()

    def counted(talk):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.002)
        with lock:
            inside -= 1
        return talk.answer(201, created)

    server = serve(counted)
    one = gateway(server.url, concurrency=8, total_timeout_seconds=10)
    requests = [request_for(to=f"+2189123{number:05}") for number in range(200)]
    for request in requests:
        one.submit(request)
    assert one.in_flight == 200

    results = drain_all(one)

    assert sorted(result.attempt_id for result in results) == sorted(request.attempt_id for request in requests)
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    assert [len(server.received), server.connections] == [200, 8]
    assert most <= 8
    assert one.in_flight == 0


def test_poll_with_nothing_in_flight_returns_at_once(gateway, closed_port):
    started_at = time.monotonic()
    assert gateway(f"http://127.0.0.1:{closed_port}").poll(5.0) == []
    assert time.monotonic() - started_at < 1


def test_poll_keeps_its_timeout(serve, gateway, request_for):
    one = gateway(serve(lambda talk: talk.hang()).url, total_timeout_seconds=5)
    one.submit(request_for())
    started_at = time.monotonic()
    assert one.poll(0.1) == []
    assert 0.09 < time.monotonic() - started_at < 1
    assert one.in_flight == 1


def test_nothing_personal_is_logged_or_printed(serve, gateway, hand_over, settings, caplog, capfd, created):
    caplog.set_level(logging.DEBUG)
    server = serve(lambda talk: talk.answer(201, created) if talk.number == 1 else talk.reset())
    one = gateway(server.url)
    hand_over(one)
    hand_over(one)
    shown = caplog.text + "".join(capfd.readouterr()) + repr(one) + repr(vars(one)) + repr(settings(server.url))
    for secret in ("secret-token", "218912345678", "K7Q2XM", server.received[0].headers["authorization"][6:]):
        assert secret not in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": "https://api.twilio.com"}, "never be Twilio"),
        ({"base_url": "https://eu1.api.twilio.com"}, "never be Twilio"),
        ({"base_url": "https://API.Twilio.COM"}, "never be Twilio"),
        ({"base_url": "https://gateway.example.org"}, "on this machine"),
        ({"base_url": "http://54.1.2.3"}, "on this machine"),
        ({"base_url": "http://169.254.169.254"}, "on this machine"),
        ({"base_url": "http://127.1"}, "on this machine"),
        ({"base_url": "http://0x7f.1"}, "on this machine"),
        ({"base_url": "http://2130706433"}, "on this machine"),
        ({"base_url": "http://127.0.0.1.nip.io"}, "on this machine"),
        ({"base_url": "http://localhost."}, "on this machine"),
        ({"base_url": "http://localhost@api.twilio.com"}, "without user"),
        ({"base_url": "http://127.0.0.1#.example"}, "without user"),
        ({"base_url": "file:///etc/passwd"}, "http"),
        ({"base_url": "gopher://127.0.0.1"}, "http"),
        ({"base_url": "http://127.0.0.1:notaport"}, "cannot be read"),
        ({"base_url": "http://[::1"}, "cannot be read"),
        ({"account_sid": "AC123"}, "account sid"),
        ({"auth_token": ""}, "auth token"),
        ({"auth_token": "a\r\nX: y"}, "auth token"),
        ({"sender": "five" * 4}, "sender"),
        ({"numbers": ("0123",)}, "number"),
        ({"concurrency": 0}, "at once"),
        ({"total_timeout_seconds": 0}, "time limit"),
    ],
    ids=lambda value: "".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_wrong_settings_of_an_exercise_are_refused_in_words(settings, changes, words):
    with pytest.raises(ValueError, match=words) as caught:
        settings(**{"base_url": "http://127.0.0.1:9", "is_exercise": True, **changes})
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://api.twilio.com", "http://8.8.8.8", "http://gateway.example.org"])
def test_password_is_never_sent_unencrypted_to_a_public_host(settings, url):
    with pytest.raises(ValueError, match="https://"):
        settings(url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8311/", "http://[::1]:8311", "http://localhost:1", "http://simulator:80", "http://10.0.0.7"],
)
def test_exercise_may_use_a_host_of_our_own(settings, url):
    assert settings(url, is_exercise=True).base_url == url.rstrip("/")


def test_actual_may_use_twilio(settings):
    assert settings("https://api.twilio.com").base_url == "https://api.twilio.com"


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", True), ("172.31.0.1", True),
        ("192.168.1.1", True), ("fd00::1", True), ("::ffff:10.0.0.1", True), ("172.32.0.1", False),
        ("169.254.169.254", False), ("fe80::1", False), ("::ffff:8.8.8.8", False), ("0.0.0.0", False),
        ("100.64.0.1", False), ("8.8.8.8", False), ("", False), ("localhost", False),
    ],
)  # fmt: skip
def test_local_addresses(address, is_local):
    assert is_local_address(address) is is_local


def test_concurrency_the_system_cannot_give_is_said(monkeypatch, gateway, closed_port):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    monkeypatch.setattr(resource, "setrlimit", _refuse)
    with pytest.raises(ValueError, match="open files"):
        gateway(f"http://127.0.0.1:{closed_port}", concurrency=100)


def _refuse(*_):
    raise ValueError("not allowed to raise maximum limit")


def test_callback_address_gets_the_attempt(serve, gateway, hand_over, created):
    server = serve(lambda talk: talk.answer(201, created))
    result = hand_over(gateway(server.url))
    path = server.received[0].form["StatusCallback"][0].partition("?")[0]
    assert UUID(path.rpartition("/")[2]) == result.attempt_id
