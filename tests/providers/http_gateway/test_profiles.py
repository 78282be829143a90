"""Profiles: what a ministry may write, and that every mistake is said in words before a text is lost to it."""

import pytest

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome
from consular.providers.http_gateway.gateway import HttpGateway
from consular.providers.http_gateway.profile import ProfileError
from consular.providers.http_gateway.profile_files import READY, read_profile, ready_profile
from consular.providers.http_gateway.settings import HttpSettings
from consular.providers.twilio.codes import map_status

GOOD = """
name = "operator"
url = "https://sms.operator.example/send"
[request]
method = "POST"
[request.form]
to = "{to}"
text = "{text}"
[[answers]]
status = [200, 202]
body = '^OK'
means = "accepted"
"""
SECRETS = {"username": "ministry", "password": "pass"}


def test_a_short_profile_is_enough():
    profile = read_profile(GOOD)
    assert (profile.name, profile.url) == ("operator", "https://sms.operator.example/send")
    assert profile.request.form == {"to": "{to}", "text": "{text}"}
    (rule,) = profile.answers
    assert (rule.statuses, rule.means) == (frozenset({200, 202}), SendOutcome.ACCEPTED)
    assert (profile.receipts, profile.inbound) == (None, None)


def test_the_example_of_the_documentation_is_a_profile(pytestconfig):
    words = (pytestconfig.rootpath / "docs" / "http-gateways.md").read_text("utf-8")
    examples = [block.partition("```")[0] for block in words.split("```toml\n")[1:]]
    assert examples
    for example in examples:
        profile = read_profile(example)
        settings = HttpSettings("national", profile, "http://127.0.0.1:9", SECRETS)
        HttpGateway(settings, lambda attempt: f"https://c.example/{attempt}").close()
    assert len(examples[0].strip().splitlines()) <= 16


@pytest.mark.parametrize("name", READY)
def test_ready_profiles_are_filled_by_username_and_password(name):
    settings = HttpSettings("x", ready_profile(name), "http://127.0.0.1:13013/cgi-bin/sendsms", SECRETS)
    HttpGateway(settings, lambda attempt: f"https://c.example/{attempt}").close()


def test_kannels_profiles_differ_in_the_request_alone():
    post, get = (ready_profile(name) for name in READY)
    assert (post.answers, post.receipts, post.inbound) == (get.answers, get.receipts, get.inbound)
    assert (post.request.method, get.request.method) == ("POST", "GET")


def test_a_profile_like_a_ready_one_takes_the_rest_from_there():
    mine = read_profile('name = "ours"\nlike = "kannel"\nurl = "https://kannel.example/cgi-bin/sendsms"\n')
    assert (mine.name, mine.request) == ("ours", ready_profile("kannel").request)


KANNEL = [
    (202, "0: Accepted for delivery", SendOutcome.ACCEPTED, None, None),
    (202, "3: Queued for later delivery", SendOutcome.ACCEPTED, None, None),
    (202, "Sent.", SendOutcome.ACCEPTED, None, None),
    (202, "Sent. Message splits: 3", SendOutcome.ACCEPTED, None, None),
    (202, "1: something that Kannel 1.4 never says", SendOutcome.UNKNOWN, None, None),
    (202, "<html>0: Accepted for delivery", SendOutcome.UNKNOWN, None, None),
    (200, "0: Accepted for delivery", SendOutcome.UNKNOWN, None, None),
    (403, "Authorization failed for sendsms", SendOutcome.REFUSED, FailureReason.SENDER_REJECTED, "account"),
    (403, "Not routable. Do not try again.", SendOutcome.REFUSED, FailureReason.SENDER_REJECTED, "country"),
    (403, "<html>forbidden by a proxy", SendOutcome.REFUSED, FailureReason.PROVIDER_ERROR, "account"),
    (404, "Unknown request.", SendOutcome.REFUSED, FailureReason.PROVIDER_ERROR, "account"),
    (
        400,
        "Number(s) has/have been denied by white- and/or black-lists.",
        SendOutcome.REFUSED,
        FailureReason.INVALID_NUMBER,
        "number",
    ),
    (400, "Empty receiver number not allowed, rejected", SendOutcome.REFUSED, FailureReason.INVALID_NUMBER, "number"),
    (400, "Charset or body misformed, rejected", SendOutcome.REFUSED, FailureReason.CONTENT_REJECTED, "number"),
    (400, "DLR-URL field misformed, rejected", SendOutcome.REFUSED, FailureReason.SENDER_REJECTED, "account"),
    (
        400,
        "Sender missing and no global set, rejected",
        SendOutcome.REFUSED,
        FailureReason.SENDER_REJECTED,
        "account",
    ),
    (400, "Invalid content-type", SendOutcome.REFUSED, FailureReason.SENDER_REJECTED, "account"),
    (503, "Temporal failure, try again later.", SendOutcome.NOT_SENT, None, None),
    (503, "<html>no server available", SendOutcome.UNKNOWN, None, None),
    (500, "Sending failed.", SendOutcome.UNKNOWN, None, None),
]


