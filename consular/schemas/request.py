"""The forms by which officers take, read and close a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from consular.domain.triage import Outcome, Stated
from consular.schemas import refusals
from consular.schemas.texts import Text, WholeNumber

LONGEST_NOTE = 2000
NOTHING = "nothing"
"""The choice "this text says nothing of this person"."""

READINGS = {
    Stated.NEEDS_HELP.value: Stated.NEEDS_HELP,
    Stated.SAFE.value: Stated.SAFE,
    Stated.NOT_THERE.value: Stated.NOT_THERE,
    NOTHING: None,
}
problems = refusals.first_messages
_CHOOSE: dict[str, Any] = {"required": "Choose how this request ended.", "unknown": "Choose how this request ended."}


@dataclass(frozen=True, slots=True)
class Closing:
    """How a request ended. seen: the state the form was drawn from."""

    seen: str
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says of each person. seen: the state the form was drawn from."""

    seen: str
    readings: Mapping[UUID, Stated | None]
    count: int | None
    note: str


class ClosingSchema(Schema):
    """Form in, Closing out."""

    class Meta:
        unknown = EXCLUDE

    seen = fields.String(load_default="")
    outcome = fields.Enum(Outcome, by_value=True, required=True, error_messages=_CHOOSE)
    note = Text(LONGEST_NOTE, is_long=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Closing:
        return Closing(**data)


class ReadingSchema(Schema):
    """Form in, Reading out; the choice for a person is in the field reading-<person id>."""

    class Meta:
        unknown = EXCLUDE

    seen = fields.String(load_default="")
    count = WholeNumber(1, 500, "The number of people must be between 1 and 500.")
    note = Text(LONGEST_NOTE, is_long=True)

    @post_load(pass_original=True)
    def _make(self, data: dict[str, Any], original: Mapping[str, str], **_: Any) -> Reading:
        return Reading(readings=_readings(original), **data)


def _readings(form: Mapping[str, str]) -> dict[UUID, Stated | None]:
    found: dict[UUID, Stated | None] = {}
    for name, value in form.items():
        if not name.startswith("reading-"):
            continue
        try:
            found[UUID(name.removeprefix("reading-"))] = READINGS[value]
        except (KeyError, ValueError):
            raise ValidationError("Say for each person what the text says of them.", "reading") from None
    return found
