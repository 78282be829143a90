"""What an SMSC's receipt is about when the process that handed the text over is gone: its id, in any spelling, and its
phone tell together. A receipt may be stored before the answer that brought the id was, so it is asked again for a
while."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from consular.domain.smsc_ids import same_phone, spellings
from consular.extensions import cipher
from consular.queries import binds, receipts
from consular.security.fields import KeyUnavailableError
from consular.services.preparing import address_of
from consular.services.transactions import unit_of_work

BATCH = 2000
PATIENCE = timedelta(minutes=4)
"""Longer than any result waits to be written, shorter than the alarm for receipts that wait."""


def match(now: datetime) -> int:
    """Find the attempts of waiting receipts, so that services.receipts applies them; how many were found.

    Nothing is guessed: id and phone must both fit. What fits nothing for PATIENCE is finished as unmatched.
    """
    with unit_of_work() as session:
        rows = binds.waiting_receipts(session, BATCH)
        if not rows:
            return 0
        sent: dict[str, list[Row[Any]]] = {}
        for attempt in binds.sent_as(session, {one for row in rows for one in spellings(row.provider_message_id)}):
            sent.setdefault(attempt.provider_message_id, []).append(attempt)
        found = {row.id: match for row in rows if (match := _attempt(row, sent)) is not None}
        named = binds.name_attempts(session, found) if found else set()
        over = {row.id: "unmatched" for row in rows if row.id not in found and now - row.received_at > PATIENCE}
        again: dict[UUID, str] = dict.fromkeys(found.keys() - named, "stale")
        if over or again:
            receipts.finish(session, {**over, **again})
        return len(named)


def _attempt(row: Row[Any], sent: Mapping[str, Sequence[Row[Any]]]) -> tuple[UUID, str] | None:
    """The latest attempt under the plainest spelling that went to one of the receipt's phones."""
    candidates = [one for spelling in spellings(row.provider_message_id) for one in reversed(sent.get(spelling, ()))]
    phones = _phones(row) if candidates else []
    for one in candidates:
        if any(same_phone(_address(one), phone) for phone in phones):
            return one.id, one.provider_message_id
    return None


def _phones(row: Row[Any]) -> list[str]:
    """Both addresses of the receipt: some operators turn them round."""
    try:
        raw = json.loads(cipher.open(row.raw_sealed, "receipt_events.raw", row.id))
    except KeyUnavailableError:
        return []
    return [value.split("/", 2)[-1] for name, value in raw if name in ("source", "destination")]


def _address(attempt: Row[Any]) -> str:
    try:
        return address_of(attempt)
    except KeyUnavailableError:
        return ""
