"""Status callbacks of the practice gateway: signed, delayed, lost, doubled, out of order."""

from collections import Counter

import pytest
from twilio.request_validator import RequestValidator

from consular.drill.behaviour import Line, behaviour
from consular.drill.gateway.webhooks import ForbiddenTarget, signature, target
from consular.drill.numbers import Network, mobile
from consular.drill.scenario import load
from tests.drill.conftest import ACCOUNT_SID, SENDER, TOKEN

RATES = load("libya-2011").rates
PHONES = [mobile(Network.LIBYAN, 0, index, 7) for index in range(600)]


def phones_on(line: Line) -> list[str]:
    return [phone for phone in PHONES if behaviour(phone, 7, RATES).line is line]


def statuses(receiver, phone: str) -> list[str]:
    return [request.fields["MessageStatus"] for request in receiver.at(f"/status/{phone[1:]}")]


def test_callbacks_carry_twilios_fields_and_a_signature_twilio_accepts(start, receiver):
    gateway = start("--profile", "perfect", "--speed", "100")
    sid = gateway.create("+218911234567", StatusCallback=f"{receiver.url}/status/1?k=ab%2Bc&x=%20#rc=5").json()["sid"]
    gateway.settle()
    sent, delivered = receiver.at("/status/1")
    assert sent.path == "/status/1?k=ab%2Bc&x=%20"
    assert (sent.fields["MessageStatus"], delivered.fields["MessageStatus"]) == ("sent", "delivered")
    assert sent.fields == {
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": "sent",
        "SmsStatus": "sent",
        "To": "+218911234567",
        "From": SENDER,
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
    }
    validator = RequestValidator(TOKEN)
    assert validator.validate(receiver.url + sent.path, sent.fields, sent.signature)
    assert not validator.validate(receiver.url + sent.path + "1", sent.fields, sent.signature)


def test_signature_is_twilios_for_any_text():
    fields = {"Body": " मैं +&= \u202e\n", "A": "", "Zero": "0"}
    url = "https://example.org/in?a=1&b=%20"
    assert signature(b"t", url, fields) == RequestValidator("t").compute_signature(url, fields)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (Line.UNKNOWN_NUMBER, "undelivered", "30005"),
        (Line.UNREACHABLE, "undelivered", "30003"),
        (Line.LANDLINE, "undelivered", "30006"),
        (Line.UNEXPLAINED, "failed", "30008"),
    ],
)
def test_failures_come_with_their_code(start, receiver, line, status, code):
    gateway = start("--fault", "500_after=0")
    phones = phones_on(line)[:3]
    for phone in phones:
        gateway.alert(phone)
    gateway.settle()
    failed = [request.fields for request in receiver.at("/status/") if request.fields["MessageStatus"] != "sent"]
    assert {(fields["MessageStatus"], fields["ErrorCode"]) for fields in failed} == {(status, code)}
    assert {row["status"] for row in gateway.rows("log")} == {status}
    assert receiver.at("/inbound") == []


def test_callbacks_are_lost_doubled_and_swapped_in_the_same_places_each_time(start, receiver):
    phones = phones_on(Line.REACHED)[:300]
    runs = []
    for order in (phones, phones[::-1]):
        gateway = start("--fault", "500_after=0", "--speed", "20000")
        receiver.requests.clear()
        for phone in order:
            gateway.alert(phone)
        gateway.settle(40)
        runs.append({phone: statuses(receiver, phone) for phone in phones})
    first, again = runs
    assert {phone: Counter(seen) for phone, seen in first.items()} == {
        phone: Counter(seen) for phone, seen in again.items()
    }
    swapped = [phone for phone, seen in first.items() if seen[:2] == ["delivered", "sent"]]
    lost = [phone for phone, seen in first.items() if not {"sent", "delivered"} <= set(seen)]
    doubled = [phone for phone, seen in first.items() if max(Counter(seen).values(), default=0) > 1]
    assert len(swapped) >= 1
    assert len(lost) >= 1
    assert len(doubled) >= 3


def test_a_server_error_is_tried_once_more_and_then_given_up(start, receiver):
    gateway = start("--profile", "perfect")
    receiver.answers["/status/111"] = [503]
    receiver.answers["/status/222"] = [500, 500, 500, 500]
    receiver.answers["/status/333"] = [404, 404]
    for name in ("111", "222", "333"):
        gateway.create(f"+218911111{name}", StatusCallback=f"{receiver.url}/status/{name}")
    stats = gateway.settle()
    assert Counter(request.path for request in receiver.at("/status/")) == {
        "/status/111": 3,
        "/status/222": 4,
        "/status/333": 2,
    }
    assert (stats["callbacks_acked"], stats["callbacks_failed"]) == (2, 4)


def test_it_stops_quietly_while_nobody_listens_behind_the_webhooks(start, tmp_path):
    log = tmp_path / "log.jsonl"
    gateway = start("--profile", "perfect", "--speed", "100000", "--log", str(log))
    for number in range(200):
        gateway.create(f"+2189112345{number:02d}", StatusCallback="http://127.0.0.1:9/status")
    gateway.process.terminate()
    _, errors = gateway.process.communicate(timeout=10)
    assert errors == ""
    assert len(log.read_text().splitlines()) == 200


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "http://8.8.8.8/", "https://user@127.0.0.1/", "ftp://127.0.0.1/", "//127.0.0.1", "x"],
)
def test_nothing_ever_leaves_the_private_network(url):
    with pytest.raises(ForbiddenTarget):
        target(url)


def test_a_public_name_can_be_served_from_this_machine():
    where = target("https://consular.example/in?a=1", ("127.0.0.1", 8000))
    assert where == (("127.0.0.1", 8000), "/in?a=1", "consular.example")
