"""The whole way through an SMSC: alert to phone, receipt to message, answer to officer, with the real services."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import SQLAlchemyError

from consular.clock import utc_now
from consular.providers.smpp.codes import failure_reason, map_status
from consular.providers.smpp.gateway import SmppGateway
from consular.providers.smpp.received import NotStored, SmppReceipt, SmppText
from consular.services import inbound, receipts
from consular.services.delivery import Pace, drain
from consular.services.texts import TextBook
from tests.factories import alert_everybody, phone, states
from tests.providers.smpp.conftest import Shelf, Side, settings_for
from tests.providers.smpp.smsc import receipt, text


def store(items: Sequence[SmppReceipt | SmppText]) -> None:
    """What a worker that owns the bind gives to the gateway."""
    try:
        for item in items:
            if isinstance(item, SmppText):
                inbound.store("exercise", item.message_id, item.sender, item.body, item.raw, utc_now())
            else:
                identity = (item.message_id, item.attempt_id, item.status, item.error_code)
                receipts.store("exercise", *identity, item.raw, utc_now())
    except SQLAlchemyError as error:
        raise NotStored from error


@pytest.fixture
def line(smsc):
    server = smsc()
    gateway = SmppGateway(settings_for(server.port, window=50, answer_timeout_seconds=5.0), store)
    yield server, Side(gateway, Shelf())
    gateway.close()


def test_an_alert_goes_out_is_delivered_and_answered(session, line):
    server, side = line
    alert_everybody(session, 40)
    side.bind()
    pace = Pace(rate=100_000, lease_seconds=60)
    assert drain(side.gateway, TextBook("https://consular.test"), pace, "worker-1", 10, lambda: False) == 40
    assert states(session) == {"accepted": 40}
    to = {f"+{one.message.destination.digits}" for one in server.submitted}
    assert to == {phone(n + 1) for n in range(40)}

    for index, one in enumerate(server.submitted):
        server.session.deliver(receipt(f"{0x1A2B3C00 + index:010d}", f"+{one.message.destination.digits}"))
    server.session.deliver(text(phone(1), "٢ أحتاج مساعدة".encode("utf-16-be"), 8))
    side.drive(lambda: len(server.answers()) == len(server.submitted) + 1)
    assert set(server.answers().values()) == {0}
    while receipts.process(map_status, failure_reason):
        pass
    assert states(session) == {"delivered": 40}

    assert inbound.process() == 1
    (kind,) = session.execute(sql("select kind from inbound_messages")).scalars()
    assert kind == "NEEDS_HELP"


def test_a_database_that_is_away_confirms_nothing(session, line):
    server, side = line
    side.bind()
    session.execute(sql("alter table inbound_messages rename to away"))
    sequence = server.session.deliver(text(phone(1), b"2"))
    side.drive(server.answers)
    assert server.answers() == {sequence: 0x64}
