"""What operators call us with: only with our key, only in the profile's form, and no text lost to an odd byte."""

from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason
from consular.providers.http_gateway.calls import ForgedCallError, MalformedCallError, WebhookCall
from consular.providers.http_gateway.doorway import HttpDoorway, shared_reason
from consular.providers.http_gateway.keys import inbound_url, receipt_url, receipts_url
from consular.providers.http_gateway.profile_files import read_profile, ready_profile
from consular.providers.http_gateway.settings import HttpSettings
from consular.providers.receipt_words import read_status
from tests.providers.http_gateway.conftest import OPERATOR

SECRET = b"a secret of thirty-two signs....."
BASE = "https://consular.example"
ATTEMPT = UUID("0190a1b2-0000-7000-8000-0123456789ab")
FORM = "application/x-www-form-urlencoded"
BARE = OPERATOR.partition("[receipts]")[0]


LOGIN = {"username": "u", "password": "p"}
KINDS = st.sampled_from([FORM, "application/json", ""])


def make_settings(name="libyana", profile=OPERATOR, **changes):
    return HttpSettings(name, read_profile(profile), "http://127.0.0.1:9", LOGIN, **changes)


SETTINGS = make_settings()
KANNEL = HttpSettings("kannel", ready_profile("kannel"), "http://127.0.0.1:9", LOGIN)
DOORWAY = HttpDoorway({"libyana": SETTINGS, "kannel": KANNEL, "bare": make_settings("bare", BARE)}, SECRET)


def call(url, **fields):
    extra = urlencode(fields)
    return WebhookCall(f"{urlsplit(url).query}&{extra}".encode())


def receipt(settings=SETTINGS, attempt=ATTEMPT, **fields):
    return DOORWAY.receipt(settings.name, call(receipt_url(BASE, SECRET, settings, attempt), **fields), attempt)


def inbound(settings=SETTINGS, **fields):
    return DOORWAY.inbound(settings.name, call(inbound_url(BASE, SECRET, settings), **fields))


def test_addresses_name_the_gateway_and_the_attempt():
    assert receipt_url(BASE, SECRET, SETTINGS, ATTEMPT).startswith(f"{BASE}/webhooks/http/libyana/receipt/{ATTEMPT}?k=")
    assert receipts_url(BASE, SECRET, SETTINGS).startswith(f"{BASE}/webhooks/http/libyana/receipt?k=")
    assert inbound_url(BASE, SECRET, SETTINGS).startswith(f"{BASE}/webhooks/http/libyana/inbound?k=")
    for url in (receipt_url(BASE, SECRET, SETTINGS, ATTEMPT), inbound_url(BASE, SECRET, SETTINGS)):
        assert "%" not in url, "Kannel would take it for an escape"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("1", MessageState.DELIVERED),
        ("2", MessageState.UNDELIVERED),
        ("4", MessageState.SENT),
        ("8", MessageState.SENT),
        ("16", MessageState.FAILED),
        ("32", None),
    ],
)
def test_kannels_delivery_reports(status, state):
    report = receipt(KANNEL, status=status, answer="")
    assert (report.state, report.status, report.attempt_id) == (state, status, ATTEMPT)
    assert report.provider_message_id == ATTEMPT.hex
    assert read_status(report.shared_status) is state


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        ("2", "id:7 sub:001 dlvrd:000 stat:EXPIRED err:034 text:", FailureReason.EXPIRED),
        ("2", "id:7 sub:001 dlvrd:000 stat:UNDELIV err:027 text:", FailureReason.UNREACHABLE),
        ("2", "id:7 sub:001 dlvrd:000 stat:REJECTD err:001 text:", FailureReason.BLOCKED),
        ("16", "NACK/0x0000000b/Invalid Destination Address", FailureReason.INVALID_NUMBER),
        ("16", "NACK/0x00000058/Throttling error", FailureReason.QUOTA),
        ("16", "NACK/", None),
        ("1", "id:7 stat:EXPIRED", None),
    ],
)
def test_why_it_failed(status, answer, reason):
    report = receipt(KANNEL, status=status, answer=answer)
    assert report.reason is reason
    assert report.shared_code == (reason.value if reason else None)
    assert shared_reason(report.shared_code or "") is reason


