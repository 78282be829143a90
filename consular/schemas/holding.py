"""The form by which an officer decides on held texts."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from consular.schemas import refusals
from consular.schemas.texts import Text
from consular.services.holding import Decision

problems = refusals.first_messages
_LONGEST_NOTE = 2000


class HeldSchema(Schema):
    """Form in, Decision out. seen and message were filled in by the page itself."""

    class Meta:
        unknown = EXCLUDE

    seen = fields.String(load_default="")
    message = fields.String(load_default="")
    knows_of_twice = fields.String(load_default="")
    note = Text(_LONGEST_NOTE, is_long=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Decision:
        return Decision(
            seen=number(data["seen"]) or 0,
            note=data["note"],
            number=_one(data["message"]),
            knows_of_twice=data["knows_of_twice"] == "yes",
        )


def number(written: str) -> int | None:
    """A number of a message as our own pages write it; None for anything else."""
    is_number = written.isascii() and written.isdecimal() and len(written) <= 18
    return int(written) if is_number else None


def _one(written: str) -> int | None:
    """Nonsense must never be taken for "all"."""
    found = number(written)
    if written and found is None:
        raise ValidationError("There is no such text: load the page again.", "")
    return found
