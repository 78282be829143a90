"""Audience rules: who is meant, never everybody by omission, the same value in and out of JSON."""

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import asin, atan2, cos, degrees, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.domain.audience import (
    AudienceError,
    AudienceProblem,
    AudienceRule,
    Circle,
    bounding_box,
    describe,
    distance_km,
    matches,
    rule_from_dict,
    rule_problems,
    rule_to_dict,
)

TODAY = date(2026, 3, 1)
DAY = timedelta(days=1)
BENGHAZI = Circle("Benghazi", 32.11667, 20.06667, 50)
DATE_LINE = Circle("Taveuni", -16.8, 179.98, 40)
KUFRA = 88533


@dataclass(frozen=True)
class Stay:
    country: str = "LY"
    place_id: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    is_resident: bool = True
    from_date: date | None = None
    until_date: date | None = None


latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
circles = st.builds(Circle, st.just("x"), latitudes, longitudes, st.floats(0.001, 5000))
rules = st.builds(
    AudienceRule,
    st.lists(st.sampled_from(["LY", "TN", "EG", "MT"]), max_size=4).map(tuple),
    st.lists(circles, max_size=3).map(tuple),
    st.lists(st.integers(1, 2**31 - 1), max_size=4).map(tuple),
)


class TestMatches:
    @pytest.mark.parametrize(
        ("rule", "stay", "expected"),
        [
            pytest.param(AudienceRule(("LY",)), Stay(), True, id="country alone"),
            pytest.param(AudienceRule(("TN",)), Stay(), False, id="another country"),
            pytest.param(AudienceRule(()), Stay(), False, id="no country is nobody"),
            pytest.param(AudienceRule((), (BENGHAZI,)), Stay(latitude=32.1, longitude=20.1), False, id="circle alone"),
            pytest.param(AudienceRule(("LY",), (BENGHAZI,)), Stay(latitude=32.1, longitude=20.1), True, id="in circle"),
            pytest.param(AudienceRule(("LY",), (BENGHAZI,)), Stay(latitude=32.9, longitude=13.2), False, id="outside"),
            pytest.param(AudienceRule(("LY",), (BENGHAZI,)), Stay(), False, id="place unknown, circle asked"),
            pytest.param(AudienceRule(("LY",), (BENGHAZI,)), Stay(latitude=32.1), False, id="half a position"),
            pytest.param(AudienceRule(("LY",), (), (KUFRA,)), Stay(place_id=KUFRA), True, id="listed place"),
            pytest.param(AudienceRule(("LY",), (), (KUFRA,)), Stay(place_id=1), False, id="unlisted place"),
            pytest.param(
                AudienceRule(("LY",), (BENGHAZI,), (KUFRA,)), Stay(place_id=KUFRA), True, id="place or circle"
            ),
            pytest.param(AudienceRule(("TN",), (), (KUFRA,)), Stay(place_id=KUFRA), False, id="place, wrong country"),
            pytest.param(
                AudienceRule(("FJ",), (DATE_LINE,)), Stay("FJ", None, -16.8, -179.9), True, id="over date line"
            ),
        ],
    )
    def test_place(self, rule, stay, expected):
        assert matches(rule, stay, TODAY) is expected

    @pytest.mark.parametrize(
        ("from_date", "until_date", "expected"),
        [
            pytest.param(None, None, True, id="open"),
            pytest.param(TODAY, TODAY, True, id="today only"),
            pytest.param(TODAY - DAY, None, True, id="begun, open end"),
            pytest.param(None, TODAY, True, id="last day"),
            pytest.param(TODAY + DAY, None, False, id="not begun"),
            pytest.param(None, TODAY - DAY, False, id="over"),
        ],
    )
    def test_dates_of_a_traveller(self, from_date, until_date, expected):
        stay = Stay(is_resident=False, from_date=from_date, until_date=until_date)
        assert matches(AudienceRule(("LY",)), stay, TODAY) is expected

    def test_a_resident_is_always_there(self):
        stay = Stay(is_resident=True, from_date=TODAY + DAY, until_date=TODAY - DAY)
        assert matches(AudienceRule(("LY",)), stay, TODAY)

    @given(rules, latitudes, longitudes, st.integers(1, 9))
    def test_a_country_more_never_loses_anybody(self, rule, latitude, longitude, place_id):
        stay = Stay(latitude=latitude, longitude=longitude, place_id=place_id)
        if matches(rule, stay, TODAY):
            assert matches(replace(rule, countries=(*rule.countries, "DZ")), stay, TODAY)
            assert matches(replace(rule, circles=(), place_ids=()), stay, TODAY)


