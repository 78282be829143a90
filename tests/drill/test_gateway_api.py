"""The practice gateway's Messages API, through Twilio's own client and through a plain one."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException

from consular.drill.behaviour import Line, behaviour
from consular.drill.numbers import Network, mobile
from consular.drill.scenario import load
from tests.drill.conftest import ACCOUNT_SID, SENDER

RATES = load("libya-2011").rates


def phone_on(line: Line) -> str:
    phones = (mobile(Network.LIBYAN, 0, index, 7) for index in range(10_000))
    return next(phone for phone in phones if behaviour(phone, 7, RATES).line is line)


def test_twilio_sdk_creates_fetches_and_lists(start):
    gateway = start("--profile", "lean")
    sdk = gateway.sdk()
    before = datetime.now(UTC) - timedelta(seconds=2)
    made = sdk.messages.create(to="+218911234567", from_=SENDER, body="सुरक्षित? + & = %")
    assert re.fullmatch("SM[0-9a-f]{32}", made.sid)
    assert (made.status, made.to, made.from_, made.account_sid) == ("queued", "+218911234567", SENDER, ACCOUNT_SID)
    assert before <= made.date_created <= datetime.now(UTC) + timedelta(seconds=1)
    fetched = sdk.messages(made.sid).fetch()
    assert (fetched.body, fetched.direction, fetched.date_sent) == ("सुरक्षित? + & = %", "outbound-api", None)
    assert [message.sid for message in sdk.messages.list(to="+218911234567")] == [made.sid]
    assert sdk.messages.list(to="+218911234568") == []


def test_created_text_is_echoed_with_its_parts_when_people_live_behind_the_gateway(start):
    gateway = start("--profile", "perfect")
    made = gateway.sdk().messages.create(to="+218911234567", from_=SENDER, body="é" * 161)
    assert (made.body, made.num_segments) == ("é" * 161, "2")


def test_messaging_service_instead_of_a_number(start):
    made = (
        start("--profile", "perfect")
        .sdk()
        .messages.create(to="+218911234567", messaging_service_sid="MG" + "1" * 32, body="x")
    )
    assert (made.status, made.from_, made.num_segments) == ("accepted", None, "0")


def test_list_pages_newest_first_and_each_once(start):
    gateway = start("--profile", "lean")
    sids = [gateway.create("+218911234567", f"text {number}").json()["sid"] for number in range(7)]
    gateway.create("+218919999999", "someone else")
    listed = [message.sid for message in gateway.sdk().messages.list(to="+218911234567", page_size=3)]
    assert listed == sids[::-1]
    assert len(gateway.sdk().messages.list(page_size=5)) == 8


def test_date_filter_leaves_out_what_is_still_queued(start):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    lean, perfect = start("--profile", "lean"), start("--profile", "perfect")
    for gateway in (lean, perfect):
        gateway.create("+218911234567")
    perfect.settle()
    assert lean.sdk().messages.list(date_sent_after=yesterday) == []
    assert len(perfect.sdk().messages.list(date_sent_after=yesterday)) == 1
    assert perfect.sdk().messages.list(date_sent_before=yesterday) == []


def test_wrong_token_is_401_as_twilio_words_it(start):
    gateway = start("--profile", "lean")
    with pytest.raises(TwilioRestException) as caught:
        gateway.sdk("wrong").messages.create(to="+218911234567", from_=SENDER, body="x")
    assert (caught.value.status, caught.value.code) == (401, 20003)
    assert gateway.stats()["accepted"] == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"To": "12345"}, 21211, id="no E.164"),
        pytest.param({"To": "+0123456789"}, 21211, id="country code 0"),
        pytest.param({"To": "+٢١٨٩١١٢٣٤٥٦٧"}, 21211, id="other digits"),
        pytest.param({"To": ""}, 21604, id="no number"),
        pytest.param({"Body": ""}, 21602, id="no text"),
        pytest.param({"From": ""}, 21603, id="no sender"),
        pytest.param({"Body": "x" * 1601}, 21617, id="1,601 characters"),
        pytest.param({"To": phone_on(Line.INVALID)}, 21211, id="dead number"),
        pytest.param({"To": phone_on(Line.NOT_MOBILE)}, 21614, id="not a mobile"),
    ],
)
def test_refusals_carry_twilios_codes(start, fields, code):
    gateway = start("--profile", "libya-2011", "--fault", "500_after=0")
    form = {"To": "+218911234567", "From": SENDER, "Body": "x"} | fields
    form = {name: value for name, value in form.items() if value}
    answer = gateway.session.post(gateway.messages_url, data=form, auth=(ACCOUNT_SID, "drill-token"), timeout=10)
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["status"]) == (code, 400)
    assert gateway.stats()["refused"] == 1


def test_1600_characters_of_any_script_pass(start):
    assert start("--profile", "lean").create("+218911234567", "ह" * 1600).status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/SM{'0' * 32}.json",
        f"/2010-04-01/Accounts/AC{'9' * 32}/Messages.json",
        "/2010-04-01/Accounts.json",
    ],
)
def test_unknown_resources_are_404(start, path):
    gateway = start("--profile", "lean")
    answer = gateway.session.get(gateway.url + path, auth=(ACCOUNT_SID, "drill-token"), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_stop_is_remembered_by_the_gateway_until_start(start):
    gateway = start("--profile", "perfect")
    speak = f"{gateway.url}/_sim/texts"
    text = {"From": "+218911234567", "To": SENDER, "Body": " stop "}
    gateway.session.post(speak, data=text, timeout=10)
    assert gateway.create("+218911234567").json()["code"] == 21610
    gateway.session.post(speak, data=text | {"Body": "START"}, timeout=10)
    assert gateway.create("+218911234567").status_code == 201


def test_same_text_to_the_same_phone_counts_as_duplicate_only_with_a_link(start):
    gateway = start("--profile", "lean")
    for _ in range(3):
        gateway.create("+218911234567", "Thank you")
        gateway.alert("+218911234567")
    gateway.alert("+218911234568")
    stats = gateway.stats()
    assert (stats["accepted"], stats["duplicates"], stats["repeated_others"]) == (7, 2, 2)


def test_receipts_may_repeat_and_are_no_duplicates_even_with_the_link(start):
    gateway = start("--profile", "lean")
    url = f"{gateway.receiver.url}/s/K7Q2XM-218911234567"
    gateway.alert("+218911234567")
    for _ in range(2):
        gateway.create("+218911234567", f"An officer will read it. {url} Ref K7Q2XM")
        gateway.create("+218961234567", f"An officer will read it. {url} Ref K7Q2XM")
    stats = gateway.stats()
    assert (stats["duplicates"], stats["repeated_others"]) == (0, 2)


def test_lagging_list_shows_nothing_yet(start):
    gateway = start("--profile", "lean", "--list-lag", "inf")
    sid = gateway.create("+218911234567").json()["sid"]
    assert gateway.sdk().messages.list(to="+218911234567") == []
    with pytest.raises(TwilioRestException):
        gateway.sdk().messages(sid).fetch()


def test_log_names_the_attempt_and_no_text(start):
    gateway = start("--profile", "lean")
    sid = gateway.alert("+218911234567").json()["sid"]
    (row,) = gateway.rows("log")
    assert (row["sid"], row["attempt"], row["reference"], row["has_link"]) == (sid, "218911234567", "K7Q2XM", True)
    assert "indoors" not in gateway.sim("log").text
    assert gateway.rows("log?offset=1") == []
