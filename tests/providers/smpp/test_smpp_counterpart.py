"""Against an SMSC other people wrote: node-smpp, as its own process. What it heard is what its own decoder read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from consular.domain.ports import FailureReason, RefusalScope, SendOutcome
from tests.counterparts import free_port
from tests.providers.smpp.conftest import PHONE, sms
from tests.providers.smpp.node_smsc import NodeSmsc, node_with_smpp

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def node() -> str:
    return node_with_smpp()


@pytest.fixture
def server(node: str) -> Iterator[NodeSmsc]:
    made = NodeSmsc(node, free_port())
    yield made
    made.stop()


@pytest.fixture
def side(server, connect):
    return connect(server.port, answer_timeout_seconds=5.0)


def test_a_gsm_text_is_read_there_as_it_was_written_and_its_receipt_comes_home(server, side):
    body = "Leave now [east road]. Cost 5 €. Ref K7Q2XM"
    request = sms(body=body)
    (result,) = side.send(request)
    assert result.outcome is SendOutcome.ACCEPTED
    side.drive(lambda: server.of("submit"))
    (bind,), (submit,) = server.of("bind"), server.of("submit")
    assert (bind["system_id"], bind["version"]) == ("consular", 0x34)
    assert (submit["text"], submit["to"], submit["from"], submit["ton"]) == (body, PHONE[1:], "218910000000", 1)
    assert (submit["data_coding"], submit["registered"], submit["udh"]) == (0, 1, None)
    side.drive(lambda: server.of("receipt_answer"))
    assert server.of("receipt_answer")[0]["status"] == 0
    (receipt,) = side.shelf.receipts
    assert (receipt.attempt_id, receipt.status) == (request.attempt_id, "DELIVRD")
    assert receipt.message_id == result.provider_message_id


@pytest.mark.parametrize("manner", ["decimal", "hex"])
def test_a_long_arabic_text_is_put_together_there_and_delivered_when_all_parts_are(server, side, manner):
    server.order(receipts=manner)
    body = "غادروا المدينة الآن من الطريق الشرقي. أجب: 1 = بخير، 2 = أحتاج مساعدة. 😀 " * 2 + "Ref K7Q2XM"
    request = sms(body=body)
    (result,) = side.send(request)
    assert result.outcome is SendOutcome.ACCEPTED
    side.drive(lambda: len(server.of("submit")) == 3)
    submits = server.of("submit")
    assert "".join(one["text"] for one in submits) == body
    assert {one["data_coding"] for one in submits} == {8}
    side.drive(lambda: len(side.shelf.receipts) == 3)
    assert sorted(one.status for one in side.shelf.receipts) == ["DELIVRD", "PARTIAL", "PARTIAL"]
    assert {one.attempt_id for one in side.shelf.receipts} == {request.attempt_id}


@pytest.mark.parametrize(
    ("ending", "outcome", "code", "scope", "reason"),
    [
        ("58", SendOutcome.NOT_SENT, "ESME_RTHROTTLED", None, None),
        ("20", SendOutcome.NOT_SENT, "ESME_RMSGQFUL", None, None),
        ("11", SendOutcome.REFUSED, "ESME_RINVDSTADR", RefusalScope.NUMBER, FailureReason.INVALID_NUMBER),
        ("10", SendOutcome.REFUSED, "ESME_RINVSRCADR", RefusalScope.ACCOUNT, FailureReason.SENDER_REJECTED),
        ("69", SendOutcome.REFUSED, "ESME_RSUBMITFAIL", RefusalScope.NUMBER, FailureReason.PROVIDER_ERROR),
    ],
)
def test_its_refusals_have_their_outcome(side, ending, outcome, code, scope, reason):
    (result,) = side.send(sms(f"+2189123456{ending}"))
    assert (result.outcome, result.error_code, result.scope, result.failure_reason) == (outcome, code, scope, reason)


def test_a_text_from_a_phone_is_heard_and_confirmed_once_stored(server, side):
    side.bind()
    side.shelf.failures = 1
    fields = {"source_addr_ton": 1, "source_addr_npi": 1, "source_addr": PHONE[1:], "destination_addr": "218910000000"}
    server.order(deliver={**fields, "short_message": "2 نحتاج مساعدة 😀"})
    side.drive(lambda: server.of("text_answer"))
    assert [one["status"] for one in server.of("text_answer")] == [0x64]
    assert side.shelf.texts == []
    server.order(deliver={**fields, "short_message": "2 نحتاج مساعدة 😀"})
    side.drive(lambda: len(server.of("text_answer")) == 2)
    assert server.of("text_answer")[1]["status"] == 0
    (text,) = side.shelf.texts
    assert (text.sender, text.body) == (PHONE, "2 نحتاج مساعدة 😀")


def test_a_long_text_from_a_phone_is_put_together(server, side):
    side.bind()
    fields = {"source_addr_ton": 1, "source_addr_npi": 1, "source_addr": PHONE[1:], "destination_addr": "8888"}
    fields |= {"esm_class": 0x40, "data_coding": 8}
    for number, words in ((2, "في الفندق 😀"), (1, "نحن أربعة ")):
        header = bytes((5, 0, 3, 77, 2, number)).hex()
        server.order(deliver={**fields, "udh": header, "hex": words.encode("utf-16-be").hex()})
    side.drive(lambda: len(server.of("text_answer")) == 2)
    (text,) = side.shelf.texts
    assert (text.body, text.parts, text.missing) == ("نحن أربعة في الفندق 😀", 2, ())


def test_a_killed_smsc_that_comes_back_is_found_again(node, server, side):
    assert side.send(sms())[0].outcome is SendOutcome.ACCEPTED
    server.process.kill()
    server.process.wait(10)
    side.drive(lambda: not side.gateway.is_bound)
    assert side.send(sms())[0].outcome is SendOutcome.NOT_SENT
    again = NodeSmsc(node, server.port)
    try:
        side.bind()
        assert side.send(sms())[0].outcome is SendOutcome.ACCEPTED
        side.drive(lambda: again.of("submit"))
        assert len(again.of("submit")) == 1
    finally:
        again.stop()


def test_a_cut_line_is_bound_again(server, side):
    side.bind()
    server.order(cut=True)
    side.drive(lambda: len(server.of("bind")) == 2)
    assert side.bind().send(sms())[0].outcome is SendOutcome.ACCEPTED


def test_a_wrong_password_is_the_whole_accounts_matter(server, connect):
    (result,) = connect(server.port, password="wrong").send(sms())
    assert (result.outcome, result.scope, result.error_code) == (
        SendOutcome.REFUSED,
        RefusalScope.ACCOUNT,
        "ESME_RINVPASWD",
    )


def test_goodbye_is_said(server, side):
    side.bind().gateway.close()
    ends_at = time.monotonic() + 5
    while not server.of("unbind") and time.monotonic() < ends_at:
        threading.Event().wait(0.01)
    assert server.of("unbind")
