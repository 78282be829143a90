"""Handsets, a plan, and sending and hearing by gateways in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from consular.clock import utc_now
from consular.domain.delivery import MessageState
from consular.extensions import cipher, db
from consular.services import canaries, inbound, receipts
from consular.services.canaries import Plan, Seen
from consular.services.delivery import Pace, drain
from consular.services.texts import TextBook
from tests.factories import rows
from tests.fakes import FakeGateway

LIBYAN, ITALIAN = "+218910000001", "+393331234567"
NOW = utc_now().replace(hour=12)
PLAN = Plan(("twilio", "smpp"), (LIBYAN, ITALIAN), "Embassy of Testland", 6)
ONE = Plan(("twilio",), (LIBYAN,), "Embassy of Testland", 6)


def later(**length: float) -> datetime:
    return NOW + timedelta(**length)


def send_all(gateway: FakeGateway) -> int:
    """What a worker of that gateway would do."""
    return drain(gateway, TextBook("https://consular.test"), Pace(100_000, 60), "worker-1", 10, lambda: False)


def handed_over(gateway: FakeGateway | None = None, plan: Plan = ONE) -> FakeGateway:
    """Test texts of today, handed over by one gateway."""
    found = gateway or FakeGateway("twilio")
    canaries.send_daily(plan, NOW)
    send_all(found)
    return found


def report(gateway: FakeGateway, state: MessageState, error: str | None = None) -> None:
    """A receipt for every text that the gateway took."""
    for request in gateway.taken:
        receipts.store(gateway.name, f"SM{request.attempt_id.hex}", request.attempt_id, state.value, error, [], NOW)
    while receipts.process(MessageState, lambda code: None):
        pass


def hear(body: str, sender: str = LIBYAN, gateway: str = "twilio", at: datetime | None = None) -> None:
    """A text from a phone, read."""
    inbound.store(gateway, f"SM{uuid4().hex}", sender, body, [("Body", body)], at or later(minutes=2))
    inbound.process()


def seen() -> Seen:
    """The one test text there is."""
    (found,) = canaries.seen()
    return found


def phones(gateway: str) -> list[str]:
    """The handsets that have a test text by a gateway, opened."""
    query = "select id, phone_sealed from canaries where gateway = :gateway order by created_at, id"
    found = rows(db.session, query, gateway=gateway)
    return sorted(cipher.open(row.phone_sealed, "canaries.phone", row.id) for row in found)
