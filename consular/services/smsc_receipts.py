"""What an SMSC's receipt is about when the process that handed the text over is gone: its id, in any spelling, and its
phone tell together. A receipt may be stored before the answer that brought the id was, so it is asked again for a
while."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from consular.domain.smsc_ids import same_phone, spellings
from consular.extensions import cipher
from consular.queries import binds, receipts
from consular.queries.sweeping import database_now
from consular.security.fields import KeyUnavailableError
from consular.services.preparing import address_of
from consular.services.transactions import unit_of_work

BATCH = 2000


def match() -> int:
    """Find the attempts of the oldest waiting receipts, at most BATCH new ones, so that services.receipts applies
    them; how many were looked at. Until it is 0, some were not.

    Nothing is guessed: id and phone must both fit. What fits nothing waits to be looked at again
    (queries.receipts.WAITS), and is finished as unmatched when that was done often enough.
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
        now = database_now(session)
        unknown = {row.id: receipts.next_wait(row.result, now) or "unmatched" for row in rows if row.id not in found}
        again: dict[UUID, str] = dict.fromkeys(found.keys() - named, "stale")
        if unknown or again:
            receipts.finish(session, {**unknown, **again})
        return len(rows)


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
