"""One contract for every network: each fault's outcome class, one request on the wire, nothing secret in the error."""

import json
import logging
import time

import pytest

from consular.domain.ports import PostRequest, SendOutcome
from consular.providers.mastodon.publisher import MastodonPublisher
from consular.providers.telegram.publisher import TelegramPublisher

NOT_SENT, ACCEPTED, REFUSED, UNKNOWN = (
    SendOutcome.NOT_SENT,
    SendOutcome.ACCEPTED,
    SendOutcome.REFUSED,
    SendOutcome.UNKNOWN,
)
TOKEN = "123456:AAsecretBBsecret"
POST = PostRequest("Consular alert: غادروا & go <now> 😀\nRef", "ar-LY", "event-7-mastodon")
GOOD = {
    "mastodon": {"id": "1142", "url": "https://social.example/@mission/1142"},
    "telegram": {"ok": True, "result": {"message_id": 77}},
}
LINKS = {"mastodon": ("1142", "https://social.example/@mission/1142"), "telegram": ("77", "https://t.me/mission/77")}


def publisher(network, url, **changes):
    if network == "mastodon":
        return MastodonPublisher(url, TOKEN, "@mission@social.example", **{"timeout_seconds": 0.5, **changes})
    return TelegramPublisher(url, TOKEN, "@mission", **{"timeout_seconds": 0.5, **changes})


@pytest.fixture(params=["mastodon", "telegram"])
def network(request):
    return request.param


def good(network):
    return json.dumps(GOOD[network]).encode()


def test_post_is_accepted_with_its_permalink(serve, network):
    server = serve(lambda talk: talk.answer(200, good(network)))
    one = publisher(network, server.url)
    result = one.publish(POST)
    assert (result.outcome, result.http_status, result.error) == (ACCEPTED, 200, None)
    assert (result.provider_post_id, result.permalink) == LINKS[network]
    assert len(server.received) == 1
    assert one.network == network
    assert one.account.startswith("@mission")


FAULTS = {
    "hang before headers": (lambda talk: talk.hang(), UNKNOWN),
    "hang mid body": (lambda talk: talk.answer(200, b"{", length=50) and talk.hang(), UNKNOWN),
    "one byte at a time": (lambda talk: talk.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 0.05), UNKNOWN),
    "reset": (lambda talk: talk.reset(), UNKNOWN),
    "close": (lambda talk: False, UNKNOWN),
    "200 HTML": (lambda talk: talk.answer(200, b"<html>"), UNKNOWN),
    "200 without an id": (lambda talk: talk.answer(200, b'{"ok": true}'), UNKNOWN),
    "200 a strange id": (
        lambda talk: talk.answer(200, b'{"ok":true,"id":"a/../b","result":{"message_id":true}}'),
        UNKNOWN,
    ),
    "200 not ok": (lambda talk: talk.answer(200, b'{"ok": false, "result": {"message_id": 1}}'), UNKNOWN),
    "200 too large": (lambda talk: talk.answer(200, b" " * 100_000), UNKNOWN),
    "302": (lambda talk: talk.answer(302, b"", "Location: /other"), UNKNOWN),
    "408": (lambda talk: talk.answer(408), UNKNOWN),
    "500": (lambda talk: talk.answer(500, b"<html>"), UNKNOWN),
    "503": (lambda talk: talk.answer(503, b"{}", "Retry-After: 5"), UNKNOWN),
    "429": (lambda talk: talk.answer(429, b"{}"), NOT_SENT),
    "400": (lambda talk: talk.answer(400, b"{}"), REFUSED),
    "401": (lambda talk: talk.answer(401, b"{}"), REFUSED),
    "403": (lambda talk: talk.answer(403, b"[]"), REFUSED),
    "422": (lambda talk: talk.answer(422, b'{"error": ["x"], "description": 7}'), REFUSED),
}


