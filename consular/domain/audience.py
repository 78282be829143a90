"""Who an alert is for: a rule over countries, circles and places, never "everybody" by leaving something out."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Protocol

EARTH_RADIUS_KM = 6371.0088
LARGEST_RADIUS_KM = 5000.0
MOST_CIRCLES = 100
MOST_PLACES = 2000
LONGEST_LABEL = 100

_COUNTRY = re.compile("[A-Z]{2}")
_LARGEST_PLACE_ID = 2**31 - 1
_ROUNDING_DEGREES = 1e-9


class AudienceError(ValueError):
    """A rule that cannot be. path: where in the rule ("circles[0].radius_km"). message: what is expected there."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


class AudienceProblem(StrEnum):
    """Why a rule that can be read must not be used."""

    NO_COUNTRY = "no_country"


@dataclass(frozen=True, slots=True, order=True)
class Circle:
    """Everything within radius_km of a point in degrees (WGS 84). label: the officer's name for it, only to read."""

    label: str
    latitude: float
    longitude: float
    radius_km: float

    def __post_init__(self) -> None:
        _set(self, "latitude", _number_in(self.latitude, "latitude", -90, 90, 5))
        _set(self, "longitude", _number_in(self.longitude, "longitude", -180, 180, 5))
        _set(self, "radius_km", _number_in(self.radius_km, "radius_km", 0.001, LARGEST_RADIUS_KM, 3))
        _set(self, "label", _label(self.label))


@dataclass(frozen=True, slots=True)
class AudienceRule:
    """A stay matches in one of the countries AND, when there are circles or places, in any of them; and only while
    it lasts. Equal rules are equal values: each part is sorted and free of repetitions.

    countries: ISO 3166-1 alpha-2. place_ids: keys of the gazetteer. No country selects nobody.
    """

    countries: tuple[str, ...]
    circles: tuple[Circle, ...] = field(default=())
    place_ids: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        for index, country in enumerate(self.countries):
            _check_country(country, f"countries[{index}]")
        for index, place_id in enumerate(self.place_ids):
            _check_place_id(place_id, f"place_ids[{index}]")
        for name, most in (("circles", MOST_CIRCLES), ("place_ids", MOST_PLACES)):
            if len(getattr(self, name)) > most:
                raise AudienceError(name, f"must be at most {most}")
        for name in ("countries", "circles", "place_ids"):
            _set(self, name, tuple(sorted(set(getattr(self, name)))))


