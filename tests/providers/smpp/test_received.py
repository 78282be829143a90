"""Receipts and headers as operators write them, ids in all spellings, and texts under any order of their parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.smsc_ids import same_phone, spellings
from consular.providers.smpp import pdus
from consular.providers.smpp.pdus import Address, ShortMessage
from consular.providers.smpp.reassembly import REPEAT_SECONDS, Arrived, Reassembly, Ticket
from consular.providers.smpp.received import TextPart, receipt_words, text_part
from tests.providers.smpp.conftest import PHONE
from tests.providers.smpp.smsc import OURS, text


def words_of(said: str, **changes):
    return receipt_words(text(PHONE, said.encode(), esm_class=0x04, **changes))


@pytest.mark.parametrize(
    ("said", "message_id", "stat", "error"),
    [
        ("id:0123456789 sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:Hi",
         "0123456789", "DELIVRD", None),
        ("id:c2a1-77 sub:001 dlvrd:000 submit date:26 done date:26 stat:EXPIRED err:027 Text:", "c2a1-77", "EXPIRED",
         "EXPIRED:027"),
        ("id:7 stat:UNDELIV", "7", "UNDELIV", "UNDELIV:000"),
        ("ID: 7 STAT: rejectd ERR: A1", "7", "REJECTD", "REJECTD:A1"),
        ("id:7 stat:ACCEPTD err:000 text:id:9 stat:DELIVRD", "7", "ACCEPTD", None),
        ("stat:DELIVRD", "UNREADABLE", "DELIVRD", None),
        ("id:7 stat:???", "7", "UNREADABLE", None),
        ("", "UNREADABLE", "UNREADABLE", None),
        (f"id:{'9' * 65} stat:DELIVRD", "UNREADABLE", "DELIVRD", None),
    ],
    ids=["appendix B", "own ids", "short", "capitals", "our own text", "no id", "no stat", "empty", "long"],
)  # fmt: skip
def test_receipt_texts(said, message_id, stat, error):
    words = words_of(said)
    assert (words.message_id, words.stat, words.error_code) == (message_id, stat, error)


@pytest.mark.parametrize("octet", range(1, 9))
def test_message_state_octets(octet):
    tlvs = ((pdus.TLV_RECEIPTED_MESSAGE_ID, b"AB\0"), (pdus.TLV_MESSAGE_STATE, bytes((octet,))))
    states = ("ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD")
    assert words_of("", tlvs=tlvs).stat == states[octet - 1]


@pytest.mark.parametrize(
    ("esm_class", "octets", "tlvs", "part"),
    [
        (0x40, b"\x05\x00\x03\x07\x02\x01hi", (), TextPart("hi", 7, 2, 1)),
        (0x40, b"\x06\x08\x04\x01\x07\x02\x02hi", (), TextPart("hi", 0x107, 2, 2)),
        (0x40, b"\x0b\x05\x04\x0b\x84\x00\x00\x00\x03\x07\x02\x01hi", (), TextPart("hi", 7, 2, 1)),
        (0x40, b"\x05\x00\x03\x07\x01\x01hi", (), TextPart("hi")),
        (0x40, b"\x05\x00\x03\x07\x02\x03hi", (), TextPart("hi")),
        (0x40, b"\x05\x00\x03\x07\x02\x00hi", (), TextPart("hi")),
        (0x40, b"\xffhi", (), TextPart("\ufffdhi")),
        (0x00, b"hi", ((0x020C, b"\x01\x07"), (0x020E, b"\x02"), (0x020F, b"\x01")), TextPart("hi", 0x107, 2, 1)),
        (0x00, b"hi", ((0x020C, b"\x01\x07"), (0x020E, b"\x02")), TextPart("hi")),
    ],
    ids=[
        "8 bit",
        "16 bit",
        "after ports",
        "one of one",
        "three of two",
        "none of two",
        "too long",
        "sar",
        "half a sar",
    ],
)
def test_concatenation(esm_class, octets, tlvs, part):
    assert text_part(ShortMessage(Address(1, 1, "218"), OURS, octets, esm_class, tlvs=tlvs)) == part


@given(st.integers(0, 2**64))
def test_an_id_meets_its_other_spellings(number):
    forms = {f"{number:x}", f"{number:X}", f"{number:010d}", f"{number:08X}", str(number)}
    assert all(set(spellings(one)) & set(spellings(other)) for one in forms for other in forms)


@given(st.text(max_size=70))
def test_any_id_has_a_spelling(message_id):
    assert spellings(message_id)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("+218912345678", "218912345678", True),
        ("+218912345678", "0912345678", True),
        ("+218912345678", "00218912345678", True),
        ("+218912345678", "+218912345679", False),
        ("+218912345678", "5678", False),
        ("8888", "8888", True),
        ("", "", False),
        ("+218912345678", "", False),
    ],
)
def test_spellings_of_a_phone(one, other, is_same):
    assert same_phone(one, other) is is_same


def arrived(part: TextPart, sequence: int, session: int = 1, sender: str = PHONE) -> Arrived:
    return Arrived(part, sender, "+8888", ((str(part.number), part.text),), Ticket(session, sequence))


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_parts_in_any_order_with_repetitions_are_one_text_and_every_ticket_is_given_back_once(order, again):
    reassembly, tickets, texts = Reassembly(4.0), [], []
    sequence = 0
    for number in [*order[:-1], *(n for n in again if n != order[-1]), order[-1]]:
        sequence += 1
        ready = reassembly.add(arrived(TextPart(f"<{number}>", 3, 5, number + 1), sequence), 0.0)
        if ready:
            reassembly.settle(ready, 0.0, is_stored=True)
            tickets += ready.tickets
            texts.append(ready.text.body)
    assert texts == ["<0><1><2><3><4>"]
    assert sorted(ticket.sequence for ticket in tickets) == list(range(1, sequence + 1))
    assert reassembly.next_due() is None


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.floats(0, 6)), max_size=20))
def test_no_ticket_is_answered_as_stored_whose_words_were_never_in_a_stored_text(steps):
    reassembly, stored, now = Reassembly(4.0), [], 0.0
    words: dict[int, str] = {}
    for sequence, (number, is_stored, pause) in enumerate(steps):
        now += pause
        ready = list(reassembly.due(now))
        words[sequence] = f"<{number}>"
        whole = reassembly.add(arrived(TextPart(f"<{number}>", 1, 3, number), sequence), now)
        for one in [*ready, *([whole] if whole else [])]:
            reassembly.settle(one, now, is_stored=is_stored)
            if is_stored:
                stored += [(ticket, one.text.body) for ticket in one.tickets]
    assert all(words[ticket.sequence] in body for ticket, body in stored)


@pytest.mark.parametrize(
    ("pause", "session", "between", "is_same"),
    [
        (1.0, 2, None, True),
        (1.0, 1, None, False),
        (REPEAT_SECONDS + 1, 2, None, False),
        (1.0, 2, "1", False),
    ],
    ids=["new session", "same session", "much later", "wrote something else"],
)
def test_what_counts_as_the_same_text_again(pause, session, between, is_same):
    reassembly = Reassembly(4.0)
    first = reassembly.add(arrived(TextPart("2"), 1), 0.0)
    reassembly.settle(first, 0.0, is_stored=True)
    if between:
        other = reassembly.add(arrived(TextPart(between), 2), 0.5)
        reassembly.settle(other, 0.5, is_stored=True)
    again = reassembly.add(arrived(TextPart("2"), 3, session), pause)
    assert (again.text.message_id == first.text.message_id) is is_same
