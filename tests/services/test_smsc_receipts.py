"""After a restart a receipt finds its text by id and phone together, in whatever spelling, at whatever moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.ports import SendOutcome, SmsResult
from consular.providers.receipt_words import read_reason, read_status
from consular.services import receipts, smsc_receipts
from consular.services.delivery import Pace, drain
from consular.services.texts import TextBook
from tests.factories import alert_everybody, phone, rows, set_messages, states
from tests.fakes import FakeGateway

OURS = "1/1/218910000000"


def send(session, *ids: str) -> None:
    """An alert to as many phones as ids are given, taken by the SMSC under these, the first phone's first."""
    alert_everybody(session, len(ids), status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'smpp'")
    resend(session, *ids)


def resend(session, *ids: str) -> None:
    by_phone = {phone(number + 1): one for number, one in enumerate(ids)}
    gateway = FakeGateway(
        "smpp", answer=lambda one: SmsResult(one.attempt_id, SendOutcome.ACCEPTED, provider_message_id=by_phone[one.to])
    )
    pace = Pace(rate=100_000, lease_seconds=60)
    drain(gateway, TextBook("https://consular.test"), pace, "w", 5, lambda: False)


def report(message_id: str, number: int = 1, *, turned: bool = False, status: str = "DELIVRD") -> None:
    addresses = (f"1/1/{phone(number)[1:]}", OURS)
    raw = list(zip(("source", "destination"), reversed(addresses) if turned else addresses, strict=True))
    receipts.store("smpp", message_id, None, status, None, raw, utc_now())


def apply(after: timedelta = timedelta()) -> None:
    smsc_receipts.match(utc_now() + after)
    while receipts.process(read_status, read_reason):
        pass


@pytest.mark.parametrize("said", ["1A2B3C4D", "0439041101", "439041101", "1a2b3c4d"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_receipt_finds_its_text_in_hex_and_decimal(session, said, turned):
    send(session, "1a2b3c4d", "1a2b3c4e")
    report(said, turned=turned)
    apply()
    assert states(session) == {"delivered": 1, "accepted": 1}


def test_of_two_texts_that_share_a_spelling_the_phone_tells(session):
    send(session, "4660", "1234")
    report("4660", 2)
    apply()
    rows_by_id = dict(map(tuple, rows(session, "select provider_message_id, state from messages")))
    assert rows_by_id == {"4660": "accepted", "1234": "delivered"}


def test_a_receipt_for_another_phone_moves_nothing_and_is_given_up_in_time(session):
    send(session, "77")
    report("77", 9)
    apply(timedelta(minutes=3))
    assert rows(session, "select result from receipt_events") == [(None,)]
    apply(timedelta(minutes=5))
    assert rows(session, "select result from receipt_events") == [("unmatched",)]
    assert states(session) == {"accepted": 1}


def test_a_receipt_that_overtook_the_answer_is_applied_when_that_is_written(session):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'smpp'")
    report("1a")
    apply()
    assert states(session) == {"queued": 1}
    resend(session, "1a")
    apply(timedelta(minutes=1))
    assert states(session) == {"delivered": 1}


def test_an_id_that_came_round_means_the_later_text_each_time(session):
    send(session, "42")
    report("42")
    apply()
    set_messages(session, "state = 'queued', provider_message_id = null")
    resend(session, "42")
    report("42")
    apply()
    assert states(session) == {"delivered": 1}
    results = [row.result for row in rows(session, "select result from receipt_events order by received_at")]
    assert results == ["applied", "applied"]


def test_the_same_receipt_again_is_stale(session):
    send(session, "1a2b")
    for said in ("1A2B", "6699"):
        report(said)
        apply()
    assert [row.result for row in rows(session, "select result from receipt_events order by received_at")] == [
        "applied",
        "stale",
    ]


@pytest.mark.parametrize("said", [("1A2B", "6699"), ("1a2b", "001A2B"), ("1a2b", "1A2B", "00006699")])
def test_the_same_receipt_in_two_spellings_at_once_is_one_and_stops_nobody_elses(session, said):
    send(session, "1a2b", "77")
    for one in said:
        report(one)
    report("77", 2)
    apply()
    assert states(session) == {"delivered": 2}
    results = sorted(row.result for row in rows(session, "select result from receipt_events"))
    assert results == ["applied", "applied", *["stale"] * (len(said) - 1)]


def test_what_two_receipts_say_differently_of_one_text_is_both_kept(session):
    send(session, "1a2b")
    report("1A2B", status="ACCEPTD")
    report("6699")
    apply()
    assert states(session) == {"delivered": 1}
    assert rows(session, "select count(*) from receipt_events where attempt_id is not null") == [(2,)]
