"""Between the audience part of a form and an AudienceRule: places looked up in the gazetteer, kilometres read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from consular.domain.audience import AudienceError, AudienceRule, Circle, describe
from consular.domain.rendering import clean_text
from consular.errors import InvalidInputError
from consular.locales import country_names
from consular.schemas.audience import AudienceForm, CircleForm
from consular.services import places
from consular.services.places import PlaceMatch

_COORDINATES = re.compile(r"\(?(-?\d{1,2}(?:\.\d+)?)\s*[,;]\s*(-?\d{1,3}(?:\.\d+)?)\)?")
_PLACE_ID = re.compile(r"#(\d{1,10})")
_MOST_SUGGESTIONS = 4


def rule_of(form: AudienceForm) -> AudienceRule:
    """The rule that a form means. Raises InvalidInputError (places, centres, radii) with what to write instead."""
    problems: dict[str, str] = {}
    place_ids = [_place(line, form.countries, problems) for line in form.places]
    circles = [_circle(circle, form.countries, problems) for circle in form.circles]
    if problems:
        raise InvalidInputError(" ".join(problems.values()), problems)
    try:
        return AudienceRule(
            countries=form.countries,
            circles=tuple(circle for circle in circles if circle is not None),
            place_ids=tuple(place.id for place in place_ids if place is not None),
        )
    except AudienceError as error:
        raise InvalidInputError(str(error), {"countries": str(error)}) from None


def fill(values: MultiDict[str, str], rule: AudienceRule, names: Mapping[int, str]) -> None:
    """Put a rule into a form's values, in the form that rule_of() reads back. names: of its places by id."""
    values.setlist("countries", list(rule.countries))
    values["places"] = "\n".join(f"{names.get(place_id, 'Place')} #{place_id}" for place_id in rule.place_ids)
    values.setlist("centres", [f"{c.label} ({c.latitude:g}, {c.longitude:g})".strip() for c in rule.circles])
    values.setlist("radii", [f"{c.radius_km:g}" for c in rule.circles])


def sentence(rule: AudienceRule, names: Mapping[int, str]) -> str:
    """The rule in words."""
    return describe(rule, country_names("en"), names)


def _place(line: str, countries: tuple[str, ...], problems: dict[str, str]) -> PlaceMatch | None:
    marked = _PLACE_ID.search(line)
    if marked:
        found = _by_id(int(marked[1]), countries)
        if found is None:
            problems.setdefault("places", f"“{line}” is not a place in the chosen countries: write its name alone.")
        return found
    return _by_name(line, countries, problems, "places")


def _by_id(place_id: int, countries: tuple[str, ...]) -> PlaceMatch | None:
    return next(filter(None, (places.find_place(place_id, country) for country in countries)), None)


def _by_name(name: str, countries: tuple[str, ...], problems: dict[str, str], field: str) -> PlaceMatch | None:
    searches = [places.search_places(country, name) for country in countries]
    certain = [search.certain for search in searches if search.certain]
    if len(certain) == 1:
        return certain[0]
    candidates = certain or [match for search in searches for match in search.candidates]
    if candidates:
        listed = "; ".join(map(_suggestion, candidates[:_MOST_SUGGESTIONS]))
        problems.setdefault(field, f"“{name}” may mean several places. Write one of these: {listed}.")
    else:
        cure = "check the spelling, or use coordinates such as 32.88, 13.19 and a radius"
        problems.setdefault(field, f"“{name}” is not in the gazetteer of the chosen countries: {cure}.")
    return None


def _suggestion(match: PlaceMatch) -> str:
    near = f" ({match.near[1]} km from {match.near[0]})" if match.near else ""
    return f"{match.name} #{match.id}{near}"


def _circle(form: CircleForm, countries: tuple[str, ...], problems: dict[str, str]) -> Circle | None:
    radius = _number(form.radius)
    if radius is None:
        problems.setdefault("radii", f"Give the radius around “{form.centre or '…'}” in kilometres, for example 50.")
    if not form.centre:
        problems.setdefault("centres", f"Name the place that the {form.radius} km are measured from.")
    if radius is None or not form.centre:
        return None
    coordinates = _COORDINATES.search(form.centre)
    try:
        if coordinates:
            label = " ".join(clean_text(_COORDINATES.sub("", form.centre)).split())[:100]
            return Circle(label, float(coordinates[1]), float(coordinates[2]), radius)
        place = _by_id_in(form.centre, countries) or _by_name(form.centre, countries, problems, "centres")
        return Circle(place.name[:100], place.latitude, place.longitude, radius) if place else None
    except AudienceError as error:
        field = "radii" if error.path == "radius_km" else "centres"
        problems.setdefault(field, f"{error.path.replace('_km', ' in km').capitalize()} {error.message}.")
        return None


def _by_id_in(text: str, countries: tuple[str, ...]) -> PlaceMatch | None:
    marked = _PLACE_ID.search(text)
    return _by_id(int(marked[1]), countries) if marked else None


def _number(text: str) -> float | None:
    text = re.sub(r"\s*(km|kilomet\w+)\.?$", "", text.strip(), flags=re.IGNORECASE).replace(",", ".")
    return float(text) if re.fullmatch(r"\d{1,5}(\.\d{1,3})?", text) else None


def field_ids(errors: Mapping[str, Any]) -> dict[str, str]:
    """Where the error summary links to, for fields that repeat."""
    return {"countries": "countries-1", "centres": "centres-1", "radii": "radii-1"}