def test_a_rule_without_country_is_a_problem_even_with_circles():
    assert rule_problems(AudienceRule((), (BENGHAZI,))) == (AudienceProblem.NO_COUNTRY,)
    assert rule_problems(AudienceRule(("LY",))) == ()


class TestJson:
    def test_canonical_form(self):
        rule = AudienceRule(("TN", "LY", "TN"), (BENGHAZI, BENGHAZI), (9, 3, 9))
        assert rule_to_dict(rule) == {
            "countries": ["LY", "TN"],
            "circles": [{"label": "Benghazi", "latitude": 32.11667, "longitude": 20.06667, "radius_km": 50.0}],
            "place_ids": [3, 9],
        }

    @given(rules)
    def test_there_and_back(self, rule):
        assert rule_from_dict(json.loads(json.dumps(rule_to_dict(rule)))) == rule

    @given(rules)
    def test_order_and_repetition_do_not_matter(self, rule):
        shuffled = AudienceRule(rule.countries[::-1] * 2, rule.circles[::-1] * 2, rule.place_ids[::-1] * 2)
        assert json.dumps(rule_to_dict(shuffled)) == json.dumps(rule_to_dict(rule))

    def test_circles_and_places_may_be_left_out(self):
        assert rule_from_dict({"countries": ["LY"]}) == AudienceRule(("LY",))

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            pytest.param(None, "", id="null"),
            pytest.param([], "", id="list"),
            pytest.param({}, "countries", id="no countries"),
            pytest.param({"countries": "LY"}, "countries", id="text for a list"),
            pytest.param({"countries": ["LY", "ly"]}, "countries[1]", id="small letters"),
            pytest.param({"countries": ["LBY"]}, "countries[0]", id="three letters"),
            pytest.param({"countries": ["LY\n"]}, "countries[0]", id="line feed"),
            pytest.param({"countries": [None]}, "countries[0]", id="null country"),
            pytest.param({"countries": [], "everybody": True}, "", id="unknown key"),
            pytest.param({"countries": [], "place_ids": [True]}, "place_ids[0]", id="boolean place"),
            pytest.param({"countries": [], "place_ids": [1.0]}, "place_ids[0]", id="fractional place"),
            pytest.param({"countries": [], "place_ids": [0]}, "place_ids[0]", id="place zero"),
            pytest.param({"countries": [], "place_ids": [2**31]}, "place_ids[0]", id="place beyond the column"),
            pytest.param({"countries": [], "place_ids": list(range(1, 2002))}, "place_ids", id="too many places"),
            pytest.param({"countries": [], "circles": [{}]}, "circles[0].label", id="empty circle"),
        ],
    )
    def test_refuses_with_the_path(self, value, path):
        with pytest.raises(AudienceError) as refused:
            rule_from_dict(value)
        assert refused.value.path == path
        assert refused.value.message

    @pytest.mark.parametrize(
        ("part", "content"),
        [
            ("latitude", 90.1),
            ("latitude", float("nan")),
            ("latitude", "32"),
            ("longitude", -180.1),
            ("longitude", True),
            ("radius_km", 0),
            ("radius_km", -1),
            ("radius_km", float("inf")),
            ("radius_km", 10**400),
            ("radius_km", 5001),
            ("label", "x" * 101),
            ("label", "a\nb"),
            ("label", None),
        ],
    )
    def test_refuses_a_circle_that_cannot_be(self, part, content):
        circle = {"label": "x", "latitude": 1.0, "longitude": 1.0, "radius_km": 1.0} | {part: content}
        with pytest.raises(AudienceError) as refused:
            rule_from_dict({"countries": ["LY"], "circles": [circle]})
        assert refused.value.path == f"circles[0].{part}"