def test_a_code_of_another_gateway_is_not_ours():
    assert shared_reason("30003") is None


def test_the_operators_id_and_words_are_kept():
    report = receipt(state="UNDELIV", ref="abc-1", why="absent subscriber")
    assert (report.provider_message_id, report.state, report.reason) == (
        "abc-1",
        MessageState.UNDELIVERED,
        FailureReason.UNREACHABLE,
    )
    assert dict(report.pairs) == {"state": "UNDELIV", "ref": "abc-1", "why": "absent+subscriber"}


def test_a_word_nobody_listed_is_kept_and_moves_nothing():
    report = receipt(state="delivered")
    assert (report.state, report.shared_status) == (None, "other:delivered")
    assert read_status(report.shared_status) is None


def test_one_address_for_all_receipts_goes_by_the_operators_id():
    url = receipts_url(BASE, SECRET, SETTINGS)
    report = DOORWAY.receipt("libyana", call(url, state="DELIVRD", ref="77"))
    assert (report.attempt_id, report.provider_message_id) == (None, "77")
    with pytest.raises(MalformedCallError, match="id"):
        DOORWAY.receipt("libyana", call(url, state="DELIVRD"))


def test_receipts_may_come_as_a_form_or_as_json():
    url = urlsplit(receipt_url(BASE, SECRET, SETTINGS, ATTEMPT)).query.encode()
    for kind, body in (
        (FORM, b"state=DELIVRD&ref=a%2Bb"),
        ("application/json", b'{"state": "DELIVRD", "ref": "a+b", "more": {"x": [1]}, "n": null}'),
    ):
        report = DOORWAY.receipt("libyana", WebhookCall(url, kind, body), ATTEMPT)
        assert (report.state, report.provider_message_id) == (MessageState.DELIVERED, "a+b")


FORGED = {
    "no key": "state=DELIVRD",
    "an empty key": "k=&state=DELIVRD",
    "two keys": "{key}&{key}&state=DELIVRD",
    "a shorter key": "{short}&state=DELIVRD",
    "odd bytes": "k=%FF%00&state=DELIVRD",
    "the key of another attempt": "{other}&state=DELIVRD",
    "the key of another gateway": "{kannel}&state=DELIVRD",
    "the key of an older version": "{old}&state=DELIVRD",
    "the key of texts": "{inbound}&state=DELIVRD",
    "the key of all receipts": "{receipts}&state=DELIVRD",
}


@pytest.mark.parametrize("query", FORGED.values(), ids=FORGED)
def test_a_forged_receipt_is_refused(query):
    def key(url):
        return urlsplit(url).query

    right = key(receipt_url(BASE, SECRET, SETTINGS, ATTEMPT))
    words = {
        "key": right,
        "short": right[:-1],
        "other": key(receipt_url(BASE, SECRET, SETTINGS, uuid4())),
        "kannel": key(receipt_url(BASE, SECRET, KANNEL, ATTEMPT)),
        "old": key(receipt_url(BASE, SECRET, make_settings(key_version=2), ATTEMPT)),
        "inbound": key(inbound_url(BASE, SECRET, SETTINGS)),
        "receipts": key(receipts_url(BASE, SECRET, SETTINGS)),
    }
    with pytest.raises(ForgedCallError):
        DOORWAY.receipt("libyana", WebhookCall(query.format(**words).encode()), ATTEMPT)


@pytest.mark.parametrize("name", ["nobody", "bare", ""])
def test_a_gateway_that_is_not_there_or_hears_nothing_refuses_all(name):
    settings = DOORWAY.gateways.get(name, SETTINGS)
    with pytest.raises(ForgedCallError):
        DOORWAY.receipt(name, call(receipt_url(BASE, SECRET, settings, ATTEMPT), state="DELIVRD"), ATTEMPT)
    with pytest.raises(ForgedCallError):
        DOORWAY.inbound(name, call(inbound_url(BASE, SECRET, settings), id="1", msisdn="1", message="1"))


