"""Everything the practice gateway took, read back through our own adapter in more than one page."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from consular.domain.ports import SendOutcome, SmsRequest
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings
from tests.drill.conftest import ACCOUNT_SID, SENDER, TOKEN

MORE_THAN_A_PAGE = 1005


def test_the_whole_list_comes_in_pages(start) -> None:
    running = start("--profile", "perfect")
    settings = TwilioSettings(
        name="exercise",
        base_url=running.url,
        account_sid=ACCOUNT_SID,
        auth_token=TOKEN,
        sender=SENDER,
        is_exercise=True,
        concurrency=20,
    )
    gateway = TwilioGateway(settings, lambda attempt: f"{running.receiver.url}/status/{attempt}")
    ends_at = time.monotonic() + 60
    for number in range(MORE_THAN_A_PAGE):
        gateway.submit(SmsRequest(uuid4(), f"+21891{number:07d}", f"Text {number}\nRef ABCDEF", 3600, ends_at))
    results = []
    while gateway.in_flight and time.monotonic() < ends_at:
        results += gateway.poll(0.5)
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    listed = list(gateway.list_sent(datetime.now(UTC) - timedelta(hours=1)))
    assert {message.provider_message_id for message in listed} == {result.provider_message_id for result in results}
    assert len(listed) == MORE_THAN_A_PAGE
    assert list(gateway.list_sent(datetime.now(UTC) + timedelta(hours=1))) == []
    gateway.close()