class TestDistance:
    @pytest.mark.parametrize(
        ("here", "there", "kilometres"),
        [
            pytest.param((32.8872, 13.1913), (32.1167, 20.0667), 650, id="Tripoli to Benghazi"),
            pytest.param((0, 0), (0, 180), 20015, id="half the equator"),
            pytest.param((90, 0), (-90, 77), 20015, id="pole to pole"),
            pytest.param((0, 179.5), (0, -179.5), 111, id="over the date line"),
            pytest.param((12.3, 45.6), (12.3, 45.6), 0, id="nowhere"),
        ],
    )
    def test_known_distances(self, here, there, kilometres):
        assert distance_km(*here, *there) == pytest.approx(kilometres, abs=1)

    @given(latitudes, longitudes, latitudes, longitudes)
    def test_is_symmetric_and_bounded(self, latitude, longitude, other_latitude, other_longitude):
        there = distance_km(latitude, longitude, other_latitude, other_longitude)
        assert there == pytest.approx(distance_km(other_latitude, other_longitude, latitude, longitude), abs=1e-6)
        assert 0 <= there <= 20015.2


class TestBoundingBox:
    @given(circles, st.floats(0, 360), st.floats(0, 1))
    def test_holds_every_point_of_the_circle(self, circle, bearing, fraction):
        latitude, longitude = travel(circle, bearing, fraction)
        if distance_km(circle.latitude, circle.longitude, latitude, longitude) <= circle.radius_km:
            assert any(b.south <= latitude <= b.north and b.west <= longitude <= b.east for b in bounding_box(circle))

    @given(circles)
    def test_stays_on_the_globe(self, circle):
        for box in bounding_box(circle):
            assert -90 <= box.south <= box.north <= 90
            assert -180 <= box.west <= box.east <= 180

    def test_is_tight_in_the_middle_of_the_map(self):
        (box,) = bounding_box(BENGHAZI)
        assert box.north - box.south == pytest.approx(0.899, abs=0.001)
        assert box.east - box.west == pytest.approx(1.062, abs=0.001)

    @pytest.mark.parametrize(
        ("circle", "count", "full_circle"),
        [
            pytest.param(BENGHAZI, 1, False, id="ordinary"),
            pytest.param(DATE_LINE, 2, False, id="over the date line to the east"),
            pytest.param(Circle("x", -16.8, -179.98, 40), 2, False, id="over the date line to the west"),
            pytest.param(Circle("x", 89.9, 10, 50), 1, True, id="over the north pole"),
            pytest.param(Circle("x", -90, 0, 1), 1, True, id="on the south pole"),
        ],
    )
    def test_special_places(self, circle, count, full_circle):
        boxes = bounding_box(circle)
        assert len(boxes) == count
        assert (boxes[0].west == -180 and boxes[0].east == 180) is full_circle


class TestDescribe:
    NAMES = {"LY": "Libya", "TN": "Tunisia", "EG": "Egypt"}

    @pytest.mark.parametrize(
        ("rule", "sentence"),
        [
            pytest.param(AudienceRule(()), "Nobody: no country is chosen.", id="nobody"),
            pytest.param(
                AudienceRule(("LY",)),
                "Everyone whose registered stay today is in Libya, anywhere in the country.",
                id="one country",
            ),
            pytest.param(
                AudienceRule(("LY", "TN", "EG")),
                "Everyone whose registered stay today is in Egypt, Libya or Tunisia, anywhere in these countries.",
                id="three countries",
            ),
            pytest.param(
                AudienceRule(("LY",), (BENGHAZI, Circle("", 1.5, 2, 0.5)), (KUFRA, 7)),
                "Everyone whose registered stay today is in Libya, but only within 0.5 km of 1.5, 2; "
                "or within 50 km of Benghazi; or in place 7 or Kufra.",
                id="circles and places",
            ),
        ],
    )
    def test_in_plain_english(self, rule, sentence):
        assert describe(rule, self.NAMES, {KUFRA: "Kufra"}) == sentence

    def test_unknown_names_stand_as_codes(self):
        assert "in XK," in describe(AudienceRule(("XK",)))


def travel(circle: Circle, bearing_degrees: float, fraction: float) -> tuple[float, float]:
    """The point reached from the circle's centre on a great circle, independent of the code under test."""
    latitude, longitude = radians(circle.latitude), radians(circle.longitude)
    bearing, angle = radians(bearing_degrees), circle.radius_km * fraction / 6371.0088
    reached = asin(max(-1, min(1, sin(latitude) * cos(angle) + cos(latitude) * sin(angle) * cos(bearing))))
    turned = atan2(sin(bearing) * sin(angle) * cos(latitude), cos(angle) - sin(latitude) * sin(reached))
    return degrees(reached), max(-180.0, min(180.0, (degrees(longitude + turned) + 540) % 360 - 180))
