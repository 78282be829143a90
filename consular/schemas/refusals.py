"""What a schema refuses, as sentences for the fields of a form."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError


def first_messages(error: ValidationError) -> dict[str, str]:
    """Field -> the first sentence about it, in the language of the page; "" is what belongs to no field."""
    messages = error.messages if isinstance(error.messages, dict) else {"": error.messages}
    return {str(name): _first(found) for name, found in messages.items()}


def _first(messages: Any) -> str:
    """The first sentence in lists and dicts of any depth; sentences that are translated late are no strings yet."""
    while isinstance(messages, dict | list):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages), "Check this answer.")
    return str(messages)