@pytest.mark.parametrize(
    ("status", "body", "outcome", "reason", "scope"), KANNEL, ids=[f"{s} {b[:24]}" for s, b, *_ in KANNEL]
)
def test_every_answer_of_kannel_1_4(serve, gateway, hand_over, status, body, outcome, reason, scope):
    server = serve(lambda talk: talk.answer(status, body.encode()))
    profile = 'name = "kannel"\nlike = "kannel"\n'
    result = hand_over(gateway(server.url, profile, secrets=SECRETS))
    assert (result.outcome, result.failure_reason) == (outcome, reason)
    assert result.scope == (RefusalScope(scope) if scope else None)
    assert (result.provider_message_id == result.attempt_id.hex) == (outcome is SendOutcome.ACCEPTED)


def test_states_of_receipts_are_words_that_the_receipts_job_knows():
    for state in MessageState:
        try:
            profile = read_profile(f'{GOOD}\n[receipts]\nstatus = "s"\n[receipts.states]\n1 = "{state.value}"\n')
        except ProfileError:
            continue
        assert profile.receipts.states == {"1": state}
        assert map_status(state.value) is state


BAD = {
    "no TOML": ("name = ", "no TOML"),
    "no name": (GOOD.replace('name = "operator"', ""), "needs name"),
    "unknown word": (GOOD.replace("[request]", "[request]\nmetod = 1"), "Unknown word in .request.: metod"),
    "unknown table": (GOOD + "[recepts]\n", "Unknown word in the profile: recepts"),
    "no answer that accepts": (GOOD.replace('"accepted"', '"unknown"'), "means accepted"),
    "accepted by status alone": (GOOD.replace("body = '^OK'", ""), "words of the body"),
    "not sent by 503 alone": (GOOD + '[[answers]]\nstatus = 503\nmeans = "not_sent"\n', "words of the body"),
    "a redirect": (GOOD + '[[answers]]\nstatus = 302\nbody = "x"\nmeans = "refused"\n', "200-299 or 400-599"),
    "no status": (GOOD + '[[answers]]\nstatus = []\nbody = "x"\nmeans = "refused"\n', "200-299 or 400-599"),
    "a status in words": (GOOD + '[[answers]]\nstatus = "ok"\nbody = "x"\nmeans = "refused"\n', "number such as"),
    "no regular expression": (GOOD.replace("'^OK'", "'('"), "regular expression"),
    "a meaning nobody knows": (GOOD.replace('"accepted"', '"fine"'), "fine is not among accepted"),
    "GET with a form": (GOOD.replace('"POST"', '"GET"'), "POST with one of"),
    "POST without a body": (GOOD.replace("[request.form]", "[request.query]"), "POST with one of"),
    "two bodies": (GOOD.replace("[request]", '[request]\nbody = "x"'), "POST with one of"),
    "a charset nobody knows": (GOOD.replace("[request]", '[request]\ncharset = "klingon"'), "charset"),
    "a codec that is no charset": (GOOD.replace("[request]", '[request]\ncharset = "hex"'), "charset"),
    "a codec that writes no text": (GOOD.replace("[request]", '[request]\ncharset = "undefined"'), "charset"),
    "texts in a codec that is no charset": (
        GOOD + "[inbound]\nsender = 's'\ntext = 't'\ndefault_charset = 'rot13'\n",
        "charset",
    ),
    "a value without quotation marks": (GOOD.replace('"{to}"', "1"), "quotation marks"),
    "a state that no receipt has": (GOOD + '[receipts]\nstatus="s"\n[receipts.states]\n1="queued"\n', "among accepted"),
    "a header with a line in it": (GOOD + '[request.headers]\n"X: 1\\r\\nY" = "1"\n', "name of a header"),
    "like nobody": (GOOD + 'like = "x"\n', "like|Unknown"),
}


