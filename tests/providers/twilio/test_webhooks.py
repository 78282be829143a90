"""Twilio's forms: what is read from a good one, and that a malformed one is refused without personal data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.providers.twilio.webhooks import WebhookRefused, parse_inbound, parse_status

ACCOUNT = "AC" + "1" * 32
SID = "SM" + "a" * 32
OURS = {"+15557122661"}
INBOUND = {
    "ToCountry": "US",
    "SmsMessageSid": SID,
    "NumMedia": "0",
    "SmsSid": SID,
    "SmsStatus": "received",
    "Body": " 1 safe ",
    "To": "+15557122661",
    "NumSegments": "2",
    "MessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "+218912345678",
    "ApiVersion": "2010-04-01",
}
STATUS = {
    "SmsSid": SID,
    "SmsStatus": "delivered",
    "MessageStatus": "delivered",
    "To": "+218912345678",
    "MessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "+15557122661",
    "ApiVersion": "2010-04-01",
}


def changed(fields, **changes):
    return [(name, value) for name, value in {**fields, **changes}.items() if value is not None]


def inbound(**changes):
    return parse_inbound(changed(INBOUND, **changes), ACCOUNT, OURS)


def status(**changes):
    return parse_status(changed(STATUS, **changes), ACCOUNT)


def test_inbound_text_is_read_exactly():
    text = inbound()
    assert (text.message_sid, text.sender, text.to, text.body) == (SID, "+218912345678", "+15557122661", " 1 safe ")
    assert (text.media_count, text.segment_count) == (0, 2)


@given(body=st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_body_is_kept_as_it_came(body):
    assert inbound(Body=body).body == body


@pytest.mark.parametrize("body", ["", "\x00", "a\x00b", "\u202e1", "١", "सुरक्षित", "x" * 20_000])
def test_unusual_bodies_are_fine(body):
    assert inbound(Body=body).body == body


@pytest.mark.parametrize("sender", ["+218912345678", "12345", "218912345678", "LIBYANA", "Al-Madar", "+123"])
def test_senders_as_networks_write_them(sender):
    assert inbound(From=sender).sender == sender


@pytest.mark.parametrize("extra", [{"ProfileName": "A"}, {"ButtonPayload": ""}, {"SmsSid": None}, {"NumMedia": None}])
def test_fields_twilio_adds_or_leaves_out_are_fine(extra):
    assert inbound(**extra).body == " 1 safe "


def test_without_known_numbers_any_number_may_be_ours():
    assert parse_inbound(changed(INBOUND, To="+33612345678"), ACCOUNT, ()).to == "+33612345678"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MessageSid": None}, "message_sid"),
        ({"MessageSid": "SM123"}, "message_sid"),
        ({"MessageSid": SID + "\n"}, "message_sid"),
        ({"MessageSid": SID.upper()}, "message_sid"),
        ({"MessageSid": "CA" + "a" * 32}, "message_sid"),
        ({"SmsSid": "SM" + "b" * 32}, "sms_sid"),
        ({"AccountSid": None}, "account_sid"),
        ({"AccountSid": "AC" + "2" * 32}, "account_sid"),
        ({"To": "+15557122662"}, "to"),
        ({"To": None}, "to"),
        ({"From": None}, "from"),
        ({"From": ""}, "from"),
        ({"From": "+21891234567890123"}, "from"),
        ({"From": "+٢١٨٩١٢٣٤٥"}, "from"),
        ({"From": "<script>"}, "from"),
        ({"Body": None}, "body"),
        ({"Body": "\ud800"}, "body"),
        ({"Body": "x" * 20_001}, "body"),
        ({"Body": None, "BodysafeFrom": "+1"}, "body"),
        ({"NumMedia": "-1"}, "num_media"),
        ({"NumMedia": "many"}, "num_media"),
        ({"NumSegments": "1e9"}, "num_segments"),
        ({"NumSegments": "٣"}, "num_segments"),
        ({"MessageStatus": "delivered"}, "kind"),
    ],
)
def test_malformed_inbound_text_is_refused(changes, code):
    with pytest.raises(WebhookRefused) as caught:
        inbound(**changes)
    assert caught.value.code == code
    assert "218912345678" not in str(caught.value)


@pytest.mark.parametrize("parse", [lambda p: parse_inbound(p, ACCOUNT, OURS), lambda p: parse_status(p, ACCOUNT)])
def test_repeated_and_countless_fields_are_refused(parse):
    for fields in (INBOUND, STATUS):
        with pytest.raises(WebhookRefused, match="duplicate"):
            parse([*fields.items(), ("To", fields["To"])])
        with pytest.raises(WebhookRefused, match="fields"):
            parse([*fields.items(), *((f"X{number}", "") for number in range(200))])


@pytest.mark.parametrize("verb", ["delivered", "sent", "partially_delivered", "teleported", "on-hold"])
def test_status_verbs_are_kept_known_or_not(verb):
    assert status(MessageStatus=verb).status == verb


@pytest.mark.parametrize(("code", "kept"), [(None, None), ("", None), ("30003", "30003")])
def test_error_code_of_a_receipt(code, kept):
    report = status(ErrorCode=code, MessageStatus="undelivered")
    assert (report.message_sid, report.error_code, report.to) == (SID, kept, "+218912345678")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MessageSid": None}, "message_sid"),
        ({"AccountSid": "AC"}, "account_sid"),
        ({"MessageStatus": None}, "message_status"),
        ({"MessageStatus": "Delivered"}, "message_status"),
        ({"MessageStatus": "x" * 33}, "message_status"),
        ({"MessageStatus": "a\x00"}, "message_status"),
        ({"ErrorCode": "30003; drop"}, "error_code"),
        ({"ErrorCode": "1234567"}, "error_code"),
        ({"To": None}, "to"),
        ({"To": "me"}, "to"),
        ({"Body": "1"}, "kind"),
    ],
)
def test_malformed_receipt_is_refused(changes, code):
    with pytest.raises(WebhookRefused) as caught:
        status(**changes)
    assert caught.value.code == code


def test_values_do_not_show_personal_data():
    shown = repr(inbound()) + repr(status())
    assert "218912345678" not in shown
    assert "safe" not in shown


@given(st.lists(st.tuples(st.sampled_from([*INBOUND, *STATUS, "X"]), st.text(max_size=40)), max_size=15))
def test_no_form_raises_anything_else(pairs):
    for parse in (lambda: parse_inbound(pairs, ACCOUNT, OURS), lambda: parse_status(pairs, ACCOUNT)):
        with pytest.raises(WebhookRefused):
            parse()
