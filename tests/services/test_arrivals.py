"""What a bind brings is stored whole or not at all, once, and half a text is never more than half."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import SQLAlchemyError

from consular.providers.smpp.received import SmppReceipt, SmppText
from consular.queries import requests
from consular.services import inbound
from consular.services.arrivals import Arrivals
from tests.factories import alert_everybody, phone, rows


def heard(body: str, sender: str = phone(1), **more: Any) -> SmppText:
    raw = (("source", f"1/1/{sender}"), ("short_message", body.encode("utf-16-be").hex()))
    return SmppText(f"mo-{uuid4().hex}", sender, "+218910000000", body, raw=raw, **more)


def receipt(number: int) -> SmppReceipt:
    return SmppReceipt(f"{number:x}", None, "DELIVRD", "DELIVRD", None, phone(1), raw=(("source", "1/1/218"),))


def stored(session) -> int:
    return len(rows(session, "select 1 from inbound_messages"))


def test_everything_is_kept_in_order_or_nothing(session):
    arrivals = Arrivals("smpp")
    session.execute(sql("alter table inbound_messages rename to away"))
    session.commit()
    with pytest.raises(SQLAlchemyError):
        arrivals.store([receipt(1)], [heard("1")])
    session.execute(sql("alter table away rename to inbound_messages"))
    session.commit()
    assert rows(session, "select 1 from receipt_events") == []
    texts = [heard("1"), heard("2"), heard("3")]
    arrivals.store([receipt(1)], texts)
    arrivals.store([receipt(1)], texts)
    assert len(rows(session, "select 1 from receipt_events")) == 1
    ids = [
        row.id for row in rows(session, "select provider_message_id as id from inbound_messages order by received_at")
    ]
    assert ids == [text.message_id for text in texts]


def test_a_text_that_a_killed_process_did_not_confirm_is_one_text(session):
    Arrivals("smpp").store([], [heard("2"), heard("1", phone(2))])
    after = Arrivals("smpp")
    again = heard("2")
    after.store([], [again])
    after.store([], [again])
    assert stored(session) == 2
    after.store([], [heard("2")])
    assert stored(session) == 3, "a second call for help is a second call"
    after.store([], [heard("1")])
    assert stored(session) == 4, "other words, or another phone, is another text"


def test_what_was_confirmed_or_is_long_ago_comes_as_a_new_text(session):
    before = Arrivals("smpp")
    before.store([], [heard("2")])
    session.execute(sql("update inbound_messages set received_at = received_at - interval '1 second'"))
    before.store([], [heard("3", phone(2))])
    Arrivals("smpp").store([], [heard("2")])
    assert stored(session) == 3, "only what was stored last may not have been confirmed"
    session.execute(sql("update inbound_messages set received_at = received_at - interval '301 seconds'"))
    Arrivals("smpp").store([], [heard("2")])
    assert stored(session) == 4


@pytest.mark.parametrize(
    ("body", "kind"),
    [("1", "UNCLEAR"), ("We are safe…", "UNCLEAR"), ("STOP", "UNCLEAR"), ("…help us, trapped", "NEEDS_HELP")],
)
def test_half_a_text_is_never_safe_and_the_officer_sees_that_it_is_half(session, body, kind):
    event_id = alert_everybody(session, 1)
    (crisis,) = rows(session, "select crisis_id as id from alert_events where id = :id", id=event_id)
    Arrivals("exercise").store([], [heard(body, parts=3, missing=(2, 3))])
    assert inbound.process() == 1
    assert rows(session, "select kind from inbound_messages") == [(kind,)]
    assert rows(session, "select 1 from opt_outs") == []
    (shown,) = requests.open_page(crisis.id)
    assert shown.words == f"{body} [2 parts missing]"