def test_the_key_may_not_hide_in_the_body():
    key = urlsplit(inbound_url(BASE, SECRET, SETTINGS)).query.encode()
    with pytest.raises(ForgedCallError):
        DOORWAY.inbound("libyana", WebhookCall(b"", FORM, key + b"&id=1&msisdn=218912345678&message=1"))


MALFORMED = {
    "no status": (b"", "", b"", "status"),
    "a long status": (b"&state=" + b"x" * 33, "", b"", "status"),
    "a status with a line": (b"&state=DELIVRD%0A", "", b"", "status"),
    "an id with a quotation mark": (b"&state=DELIVRD&ref=a%22b", "", b"", "id"),
    "a field twice": (b"&state=DELIVRD&state=UNDELIV", "", b"", "duplicate"),
    "a field in query and form": (b"&state=DELIVRD", FORM, b"state=UNDELIV", "duplicate"),
    "bytes in a status": (b"&state=%FF", "", b"", "encoding"),
    "a name with odd bytes": (b"&state=DELIVRD&%FF=1", "", b"", "name"),
    "too many fields": (b"&state=DELIVRD" + b"".join(b"&f%d=1" % n for n in range(70)), "", b"", "fields"),
    "another content type": (b"", "text/xml", b"<a/>", "content_type"),
    "JSON that is none": (b"", "application/json", b"{", "json"),
    "JSON that is a list": (b"", "application/json", b"[1]", "json"),
    "JSON nested to the end": (b"", "application/json", b"[" * 100_000, "json"),
    "JSON with half a character": (b"", "application/json", b'{"state": "\\ud800"}', "encoding"),
}


