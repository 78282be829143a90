"""What is written for one text: every kind of request, exact in every charset, and nothing personal shown anywhere."""

import json
import logging
from base64 import b64encode
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.ports import FailureReason, GatewayError, RefusalScope, SendOutcome, SmsRequest
from consular.providers.http_gateway.profile_files import read_profile, ready_profile
from consular.providers.http_gateway.request_maker import RequestMaker
from consular.providers.http_gateway.settings import HttpSettings

ACCEPTED = "[[answers]]\nstatus = 200\nbody = '^OK'\nmeans = \"accepted\"\n"
SECRETS = {"username": "ministry", "password": "pass word&{1}"}
ARABIC = "غادروا &now=1+1 😀\n\x00 Ref K7Q2XM"


def maker(toml, *, sender="Consulate", secrets=SECRETS, url="http://127.0.0.1:9/send"):
    profile = toml if not isinstance(toml, str) else read_profile(f'name = "x"\n{toml}\n{ACCEPTED}')
    settings = HttpSettings("x", profile, url, secrets=secrets, sender=sender)
    return RequestMaker(settings, lambda attempt: f"https://c.example/r/{attempt}?k=ab")


def sms(body="Stay indoors", to="+218912345678", validity=3600):
    return SmsRequest(uuid4(), to, body, validity, 0.0)


def test_get_puts_everything_into_the_address():
    toml = '[request]\nmethod="GET"\n[request.query]\nuser="{secret.username}"\np="{secret.password}"\n"t x"="{text}"'
    made = maker(toml).make(sms(ARABIC))
    assert (made.body, made.headers) == (None, ())
    assert made.url.startswith("http://127.0.0.1:9/send?")
    assert made.url.isascii() and " " not in made.url
    assert parse_qs(urlsplit(made.url).query) == {
        "user": ["ministry"],
        "p": ["pass word&{1}"],
        "t x": [ARABIC],
    }


def test_form_in_the_operators_charset():
    made = maker('[request]\nmethod="POST"\ncharset="windows-1256"\n[request.form]\nm="{text}"').make(sms("سلام é"))
    assert parse_qs(made.body.decode("ascii"), encoding="windows-1256") == {"m": ["سلام é"]}


def test_json_may_nest_and_keeps_numbers():
    toml = '[request]\nmethod="POST"\n[request.json]\nto=["{to_00}"]\nflash=false\nparts=3\nsms={t="<{text}>"}'
    made = maker(toml).make(sms(ARABIC))
    assert json.loads(made.body) == {
        "to": ["00218912345678"],
        "flash": False,
        "parts": 3,
        "sms": {"t": f"<{ARABIC}>"},
    }
    assert made.headers == ("Content-Type: application/json",)


def test_plain_body_basic_password_and_headers():
    toml = '[request]\nmethod="POST"\nbody="{text}"\nbasic="{secret.username}:{secret.password}"\n'
    made = maker(f'{toml}[request.headers]\nX-To="{{to}}"\nX-Id="{{attempt}}"').make(request := sms("hé"))
    assert made.body == "hé".encode()
    assert made.headers == (
        "Authorization: Basic " + b64encode(b"ministry:pass word&{1}").decode(),
        "Content-Type: text/plain; charset=utf-8",
        "X-To: +218912345678",
        f"X-Id: {request.attempt_id.hex}",
    )


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("{to}", "+218912345678"),
        ("{to_digits}", "218912345678"),
        ("{to_00}", "00218912345678"),
        ("{text_ucs2_hex}", "0031063ad83dde00"),
        ("{sender}", "Consulate"),
        ("{validity_seconds}", "119"),
        ("{validity_minutes}", "1"),
        ("{coding}", "2"),
        ("a{{b}}c", "a{b}c"),
        ("{{to}}", "{to}"),
    ],
)
def test_places(place, value):
    made = maker(f'[request]\nmethod="POST"\n[request.json]\nv="{place}"').make(sms("1غ😀", validity=119))
    assert json.loads(made.body) == {"v": value}


@pytest.mark.parametrize(
    ("body", "coding"),
    [("Stay [indoors] €5 ñ{}", "0"), ("naïve", "8"), ("غ", "8"), ("“quoted”", "8")],
    ids=["GSM-7", "one Latin sign outside GSM-7", "Arabic", "curly quotation marks"],
)
def test_coding_in_the_operators_words(body, coding):
    toml = '[request]\nmethod="GET"\ncoding={gsm="0",unicode="8"}\n[request.query]\nc="{coding}"'
    assert maker(toml).make(sms(body)).url.endswith(f"?c={coding}")


def test_a_validity_below_a_minute_is_not_for_ever():
    toml = '[request]\nmethod="GET"\n[request.query]\nv="{validity_minutes}"'
    assert maker(toml).make(sms(validity=1)).url.endswith("?v=1")


@given(body=st.text(st.characters(exclude_categories=["Cs"])), sender=st.sampled_from(["", "13013", "A&B +_-"]))
def test_every_kind_survives_any_text(body, sender):
    for kind in ("query", "form", "json"):
        method = "GET" if kind == "query" else "POST"
        toml = f'[request]\nmethod="{method}"\n[request.{kind}]\nm="a{{text}}"\ns="{{sender}}"'
        made = maker(toml, sender=sender).make(sms(body))
        if kind == "json":
            assert json.loads(made.body) == {"m": f"a{body}", "s": sender}
        else:
            data = urlsplit(made.url).query if kind == "query" else made.body.decode("ascii")
            fields = parse_qs(data, keep_blank_values=True, strict_parsing=True)
            assert fields == {"m": [f"a{body}"], "s": [sender]}


