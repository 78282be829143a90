"""Reading forms: plain values out of a request, plain messages out of a schema's refusal."""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow import ValidationError

from consular.schemas.texts import clean

_LONGEST_KEPT = 5000


def form_values() -> dict[str, str]:
    """The first value of every posted field, without control characters and direction overrides, fit to be shown again.

    Raises RequestEntityTooLarge for bodies over the limit.
    """
    return {name: clean(value[:_LONGEST_KEPT]) for name, value in request.form.items()}


def first_messages(error: ValidationError) -> dict[str, Any]:
    """Field name -> its first message, for the form macros."""
    messages = error.messages_dict
    return {name: found[0] if isinstance(found, list) else found for name, found in messages.items()}