@pytest.mark.parametrize(("behaviour", "outcome"), FAULTS.values(), ids=FAULTS)
def test_fault(serve, network, behaviour, outcome, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server = serve(behaviour)
    one = publisher(network, server.url)
    started_at = time.monotonic()

    result = one.publish(POST)

    assert time.monotonic() - started_at < 3
    assert result.outcome is outcome
    assert (result.provider_post_id, result.permalink) == (None, None)
    assert result.error
    assert len(server.received) == 1
    shown = repr(result) + repr(one) + caplog.text + "".join(capfd.readouterr()) + repr(vars(one).get("_route"))
    assert "secret" not in shown


@pytest.mark.parametrize("address", ["refused", "full", "unknown name", "not TLS"])
def test_network_that_cannot_be_reached_is_not_sent(serve, network, closed_port, full_port, address):
    server = serve(lambda talk: talk.answer(200))
    url = {
        "refused": f"http://127.0.0.1:{closed_port}",
        "full": f"http://127.0.0.1:{full_port}",
        "unknown name": "https://social.invalid",
        "not TLS": f"https://127.0.0.1:{server.port}",
    }[address]
    result = publisher(network, url).publish(POST)
    assert (result.outcome, result.http_status) == (NOT_SENT, None)
    assert "secret" not in result.error
    assert server.received == []


@pytest.mark.parametrize(("header", "seconds"), [("9", 9), ("4000", 120), ("x", None)])
def test_429_says_how_long_to_wait(serve, network, header, seconds):
    server = serve(lambda talk: talk.answer(429, b"{}", f"Retry-After: {header}"))
    assert publisher(network, server.url).publish(POST).retry_after_seconds == seconds


@pytest.mark.parametrize(("named", "seconds"), [(3, 3), (0, 1), (9999, 120), (True, None), ("3", None)])
def test_telegram_says_in_its_answer_how_long_to_wait(serve, named, seconds):
    body = json.dumps({"ok": False, "error_code": 429, "parameters": {"retry_after": named}}).encode()
    server = serve(lambda talk: talk.answer(429, body))
    assert publisher("telegram", server.url).publish(POST).retry_after_seconds == seconds


def test_refusal_shows_the_networks_words_without_control_signs(serve, network):
    words = "Too long\r\n\x00\u202e" + "x" * 500
    body = json.dumps({"error": words, "description": words}).encode()
    server = serve(lambda talk: talk.answer(422, body))
    error = publisher(network, server.url).publish(POST).error
    assert error.startswith("The network refused the post: Too long ")
    assert error.isprintable()
    assert len(error) < 260


def test_text_that_no_encoding_can_hold_is_refused_without_a_request(serve, network):
    server = serve(lambda talk: talk.answer(200))
    result = publisher(network, server.url).publish(PostRequest("broken \ud800", "en", "key"))
    assert result.outcome is REFUSED
    assert server.received == []


@pytest.mark.parametrize("url", ["http://social.example", "ftp://social.example", "https://a@b.example", ""])
def test_wrong_address_is_refused_at_once(network, url):
    with pytest.raises(ValueError, match="provider"):
        publisher(network, url)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "secret\u00e9"])
def test_wrong_token_is_refused_and_not_shown(token):
    for make in (
        lambda: MastodonPublisher("https://social.example", token, "@mission"),
        lambda: TelegramPublisher("https://api.telegram.org", token, "@mission"),
    ):
        with pytest.raises(ValueError, match="token") as caught:
            make()
        assert "secret" not in str(caught.value)


def test_exercise_stays_in_the_local_network(network):
    with pytest.raises(ValueError, match="exercise"):
        publisher(network, "https://social.example", is_exercise=True)


class TestMastodon:
    def test_request(self, serve):
        server = serve(lambda talk: talk.answer(200, good("mastodon")))
        publisher("mastodon", server.url).publish(POST)
        (request,) = server.received
        assert (request.method, request.path) == ("POST", "/api/v1/statuses")
        assert request.form == {"status": [POST.text], "visibility": ["public"], "language": ["ar"]}
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["idempotency-key"] == "event-7-mastodon"

    @pytest.mark.parametrize(
        "link", [None, "javascript:alert(1)", "//x", "https://", 7, "https://x/\u202e", "http://[x"]
    )
    def test_strange_link_is_left_out_and_the_post_still_counts(self, serve, link):
        server = serve(lambda talk: talk.answer(200, json.dumps({"id": "1", "url": link}).encode()))
        result = publisher("mastodon", server.url).publish(POST)
        assert (result.outcome, result.permalink) == (ACCEPTED, None)

    def test_key_that_would_break_out_of_its_header_is_refused(self, serve):
        server = serve(lambda talk: talk.answer(200))
        result = publisher("mastodon", server.url).publish(PostRequest("a", "en", "x\r\nEvil: 1"))
        assert (result.outcome, server.received) == (REFUSED, [])

    def test_account_without_a_name_is_called_after_its_server(self):
        assert MastodonPublisher("https://social.example", TOKEN).account == "social.example"


class TestTelegram:
    def test_request(self, serve):
        server = serve(lambda talk: talk.answer(200, good("telegram")))
        publisher("telegram", server.url).publish(POST)
        (request,) = server.received
        assert (request.method, request.path) == ("POST", f"/bot{TOKEN}/sendMessage")
        assert json.loads(request.body) == {"chat_id": "@mission", "text": POST.text}
        assert request.headers["content-type"] == "application/json"

    def test_private_channel_has_no_permalink(self, serve):
        server = serve(lambda talk: talk.answer(200, good("telegram")))
        result = TelegramPublisher(server.url, TOKEN, "-1001234567890").publish(POST)
        assert (result.outcome, result.provider_post_id, result.permalink) == (ACCEPTED, "77", None)

    @pytest.mark.parametrize("channel", ["mission", "@", "@a b", "https://t.me/mission", "@mission/../x", "123"])
    def test_wrong_channel_is_refused(self, channel):
        with pytest.raises(ValueError, match="channel"):
            TelegramPublisher("https://api.telegram.org", TOKEN, channel)
