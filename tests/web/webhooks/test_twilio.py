"""The doors gateways knock at: forged, malformed and huge requests leave no row; a failed database is told to come
again."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from consular.extensions import cipher
from consular.providers.twilio.signatures import callback_key
from consular.services.refused_calls import refused_calls
from tests.conftest import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER
from tests.factories import rows

BASE = "http://consular.test"
SECRET = b"test-secret-key-test-secret-key-0"
INBOUND = "/webhooks/twilio/inbound"
SID = "SM" + "0123456789abcdef" * 2
ATTEMPT = UUID(int=7 << 64 | 12345)

TEXT = {
    "MessageSid": SID,
    "SmsSid": SID,
    "AccountSid": ACCOUNT_SID,
    "From": "+218911234567",
    "To": OUR_NUMBER,
    "Body": "2",
    "NumMedia": "0",
    "NumSegments": "1",
    "ApiVersion": "2010-04-01",
}
RECEIPT = {
    "MessageSid": SID,
    "SmsSid": SID,
    "AccountSid": ACCOUNT_SID,
    "From": OUR_NUMBER,
    "To": "+218911234567",
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
    "ApiVersion": "2010-04-01",
}


def status_path(attempt: UUID = ATTEMPT, key: str | None = None) -> str:
    return f"/webhooks/twilio/status/{attempt}?k={key or callback_key(SECRET, attempt)}"


def sign(path: str, form: dict[str, str], token: str = AUTH_TOKEN) -> str:
    signed = BASE + path + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()


def post(client, path: str, form: dict[str, str], signature: str | None = "", **changes):
    headers = {} if signature is None else {"X-Twilio-Signature": signature or sign(path, form)}
    data = changes.pop("data", None) or urlencode(form)
    content_type = changes.pop("content_type", "application/x-www-form-urlencoded")
    return client.post(path, data=data, headers=headers, content_type=content_type, **changes)


def count(session) -> tuple[int, int]:
    texts = rows(session, "select count(*) from inbound_messages")[0][0]
    return texts, rows(session, "select count(*) from receipt_events")[0][0]


ALL_DOORS = [(INBOUND, TEXT), (status_path(), RECEIPT)]
DOORS = pytest.mark.parametrize(("path", "form"), ALL_DOORS, ids=["inbound", "status"])


def test_a_text_is_stored_and_answered_with_empty_twiml(client, session):
    response = post(client, INBOUND, TEXT)
    assert response.status_code == 200
    assert response.mimetype == "text/xml"
    assert response.get_data(as_text=True).endswith("<Response/>")
    (row,) = rows(session, "select id, gateway, provider_message_id, body_sealed, processed_at from inbound_messages")
    assert (row.gateway, row.provider_message_id, row.processed_at) == ("exercise", SID, None)
    assert cipher.open(bytes(row.body_sealed), "inbound_messages.body", row.id) == "2"


def test_a_receipt_is_stored(client, session):
    assert (
        post(client, status_path(), {**RECEIPT, "MessageStatus": "undelivered", "ErrorCode": "30003"}).status_code
        == 200
    )
    columns = "gateway, provider_message_id, attempt_id, status, error_code"
    assert rows(session, f"select {columns} from receipt_events") == [
        ("exercise", SID, ATTEMPT, "undelivered", "30003")
    ]


@DOORS
def test_the_same_request_again_changes_nothing(client, session, path, form):
    assert [post(client, path, form).status_code for _ in range(3)] == [200, 200, 200]
    assert sum(count(session)) == 1


def test_forged_calls_are_counted_and_raise_an_alarm(client, session):
    refused_calls.flush()
    session.execute(text("delete from counters"))
    replayed = sign(INBOUND, {**TEXT, "Body": "1"})
    refused = [post(client, path, form, replayed).status_code for path, form in ALL_DOORS for _ in range(3)]
    refused += [client.get("/webhooks/http/nobody/inbound?k=x").status_code]
    refused_calls.flush()
    assert set(refused) == {403}
    page = client.get("/metrics").text
    assert 'consular_webhooks_refused_total{door="twilio"} 6\n' in page
    assert 'consular_webhooks_refused_total{door="http"} 1\n' in page
    assert "# TYPE consular_webhooks_refused_total counter\n" in page
    assert 'consular_alarm{alarm="webhooks_forged",subject="twilio"} 6\n' in page
    assert 'alarm="webhooks_forged",subject="http"' not in page
    assert ACCOUNT_SID not in page


def test_what_is_signed_or_malformed_is_not_counted_as_forged(client, session):
    refused_calls.flush()
    session.execute(text("delete from counters"))
    assert post(client, INBOUND, TEXT).status_code == 200
    broken = {name: value for name, value in TEXT.items() if name != "MessageSid"}
    assert post(client, INBOUND, broken).status_code == 400
    refused_calls.flush()
    assert rows(session, "select * from counters where key like 'webhook%'") == []


@DOORS
@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "x",
        "ü",
        sign(INBOUND, TEXT, "another-token-another-token-0000"),
        sign(INBOUND, {**TEXT, "Body": "1"}),
        "A" * 10_000,
    ],
    ids=["missing", "empty", "short", "not ascii", "other token", "other text", "long"],
)
def test_a_forged_request_leaves_no_row(client, session, path, form, signature):
    headers = [] if signature is None else [("X-Twilio-Signature", signature.encode().decode("latin-1"))]
    response = client.post(
        path, data=urlencode(form), headers=headers, content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 403
    assert count(session) == (0, 0)


@DOORS
@pytest.mark.parametrize("name", ["Body", "From", "To", "MessageSid", "MessageStatus", "AccountSid"])
def test_a_changed_field_is_a_forgery(client, session, path, form, name):
    if name in form:
        response = post(client, path, {**form, name: form[name] + "1"}, sign(path, form))
        assert response.status_code == 403
        assert count(session) == (0, 0)


def test_text_moved_between_a_name_and_its_value_is_malformed(client, session):
    moved = {name: value for name, value in TEXT.items() if name != "Body"} | {"Body2": ""}
    assert sign(INBOUND, moved) == sign(INBOUND, TEXT)
    assert post(client, INBOUND, moved).status_code == 400
    assert count(session) == (0, 0)


@DOORS
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"MessageSid": "SM1", "SmsSid": "SM1"}, 400),
        ({"MessageSid": SID + "\n", "SmsSid": SID + "\n"}, 400),
        ({"SmsSid": "SM" + "f" * 32}, 400),
        ({"AccountSid": "AC" + "0" * 32}, 403),
        ({"AccountSid": ""}, 403),
        ({"To": "+447911123456", "From": ""}, 400),
    ],
    ids=["sid", "line break", "two sids", "other account", "no account", "wrong numbers"],
)
def test_a_signed_request_in_another_form_is_refused(client, session, path, form, changes, status):
    if "From" in changes and "MessageStatus" in form:
        changes = {"To": "me"}
    assert post(client, path, {**form, **changes}).status_code == status
    assert count(session) == (0, 0)


@DOORS
def test_a_repeated_field_is_refused(client, session, path, form):
    data = urlencode(form) + "&To=" + "%2B447911123456"
    assert post(client, path, form, data=data).status_code == 403
    assert count(session) == (0, 0)


@DOORS
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_only_a_form_is_a_webhook(client, session, path, form, content_type):
    assert post(client, path, form, content_type=content_type, data='{"Body": "1"}').status_code == 400
    assert count(session) == (0, 0)


@DOORS
@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_other_methods_change_nothing(client, session, path, form, method):
    assert getattr(client, method)(path).status_code == 405
    assert count(session) == (0, 0)


@pytest.mark.parametrize("size", [300_000, 10_000_000])
@DOORS
def test_a_huge_body_is_refused(client, session, path, form, size):
    response = post(client, path, form, data=urlencode(form) + "&Body=" + "x" * size)
    assert response.status_code == 413
    assert count(session) == (0, 0)


@pytest.mark.parametrize(
    "body", ["", "\0", "a\0b", "\u202etxt", "السلام عليكم", "🆘", "x" * 1600, "' or 1=1 --", "{{config}}"], ids=range(9)
)
def test_any_text_is_stored_exactly(client, session, body):
    assert post(client, INBOUND, {**TEXT, "Body": body}).status_code == 200
    (row,) = rows(session, "select id, body_sealed from inbound_messages")
    assert cipher.open(bytes(row.body_sealed), "inbound_messages.body", row.id) == body


@pytest.mark.parametrize(
    "raw",
    [b"%ff%fe", b"%ed%a0%80", b"\xff\xfe", b"%", b"%zz", b"%00" * 30_000],
    ids=["latin", "surrogate", "bytes", "cut", "zz", "nul"],
)
def test_bytes_that_are_no_text_never_break_the_door(client, session, raw):
    data = urlencode({name: value for name, value in TEXT.items() if name != "Body"}).encode() + b"&Body=" + raw
    response = client.post(
        INBOUND, data=data, headers={"X-Twilio-Signature": "x"}, content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code in (400, 403, 413)
    assert count(session) == (0, 0)


def test_a_thousand_fields_are_refused(client, session):
    form = {**TEXT, **{f"Extra{number}": "x" for number in range(1000)}}
    assert post(client, INBOUND, form).status_code == 400
    assert count(session) == (0, 0)


def test_a_field_twilio_may_add_tomorrow_is_fine(client, session):
    assert post(client, INBOUND, {**TEXT, "SomethingNew": "x"}).status_code == 200
    assert count(session) == (1, 0)


@pytest.mark.parametrize(
    "key",
    ["", "x", callback_key(SECRET, uuid4()), callback_key(b"another secret of ours", ATTEMPT), "ü" * 32],
    ids=["empty", "short", "other attempt", "other secret", "not ascii"],
)
def test_a_receipt_for_an_attempt_needs_its_own_key(client, session, key):
    path = f"/webhooks/twilio/status/{ATTEMPT}?k={key}"
    quoted = path.encode().decode("latin-1")
    assert post(client, path, RECEIPT, sign(quoted, RECEIPT)).status_code == 403
    assert count(session) == (0, 0)


def test_a_receipt_cannot_be_turned_to_another_attempt(client, session):
    other = status_path(uuid4(), callback_key(SECRET, ATTEMPT))
    assert post(client, other, RECEIPT).status_code == 403
    assert count(session) == (0, 0)


@pytest.mark.parametrize("attempt", ["7", "nobody", "../x", "%00"])
def test_an_address_without_an_attempt_is_not_found(client, attempt):
    assert client.post(f"/webhooks/twilio/status/{attempt}").status_code == 404


def test_an_unknown_verb_is_stored_and_answered(client, session):
    assert post(client, status_path(), {**RECEIPT, "MessageStatus": "teleported"}).status_code == 200
    assert rows(session, "select status from receipt_events") == [("teleported",)]


def test_a_receipt_at_the_door_for_texts_is_refused_and_the_reverse(client, session):
    assert post(client, INBOUND, RECEIPT).status_code == 400
    assert post(client, status_path(), {**TEXT, "MessageStatus": "sent"}).status_code == 400
    assert count(session) == (0, 0)


@pytest.mark.parametrize(
    ("path", "form", "table"),
    [(INBOUND, TEXT, "inbound_messages"), (status_path(), RECEIPT, "receipt_events")],
    ids=["inbound", "status"],
)
def test_a_database_that_fails_makes_the_gateway_come_again(client, session, app, path, form, table):
    def rename(old: str, new: str) -> None:
        session.execute(text(f"alter table {old} rename to {new}"))
        session.commit()

    app.testing = False
    try:
        rename(table, "away")
        response = post(client, path, form)
        rename("away", table)
        assert response.status_code >= 500
        assert table not in response.get_data(as_text=True)
        assert post(client, path, form).status_code == 200
    finally:
        app.testing = True
    assert sum(count(session)) == 1


def test_no_cookie_is_set_and_no_form_key_needed(client):
    assert "Set-Cookie" not in post(client, INBOUND, TEXT).headers
