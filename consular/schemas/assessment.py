"""The forms by which officers assess a person and add a note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates

from consular.domain.triage import Assessment
from consular.schemas.request import LONGEST_NOTE
from consular.schemas.texts import Text

NO_ASSESSMENT = "none"


@dataclass(frozen=True, slots=True)
class AssessmentForm:
    """What an officer believes; None withdraws. seen: the assessment the form was drawn from."""

    seen: str
    assessment: Assessment | None
    note: str


class AssessmentSchema(Schema):
    """Form in, AssessmentForm out."""

    class Meta:
        unknown = EXCLUDE

    seen = fields.String(load_default="")
    assessment = fields.String(load_default="")
    note = Text(LONGEST_NOTE, "Write what this rests on: who said or saw it, and when.", is_long=True)

    @validates("assessment")
    def _known(self, value: str, **_: Any) -> None:
        if value not in {NO_ASSESSMENT, *(known.value for known in Assessment)}:
            raise ValidationError("Choose an assessment.")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AssessmentForm:
        value = data.pop("assessment")
        return AssessmentForm(assessment=None if value == NO_ASSESSMENT else Assessment(value), **data)


class NoteSchema(Schema):
    """Form in, {"note": text} out."""

    class Meta:
        unknown = EXCLUDE

    note = Text(LONGEST_NOTE, "Write what the next officer needs to know.", is_long=True)