def test_kannel_over_post_keeps_everything_out_of_the_address():
    made = maker(ready_profile("kannel"), sender="13013").make(request := sms("غادروا", validity=1800))
    assert made.url == "http://127.0.0.1:9/send"
    assert made.body == "غادروا".encode()
    assert set(made.headers) == {
        "Content-Type: text/plain; charset=UTF-8",
        "X-Kannel-Username: ministry",
        "X-Kannel-Password: pass word&{1}",
        "X-Kannel-From: 13013",
        "X-Kannel-To: +218912345678",
        "X-Kannel-Coding: 2",
        "X-Kannel-Validity: 30",
        "X-Kannel-DLR-Mask: 31",
        f"X-Kannel-DLR-Url: https://c.example/r/{request.attempt_id}?k=ab&status=%d&answer=%A",
    }


def test_kannel_over_get():
    made = maker(ready_profile("kannel-get"), sender="13013").make(request := sms("Hello"))
    assert parse_qs(urlsplit(made.url).query) == {
        "username": ["ministry"],
        "password": ["pass word&{1}"],
        "from": ["13013"],
        "to": ["+218912345678"],
        "text": ["Hello"],
        "charset": ["UTF-8"],
        "coding": ["0"],
        "validity": ["60"],
        "dlr-mask": ["31"],
        "dlr-url": [f"https://c.example/r/{request.attempt_id}?k=ab&status=%d&answer=%A"],
    }


@pytest.mark.parametrize(
    ("charset", "body"),
    [("utf-8", "broken \ud800"), ("iso-8859-1", "غادروا")],
    ids=["half a character", "a charset without Arabic"],
)
@pytest.mark.parametrize(
    "kind",
    ['method="GET"\nquery={m="{text}"}', 'method="POST"\nform={m="{text}"}', 'method="POST"\nbody="{text}"'],
    ids=["query", "form", "body"],
)
def test_a_text_the_operator_cannot_be_told_is_refused_without_a_request(
    serve, gateway, hand_over, kind, charset, body
):
    server = serve(lambda talk: talk.answer(500))
    toml = f'name="x"\n[request]\ncharset="{charset}"\n{kind}\n{ACCEPTED}'
    result = hand_over(gateway(server.url, toml), body=body)
    assert (result.outcome, result.failure_reason) == (SendOutcome.REFUSED, FailureReason.CONTENT_REJECTED)
    assert (result.scope, result.error_code) == (RefusalScope.NUMBER, "encoding")
    assert server.received == []


def test_a_number_cannot_add_a_header(serve, gateway, hand_over):
    server = serve(lambda talk: talk.answer(200, b"OK"))
    toml = f'name="x"\n[request]\nmethod="POST"\nbody="{{text}}"\n[request.headers]\nX-To="{{to}}"\n{ACCEPTED}'
    result = hand_over(gateway(server.url, toml), to="+1\r\nX-Evil: 1")
    assert (result.outcome, result.error_code) == (SendOutcome.REFUSED, "encoding")
    assert server.received == []


def test_on_the_wire(serve, gateway, hand_over, profile):
    server = serve(lambda talk: talk.answer(200, b"OK 1"))
    result = hand_over(gateway(f"{server.url}/api/send/", profile))
    (request,) = server.received
    path, _, query = request.path.partition("?")
    assert path == "/api/send/"
    assert (request.method == "GET") == bool(query)
    assert parse_qs(query or request.body.decode(), strict_parsing=True) == {
        "user": ["ministry"],
        "pass": ["pass word&{1}"],
        "msisdn": ["218912345678"],
        "message": ["غادروا المدينة & reply 1=safe 😀 Ref K7Q2XM"],
        "from": ["Consulate"],
        "dlr": [f"https://consular.example/webhooks/http/libyana/receipt/{result.attempt_id}?k=abc&state=%s"],
    }
    assert "expect" not in request.headers
    assert request.headers["user-agent"] == "consular"


def test_a_token_may_be_part_of_the_address(serve, gateway, hand_over):
    server = serve(lambda talk: talk.answer(200, b"OK 1"))
    hand_over(gateway(server.url + "/v1/{secret.password}/send"))
    assert server.received[0].path == "/v1/pass%20word%26%7B1%7D/send"


def test_nothing_personal_is_logged_or_printed(serve, gateway, hand_over, settings, caplog, capfd, profile):
    caplog.set_level(logging.DEBUG)
    server = serve(lambda talk: talk.answer(200, b"OK 1") if talk.number == 1 else talk.reset())
    one = gateway(server.url + "/{secret.password}", profile)
    results = [hand_over(one), hand_over(one)]
    made = one._maker.make(sms(ARABIC))
    shown = caplog.text + "".join(capfd.readouterr()) + repr(one) + repr(vars(one)) + repr(vars(one._maker))
    shown += repr(settings(server.url, profile)) + repr(results) + repr(made)
    for secret in ("pass word", "pass%20word", "218912345678", "K7Q2XM", "k=abc"):
        assert secret not in shown


def test_there_is_no_list(gateway, closed_port):
    one = gateway(f"http://127.0.0.1:{closed_port}")
    for ask in (lambda: one.find("+218912345678", datetime.now(UTC)), lambda: one.list_inbound(datetime.now(UTC))):
        with pytest.raises(GatewayError) as raised:
            ask()
        assert "218912345678" not in str(raised.value)
