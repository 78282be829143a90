"""The part of a form that says where an alert's people are; names of places are looked up afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema
from werkzeug.datastructures import MultiDict

from consular.locales import country_names
from consular.schemas import refusals

MOST_LINES = 200
first_messages = refusals.first_messages


@dataclass(frozen=True, slots=True)
class CircleForm:
    """One row of the form: a place or coordinates, and a number of kilometres, as typed."""

    centre: str
    radius: str


@dataclass(frozen=True, slots=True)
class AudienceForm:
    """Countries as codes; places and circles as typed."""

    countries: tuple[str, ...]
    places: tuple[str, ...]
    circles: tuple[CircleForm, ...]


class AudienceSchema(Schema):
    """Form in, AudienceForm out."""

    class Meta:
        unknown = EXCLUDE

    countries = fields.List(fields.String(), load_default=list)
    places = fields.String(load_default="")
    centres = fields.List(fields.String(), load_default=list)
    radii = fields.List(fields.String(), load_default=list)

    @validates_schema
    def _check(self, data: dict[str, Any], **_: Any) -> None:
        if any(code and code not in country_names("en") for code in data["countries"]):
            raise ValidationError("Choose countries from the list.", "countries")
        if not any(data["countries"]):
            raise ValidationError("Choose at least one country: an empty list would reach nobody.", "countries")
        if len(data["places"].splitlines()) > MOST_LINES:
            raise ValidationError(f"Name at most {MOST_LINES} places, one on each line, or use a radius.", "places")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AudienceForm:
        pairs = zip(data["centres"], data["radii"], strict=False)
        return AudienceForm(
            countries=tuple(dict.fromkeys(code for code in data["countries"] if code)),
            places=tuple(line.strip() for line in data["places"].splitlines() if line.strip()),
            circles=tuple(CircleForm(c.strip(), r.strip()) for c, r in pairs if c.strip() or r.strip()),
        )


def form_values(form: MultiDict[str, str]) -> dict[str, Any]:
    """A posted form as the schemas take it: lists for the fields that repeat, the first value of all others."""
    lists = {name: form.getlist(name) for name in ("countries", "centres", "radii")}
    return {**form.to_dict(), **lists}
