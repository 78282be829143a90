"""After a restart a receipt finds its text by id and phone together, in whatever spelling, at whatever moment."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.ports import SendOutcome, SmsResult
from consular.providers.receipt_words import read_reason, read_status
from consular.queries import sweeping
from consular.services import receipts, smsc_receipts
from consular.services.delivery import Pace, drain
from consular.services.texts import TextBook
from tests.factories import alert_everybody, phone, rows, set_messages, states
from tests.fakes import FakeGateway
from tests.services.test_receipts import time_passes

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


def apply(session, after: int = 0) -> int:
    """Work after so many more seconds; how many receipts were looked at."""
    time_passes(session, after)
    looks = 0
    while looked_at := smsc_receipts.match():
        looks += looked_at
    while receipts.process(read_status, read_reason):
        pass
    return looks


@pytest.mark.parametrize("said", ["1A2B3C4D", "0439041101", "439041101", "1a2b3c4d"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_receipt_finds_its_text_in_hex_and_decimal(session, said, turned):
    send(session, "1a2b3c4d", "1a2b3c4e")
    report(said, turned=turned)
    apply(session)
    assert states(session) == {"delivered": 1, "accepted": 1}


def test_of_two_texts_that_share_a_spelling_the_phone_tells(session):
    send(session, "4660", "1234")
    report("4660", 2)
    apply(session)
    rows_by_id = dict(map(tuple, rows(session, "select provider_message_id, state from messages")))
    assert rows_by_id == {"4660": "accepted", "1234": "delivered"}


def test_a_receipt_for_another_phone_moves_nothing_and_is_given_up_in_time(session):
    send(session, "77")
    report("77", 9)
    looks = 0
    for _ in range(300):
        looks += apply(session)
        assert not sweeping.pending()["receipts"], "nobody is woken before the next look"
        time_passes(session, 1)
    assert looks == 6
    assert rows(session, "select result, processed_at is not null from receipt_events") == [("unmatched", True)]
    assert states(session) == {"accepted": 1}


def test_the_clock_wakes_for_a_receipt_that_waited(session):
    report("77")
    assert sweeping.pending()["receipts"]
    apply(session)
    assert not sweeping.pending()["receipts"]
    time_passes(session, 3)
    assert sweeping.pending()["receipts"]


def test_each_look_takes_new_receipts_and_some_that_waited(session, monkeypatch):
    monkeypatch.setattr(smsc_receipts, "BATCH", 5)
    for number in range(20):
        report(f"ffff{number:02}", 9)
    assert apply(session) == 20
    send(session, "1a2b")
    time_passes(session, 3)
    report("1A2B")
    assert smsc_receipts.match() == 1 + 1
    assert rows(session, "select count(*) from receipt_events where attempt_id is not null") == [(1,)]
    assert apply(session) == 19


@pytest.mark.parametrize("seconds", [3, 60, 230])
@pytest.mark.parametrize("clock", [-3600, 0, 3600])
def test_a_receipt_that_overtook_the_answer_is_applied_when_that_is_written(session, seconds, clock):
    alert_everybody(session, 1, status=AlertStatus.ACTUAL)
    set_messages(session, "gateway = 'smpp'")
    report("1a")
    session.execute(text("update receipt_events set received_at = now() + :s * interval '1 second'"), {"s": clock})
    for _ in range(seconds):
        apply(session)
        time_passes(session, 1)
    assert states(session) == {"queued": 1}
    resend(session, "1a")
    apply(session, after=151)
    assert states(session) == {"delivered": 1}
    assert rows(session, "select result, processed_at is not null from receipt_events") == [("applied", True)]


def test_an_id_that_came_round_means_the_later_text_each_time(session):
    send(session, "42")
    report("42")
    apply(session)
    set_messages(session, "state = 'queued', provider_message_id = null")
    resend(session, "42")
    report("42")
    apply(session)
    assert states(session) == {"delivered": 1}
    results = [row.result for row in rows(session, "select result from receipt_events order by received_at")]
    assert results == ["applied", "applied"]


def test_the_same_receipt_again_is_stale(session):
    send(session, "1a2b")
    for said in ("1A2B", "6699"):
        report(said)
        apply(session)
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
    apply(session)
    assert states(session) == {"delivered": 2}
    results = sorted(row.result for row in rows(session, "select result from receipt_events"))
    assert results == ["applied", "applied", *["stale"] * (len(said) - 1)]


def test_what_two_receipts_say_differently_of_one_text_is_both_kept(session):
    send(session, "1a2b")
    report("1A2B", status="ACCEPTD")
    report("6699")
    apply(session)
    assert states(session) == {"delivered": 1}
    assert rows(session, "select count(*) from receipt_events where attempt_id is not null") == [(2,)]