@pytest.mark.parametrize(("query", "kind", "body", "code"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_receipt_is_refused_and_says_what_is_wrong(query, kind, body, code):
    url = urlsplit(receipt_url(BASE, SECRET, SETTINGS, ATTEMPT)).query.encode()
    with pytest.raises(MalformedCallError) as raised:
        DOORWAY.receipt("libyana", WebhookCall(url + query, kind, body), ATTEMPT)
    assert raised.value.code == code


@given(query=st.binary(max_size=200), body=st.binary(max_size=200), kind=KINDS)
def test_whatever_a_stranger_sends_is_refused(query, body, kind):
    with pytest.raises(ForgedCallError):
        DOORWAY.inbound("libyana", WebhookCall(query, kind, body))


@given(query=st.binary(max_size=200), body=st.binary(max_size=200), kind=KINDS)
def test_whatever_comes_with_the_key_is_read_or_refused(query, body, kind):
    url = urlsplit(inbound_url(BASE, SECRET, KANNEL)).query.encode()
    with suppress(MalformedCallError, ForgedCallError):
        DOORWAY.inbound("kannel", WebhookCall(url + b"&" + query, kind, body))


KANNEL_TEXTS = {
    "UTF-8": ("text=OK+1%20%20two++spaces&charset=UTF-8", "OK 1  two  spaces"),
    "UTF-16BE as Kannel writes it": ("text=%06%3A%06'%00+%D8%3D%DE%00&charset=UTF-16BE", "غا 😀"),
    "half an emoji": ("text=%00O%00K%D8%3D&charset=UTF-16BE", "OK\ufffd"),
    "an odd number of bytes": ("text=%00O%00K%00&charset=UTF-16BE", "OK\ufffd"),
    "recoded": ("text=%E9t%E9&charset=WINDOWS-1252", "été"),
    "binary": ("text=%E9%00&charset=8-BIT", "é\x00"),
    "a charset nobody knows": ("text=help+%FF&charset=KLINGON", "help \ufffd"),
    "no charset": ("text=%D8%BA", "غ"),
    "empty": ("text=&charset=UTF-8", ""),
    "a plus": ("text=1%2B1&charset=UTF-8", "1+1"),
}


@pytest.mark.parametrize(("query", "body"), KANNEL_TEXTS.values(), ids=KANNEL_TEXTS)
def test_texts_from_people_through_kannel(query, body):
    url = urlsplit(inbound_url(BASE, SECRET, KANNEL)).query
    whole = f"{url}&id=e6b1649e-1ffb-44f7-86a2-de3434c14fb5&from=%2B218912345678&to=13013&{query}"
    text = DOORWAY.inbound("kannel", WebhookCall(whole.encode()))
    assert (text.body, text.sender, text.to) == (body, "+218912345678", "13013")
    assert text.message_id == "e6b1649e-1ffb-44f7-86a2-de3434c14fb5"
    assert "k" not in dict(text.pairs)
    assert "&".join(f"{name}={value}" for name, value in text.pairs) == whole.partition("&")[2], "kept as it came"


@given(body=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_comes_through_in_both_of_kannels_charsets(body):
    url = urlsplit(inbound_url(BASE, SECRET, KANNEL)).query
    for charset, codec in (("UTF-8", "utf-8"), ("UTF-16BE", "utf-16-be")):
        encoded = quote(body.encode(codec), safe="")
        query = f"{url}&id=1&from=218912345678&to=1&text={encoded}&charset={charset}"
        assert DOORWAY.inbound("kannel", WebhookCall(query.encode())).body == body


@pytest.mark.parametrize(
    ("given_number", "sender"),
    [
        ("+218912345678", "+218912345678"),
        (" 218912345678", "+218912345678"),
        ("218912345678", "+218912345678"),
        ("00218912345678", "+218912345678"),
        ("0912345678", "+218912345678"),
        ("091-234 56.78", "+218912345678"),
        ("13013", "13013"),
        ("Libyana", "Libyana"),
    ],
)
def test_the_sender_in_one_form(given_number, sender):
    assert inbound(id="1", msisdn=given_number, message="1").sender == sender


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"msisdn": "1234", "message": "1"}, "id"),
        ({"id": "1", "message": "1"}, "sender"),
        ({"id": "1", "msisdn": "1234"}, "text"),
        ({"id": "1", "msisdn": "<script>", "message": "1"}, "sender"),
        ({"id": "a b", "msisdn": "1234", "message": "1"}, "id"),
        ({"id": "1", "msisdn": "1234", "message": "x" * 20_001}, "text"),
    ],
    ids=["no id", "no sender", "no text", "an odd sender", "an odd id", "too long"],
)
def test_a_malformed_text_is_refused(fields, code):
    with pytest.raises(MalformedCallError) as raised:
        inbound(**fields)
    assert raised.value.code == code


def test_without_an_id_the_time_tells_two_equal_texts_from_one_sent_twice():
    profile = OPERATOR.replace('\nid = "id"\nsender', '\ntime = "time"\nsender')
    settings = make_settings(profile=profile)
    door = HttpDoorway({"libyana": settings}, SECRET)
    url = inbound_url(BASE, SECRET, settings)

    def heard(**fields):
        return door.inbound("libyana", call(url, msisdn="218912345678", message="1", **fields)).message_id

    assert heard(time="1795294271") == heard(time="1795294271")
    assert heard(time="1795294271") != heard(time="1795294272")
    assert heard() != heard(), "doubled, never lost"
    assert len(heard(time="1")) <= 64
    other = HttpDoorway({"libyana": settings}, b"another secret of ours, as long..")
    again = call(inbound_url(BASE, other.secret, settings), msisdn="218912345678", message="1", time="1")
    assert other.inbound("libyana", again).message_id != heard(time="1"), "nobody guesses a number by it"


def test_nothing_personal_is_shown(capsys):
    text = inbound(id="1", msisdn="218912345678", message="help K7Q2XM")
    report = receipt(state="DELIVRD", why="218912345678")
    url = call(inbound_url(BASE, SECRET, SETTINGS), msisdn="218912345678")
    shown = f"{text!r}{report!r}{url!r}{DOORWAY!r}"
    for secret in ("218912345678", "K7Q2XM", "secret of", *(value for _, value in parse_qsl(url.query.decode()))):
        assert secret not in shown
