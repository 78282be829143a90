"""A text as parts: joined they are the text, each fits into a short message, and none tears a sign."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.ports import SmsRequest
from consular.domain.segmentation import segment
from consular.providers.smpp import alphabets
from consular.providers.smpp.compose import Uncomposable, compose, relative_time
from consular.providers.smpp.pdus import Address, ShortMessage

SOURCE = Address(5, 0, "MFA")
texts = st.text(st.sampled_from("aZ9 @€{}[\nاق١😀👨‍👩‍👧é\u0301ç"), max_size=700)


def composed(body: str, reference: int = 42) -> list[ShortMessage]:
    request = SmsRequest(UUID(int=1), "+218912345678", body, 1800, 0.0)
    return [ShortMessage.decode(one) for one in compose(request, SOURCE, reference)]


def joined(messages: list[ShortMessage]) -> str:
    skip = 6 if len(messages) > 1 else 0
    return "".join(alphabets.decode(m.short_message[skip:], m.data_coding) for m in messages)


@given(texts, st.integers(0, 1000))
def test_the_parts_are_the_text_and_as_many_as_were_counted(body, reference):
    messages = composed(body, reference)
    assert joined(messages) == body
    assert len(messages) == segment(body).parts
    for number, message in enumerate(messages, 1):
        assert len(message.short_message) <= (160 if message.data_coding == 0 else 140)
        if len(messages) > 1:
            assert message.short_message[:6] == bytes((5, 0, 3, reference % 256, len(messages), number))


@pytest.mark.parametrize("sign", ["\u0301", "😀\u200d"], ids=["marks", "joined pairs"])
def test_a_cluster_longer_than_a_part_is_cut_between_code_points(sign):
    body = "é" + "ا" + sign * 150
    messages = composed(body)
    assert joined(messages) == body
    assert max(len(message.short_message) for message in messages) <= 140
    for message in messages:
        message.short_message[6:].decode("utf-16-be")


@pytest.mark.parametrize(
    "body", ["\ud83d", "ok \udc00", "x" * 40_000], ids=["high half", "low half", "256 parts and more"]
)
def test_what_cannot_be_put_on_the_wire_is_refused(body):
    with pytest.raises(Uncomposable):
        composed(body)


@pytest.mark.parametrize(
    ("seconds", "period"),
    [
        (1, "000000000001000R"),
        (1800, "000000003000000R"),
        (36_000, "000000100000000R"),
        (0, "000000000001000R"),
        (99_999, "000000100000000R"),
    ],
)
def test_validity_is_relative_and_within_bounds(seconds, period):
    assert relative_time(seconds) == period