@pytest.mark.parametrize(("toml", "words"), BAD.values(), ids=BAD)
def test_a_wrong_profile_is_refused_in_words(toml, words):
    with pytest.raises(ProfileError, match=words):
        read_profile(toml)


UNFILLABLE = {
    "a place nobody fills": ('"{number}"', {}, "place {number}"),
    "a brace": ('"a{b"', {}, "single brace"),
    "a secret that is not set": ('"{secret.token}"', {}, "secret named token"),
    "an empty secret": ('"{secret.token}"', {"token": ""}, "secret of the gateway"),
    "a secret with a line in it": ('"{secret.token}"', {"token": "a\r\nb"}, "secret of the gateway"),
}


@pytest.mark.parametrize(("value", "secrets", "words"), UNFILLABLE.values(), ids=UNFILLABLE)
def test_a_profile_that_cannot_be_filled_is_refused_when_the_gateway_is_made(value, secrets, words):
    profile = read_profile(GOOD.replace('"{to}"', value))
    with pytest.raises(ValueError, match=words):
        HttpGateway(HttpSettings("x", profile, secrets=secrets), str)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ('X-Text = "{text}"', "does not fit into a header"),
        ('Content-Length = "1"', "HTTP itself needs"),
        ('X-Key = "{secret.token}"', "cannot hold"),
    ],
    ids=["a text", "a header of HTTP's own", "a secret outside ASCII"],
)
def test_headers_that_cannot_be_written_are_refused_when_the_gateway_is_made(headers, words):
    profile = read_profile(f"{GOOD}[request.headers]\n{headers}\n")
    with pytest.raises(ValueError, match=words) as caught:
        HttpGateway(HttpSettings("x", profile, secrets={"token": "schlüssel"}), str)
    assert "schlüssel" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Big Operator"}, "small letters"),
        ({"url": "http://gateway.example.org/send"}, "https://"),
        ({"url": "https://gateway.example.org/send?user=1"}, "without user, query"),
        ({"url": "https://user@gateway.example.org"}, "without user"),
        ({"url": "https://gateway.example.org", "is_exercise": True}, "on this machine"),
        ({"url": "https://gateway.example.org/{to}"}, "Only {secret.<name>}"),
        ({"sender": "more than eleven"}, "sender"),
        ({"sender": "a\r\nb"}, "sender"),
        ({"concurrency": 0}, "at once"),
        ({"total_timeout_seconds": 0}, "time limit"),
        ({"key_version": 0}, "counts from 1"),
    ],
    ids=lambda value: "".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_wrong_settings_are_refused_in_words(changes, words):
    with pytest.raises(ValueError, match=words):
        HttpSettings(**{"name": "x", "profile": read_profile(GOOD), **changes})


def test_a_gateway_needs_an_address():
    with pytest.raises(ValueError, match="no address"):
        HttpSettings("x", ready_profile("kannel"), secrets=SECRETS)