class StayFacts(Protocol):
    """What the rule looks at in a stay; the ends of the dates are open when None."""

    @property
    def country(self) -> str: ...
    @property
    def place_id(self) -> int | None: ...
    @property
    def latitude(self) -> float | None: ...
    @property
    def longitude(self) -> float | None: ...
    @property
    def is_resident(self) -> bool: ...
    @property
    def from_date(self) -> date | None: ...
    @property
    def until_date(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of degrees with west <= east; edges belong to it."""

    south: float
    west: float
    north: float
    east: float


def rule_problems(rule: AudienceRule) -> tuple[AudienceProblem, ...]:
    """Why this rule must not be submitted; empty when it may."""
    return () if rule.countries else (AudienceProblem.NO_COUNTRY,)


def rule_to_dict(rule: AudienceRule) -> dict[str, Any]:
    """The canonical JSON form: equal rules give equal dicts; rule_from_dict() reads it back."""
    return {
        "countries": list(rule.countries),
        "circles": [
            {"label": c.label, "latitude": c.latitude, "longitude": c.longitude, "radius_km": c.radius_km}
            for c in rule.circles
        ],
        "place_ids": list(rule.place_ids),
    }


def rule_from_dict(value: object) -> AudienceRule:
    """Read the JSON form strictly: no unknown key, no text for a number, no NaN. Raises AudienceError with the path."""
    parts = _object(value, "", required={"countries"}, optional={"circles", "place_ids"})
    circles = _list(parts.get("circles", []), "circles")
    return AudienceRule(
        countries=tuple(_list(parts["countries"], "countries")),
        circles=tuple(_circle(circle, f"circles[{index}]") for index, circle in enumerate(circles)),
        place_ids=tuple(_list(parts.get("place_ids", []), "place_ids")),
    )


def matches(rule: AudienceRule, stay: StayFacts, today: date) -> bool:
    """Whether the rule selects this stay on this day: the reference for what the database selects."""
    if stay.country not in rule.countries or not is_current(stay, today):
        return False
    if not rule.circles and not rule.place_ids:
        return True
    if stay.place_id in rule.place_ids:
        return True
    if stay.latitude is None or stay.longitude is None:
        return False
    here = (stay.latitude, stay.longitude)
    return any(distance_km(*here, c.latitude, c.longitude) <= c.radius_km for c in rule.circles)


def is_current(stay: StayFacts, today: date) -> bool:
    """A resident's stay always; another from its first to its last day, both included."""
    if stay.is_resident:
        return True
    has_begun = stay.from_date is None or stay.from_date <= today
    return has_begun and (stay.until_date is None or today <= stay.until_date)


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance of two points in degrees on a sphere of 6,371.0088 km (haversine)."""
    phi, other_phi = math.radians(latitude), math.radians(other_latitude)
    half_chord = (
        math.sin((other_phi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other_phi) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half_chord)))


def bounding_box(circle: Circle) -> tuple[Box, ...]:
    """One box holding the circle, or two where it crosses the date line; all longitudes where it holds a pole."""
    angle = math.degrees(circle.radius_km / EARTH_RADIUS_KM) + _ROUNDING_DEGREES
    south, north = circle.latitude - angle, circle.latitude + angle
    if south <= -90 or north >= 90:
        return (Box(max(south, -90.0), -180.0, min(north, 90.0), 180.0),)
    sine = math.sin(math.radians(angle)) / math.cos(math.radians(circle.latitude))
    spread = math.degrees(math.asin(min(1.0, sine))) + _ROUNDING_DEGREES
    west, east = circle.longitude - spread, circle.longitude + spread
    if west <= -180:
        return (Box(south, -180.0, north, east), Box(south, west + 360, north, 180.0))
    if east >= 180:
        return (Box(south, west, north, 180.0), Box(south, -180.0, north, east - 360))
    return (Box(south, west, north, east),)


def describe(
    rule: AudienceRule, country_names: Mapping[str, str] | None = None, place_names: Mapping[int, str] | None = None
) -> str:
    """The rule in one English sentence for the approval page; unknown names stand as their code or number."""
    if not rule.countries:
        return "Nobody: no country is chosen."
    countries = _either([(country_names or {}).get(code, code) for code in rule.countries])
    areas = [f"within {c.radius_km:g} km of {c.label or f'{c.latitude:g}, {c.longitude:g}'}" for c in rule.circles]
    if rule.place_ids:
        names = place_names or {}
        areas.append("in " + _either([names.get(place_id, f"place {place_id}") for place_id in rule.place_ids]))
    where = f", but only {'; or '.join(areas)}" if areas else ", anywhere in the country"
    if not areas and len(rule.countries) > 1:
        where = ", anywhere in these countries"
    return f"Everyone whose registered stay today is in {countries}{where}."


def _either(names: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _set(value: object, name: str, content: object) -> None:
    object.__setattr__(value, name, content)


def _check_country(value: object, path: str) -> None:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise AudienceError(path, "must be a two-letter country code in capitals")


def _check_place_id(value: object, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LARGEST_PLACE_ID:
        raise AudienceError(path, "must be the positive whole number of a place")


def _label(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_LABEL or not value.isprintable():
        raise AudienceError("label", f"must be one line of at most {LONGEST_LABEL} characters")
    return value.strip()


def _number_in(value: object, path: str, low: float, high: float, digits: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise AudienceError(path, f"must be a number from {low:g} to {high:g}")
    return round(float(value), digits) + 0.0


def _object(value: object, path: str, required: set[str], optional: Iterable[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise AudienceError(path, "must be an object")
    allowed = required | set(optional)
    for key in value:
        if key not in allowed:
            raise AudienceError(path, f"unknown key; known are {', '.join(sorted(allowed))}")
    for key in sorted(required):
        if key not in value:
            raise AudienceError(f"{path}.{key}".lstrip("."), "is missing")
    return value


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise AudienceError(path, "must be a list")
    return value


def _circle(value: object, path: str) -> Circle:
    parts = _object(value, path, required={"label", "latitude", "longitude", "radius_km"})
    try:
        return Circle(**parts)
    except AudienceError as error:
        raise AudienceError(f"{path}.{error.path}", error.message) from None
