"""The doors an operator's HTTP interface knocks at: nothing without our key, nothing lost when the database is away."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from config import HttpGatewayConfig
from consular.extensions import cipher
from consular.providers.http_gateway.keys import inbound_url, receipt_url, receipts_url
from consular.providers.registry import Adapters, http_settings
from tests.factories import rows

SECRET = b"test-secret-key-test-secret-key-0"
PHONE, WORDS = "+218911234567", "2 help wombat"
ATTEMPT = UUID(int=7 << 64 | 12345)
FORM = "application/x-www-form-urlencoded"
GATEWAY = HttpGatewayConfig(
    profile="kannel",
    url="http://127.0.0.1:9/cgi-bin/sendsms",
    sender="13013",
    secrets={"username": "u", "password": "p"},
    rate=10.0,
    concurrency=2,
)
FIXED = """
name = "fixed"
[request]
method = "POST"
form = { to = "{to}", text = "{text}" }
[[answers]]
status = 200
body = "^OK"
means = "accepted"
[receipts]
status = "state"
id = "ref"
states = { DELIVRD = "delivered" }
[inbound]
sender = "from"
text = "text"
time = "at"
"""

TEXT = {"id": "e6b1649e-1ffb-44f7-86a2-de3434c14fb5", "from": PHONE, "to": "13013", "text": WORDS, "charset": "UTF-8"}
RECEIPT = {"status": "2", "answer": "id:7 stat:EXPIRED err:034 text:"}


@pytest.fixture
def client(app, config):
    """A caller of a mission that has an HTTP gateway."""
    with gateway(app, config, GATEWAY):
        yield app.test_client()


@contextmanager
def gateway(app, config, settings: HttpGatewayConfig) -> Iterator[None]:
    """The application with this gateway meanwhile."""
    before = app.extensions["consular"]
    app.extensions["consular"] = Adapters(dataclasses.replace(config, http_gateway=settings))
    try:
        yield
    finally:
        app.extensions["consular"] = before


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def receipt_path(attempt: UUID = ATTEMPT, settings: HttpGatewayConfig = GATEWAY) -> str:
    return path_of(receipt_url("http://consular.test", SECRET, http_settings(settings), attempt))


def receipts_path(settings: HttpGatewayConfig = GATEWAY) -> str:
    return path_of(receipts_url("http://consular.test", SECRET, http_settings(settings)))


def inbound_path(settings: HttpGatewayConfig = GATEWAY) -> str:
    return path_of(inbound_url("http://consular.test", SECRET, http_settings(settings)))


def count(session) -> tuple[int, int]:
    texts = rows(session, "select count(*) from inbound_messages")[0][0]
    return texts, rows(session, "select count(*) from receipt_events")[0][0]


DOORS = pytest.mark.parametrize(
    ("path", "fields"), [(inbound_path(), TEXT), (receipt_path(), RECEIPT)], ids=["inbound", "receipt"]
)


def as_get(client, path, fields):
    return client.get(f"{path}&{urlencode(fields)}")


def as_form(client, path, fields):
    return client.post(path, data=urlencode(fields), content_type=FORM)


def as_json(client, path, fields):
    return client.post(path, data=json.dumps(fields), content_type="application/json; charset=utf-8")


WAYS = pytest.mark.parametrize("call", [as_get, as_form, as_json])


@WAYS
def test_a_text_is_stored_and_answered_with_nothing(client, session, call):
    response = call(client, inbound_path(), TEXT)
    assert (response.status_code, response.mimetype, response.data) == (200, "text/plain", b"")
    (row,) = rows(session, "select * from inbound_messages")
    assert (row.gateway, row.provider_message_id, row.processed_at) == ("http", TEXT["id"], None)
    assert cipher.open(bytes(row.body_sealed), "inbound_messages.body", row.id) == WORDS
    assert cipher.open(bytes(row.sender_sealed), "inbound_messages.sender", row.id) == PHONE
    raw = json.loads(cipher.open(bytes(row.raw_sealed), "inbound_messages.raw", row.id))
    assert [name for name, _ in raw] == list(TEXT), "without our key"


@WAYS
def test_a_receipt_is_stored_in_our_words(client, session, call):
    response = call(client, receipt_path(), RECEIPT)
    assert (response.status_code, response.mimetype, response.data) == (200, "text/plain", b"")
    columns = "gateway, provider_message_id, attempt_id, status, error_code"
    assert rows(session, f"select {columns} from receipt_events") == [
        ("http", ATTEMPT.hex, ATTEMPT, "undelivered", "expired")
    ]


def test_an_operator_with_one_address_names_the_text_by_its_own_id(client, session, app, config, tmp_path: Path):
    profile = tmp_path / "fixed.toml"
    profile.write_text(FIXED)
    fixed = dataclasses.replace(GATEWAY, profile=str(profile))
    with gateway(app, config, fixed):
        assert as_form(client, receipts_path(fixed), {"state": "DELIVRD", "ref": "op-77"}).status_code == 200
        assert as_form(client, receipts_path(fixed), {"state": "DELIVRD"}).status_code == 400
        assert as_get(client, inbound_path(fixed), {"from": PHONE, "text": "1", "at": "1795294271"}).status_code == 200
    columns = "provider_message_id, attempt_id, status"
    assert rows(session, f"select {columns} from receipt_events") == [("op-77", None, "delivered")]
    ((message_id,),) = rows(session, "select provider_message_id from inbound_messages")
    assert PHONE[1:] not in message_id


@DOORS
@WAYS
def test_the_same_call_again_changes_nothing(client, session, path, fields, call):
    assert [call(client, path, fields).status_code for _ in range(3)] == [200, 200, 200]
    assert sum(count(session)) == 1


def other(path: str) -> str:
    return path[:-1] + ("A" if path[-1] != "A" else "B")


FORGED = {
    "no key": inbound_path().partition("?")[0] + "?",
    "a wrong key": other(inbound_path()),
    "two keys": inbound_path() + "&" + inbound_path().partition("?")[2],
    "another gateway": inbound_path().replace("/http/http/", "/http/twilio/"),
    "no gateway of ours": inbound_path().replace("/http/http/", "/http/%00/"),
    "the key of receipts": inbound_path().partition("?")[0] + "?" + receipts_path().partition("?")[2],
    "a receipt with the key of texts": receipts_path().partition("?")[0] + "?" + inbound_path().partition("?")[2],
    "a receipt of another attempt": receipt_path().replace(str(ATTEMPT), str(uuid4())),
    "a receipt with an old key": receipt_path(settings=dataclasses.replace(GATEWAY, key_version=2)),
}


@WAYS
@pytest.mark.parametrize("path", FORGED.values(), ids=FORGED)
def test_a_forged_call_leaves_no_row(client, session, call, path):
    response = call(client, path, {**TEXT, **RECEIPT})
    assert (response.status_code, response.data) == (403, b"")
    assert count(session) == (0, 0)


def test_without_an_http_gateway_every_call_is_refused(app, session):
    assert as_get(app.test_client(), inbound_path(), TEXT).status_code == 403
    assert as_get(app.test_client(), receipt_path(), RECEIPT).status_code == 403
    assert count(session) == (0, 0)


@pytest.mark.parametrize("left_out", ["id", "from", "text"])
def test_a_text_without_what_the_profile_names_is_refused_and_said(client, session, left_out, capsys):
    fields = {name: value for name, value in TEXT.items() if name != left_out}
    assert as_get(client, inbound_path(), fields).status_code == 400
    assert count(session) == (0, 0)
    said = capsys.readouterr().out
    assert "http_gateway_call_malformed" in said
    assert not any(word in said for word in (PHONE[1:], "wombat", inbound_path()[-32:]))


@DOORS
@pytest.mark.parametrize("content_type", ["text/xml", "multipart/form-data; boundary=x", "text/plain", ""])
def test_another_kind_of_body_is_refused(client, session, path, fields, content_type):
    assert client.post(path, data=urlencode(fields), content_type=content_type).status_code == 400
    assert count(session) == (0, 0)


@DOORS
@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_change_nothing(client, session, path, fields, method):
    assert getattr(client, method)(f"{path}&{urlencode(fields)}").status_code == 405
    assert count(session) == (0, 0)


@DOORS
@pytest.mark.parametrize("size", [300_000, 10_000_000])
def test_a_huge_body_is_refused(client, session, path, fields, size):
    response = client.post(path, data=urlencode(fields) + "&more=" + "x" * size, content_type=FORM)
    assert response.status_code == 413
    assert count(session) == (0, 0)


@pytest.mark.parametrize(
    "body", ["", "\0", "a\0b", "\u202etxt", "السلام عليكم", "🆘", "x" * 3000, "' or 1=1 --", "{{config}}"], ids=range(9)
)
def test_any_text_is_stored_exactly(client, session, body):
    path = f"{inbound_path()}&id=1&from={quote(PHONE)}&charset=UTF-16BE&text={quote(body.encode('utf-16-be'))}"
    assert client.get(path).status_code == 200
    (row,) = rows(session, "select id, body_sealed from inbound_messages")
    assert cipher.open(bytes(row.body_sealed), "inbound_messages.body", row.id) == body


def test_a_word_nobody_listed_is_stored_and_answered(client, session):
    assert as_get(client, receipt_path(), {**RECEIPT, "status": "32"}).status_code == 200
    assert rows(session, "select status, error_code from receipt_events") == [("other:32", "")]


@pytest.mark.parametrize("attempt", ["7", "nobody", "../x", "%00", ""])
def test_an_address_without_an_attempt_is_not_found(client, attempt):
    assert client.get(f"/webhooks/http/http/receipt/{attempt}").status_code == 404


@pytest.mark.parametrize(
    ("path", "fields", "table"),
    [(inbound_path(), TEXT, "inbound_messages"), (receipt_path(), RECEIPT, "receipt_events")],
    ids=["inbound", "receipt"],
)
def test_a_database_that_fails_makes_the_operator_come_again(client, session, app, path, fields, table, capsys):
    app.testing = False
    try:
        rename(session, table, "away")
        response = as_get(client, path, fields)
        rename(session, "away", table)
        assert response.status_code >= 500
        shown = response.get_data(as_text=True) + capsys.readouterr().out
        assert "request_failed" in shown
        assert not any(word in shown for word in (table, PHONE[1:], "wombat", path[-32:]))
        assert as_get(client, path, fields).status_code == 200
    finally:
        app.testing = True
    assert sum(count(session)) == 1


def rename(session, old: str, new: str) -> None:
    session.execute(text(f"alter table {old} rename to {new}"))
    session.commit()


@DOORS
def test_no_answer_is_kept_sets_a_cookie_or_tells_where_it_came_from(client, path, fields):
    headers = as_get(client, path, fields).headers
    assert "Set-Cookie" not in headers
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
