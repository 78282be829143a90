"""A person's text as an officer reads it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from consular.extensions import cipher


def heard_words(row: Row[Any]) -> str:
    """The text of a row with inbound_id, body_sealed and missing_parts; it says when a part of it never came."""
    body = cipher.open(row.body_sealed, "inbound_messages.body", row.inbound_id)
    if not row.missing_parts:
        return body
    parts = "1 part" if row.missing_parts == 1 else f"{row.missing_parts} parts"
    return f"{body} [{parts} missing]"
