"""Opening a crisis through its form: every error names the field and the cure, and no input is a failure of ours."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from consular.models.places import Place, PlaceName
from consular.permissions import Role
from consular.queries import alerts as queries
from consular.services.places import fold
from tests.alert_world import browser, csrf, officer

FORM = {"title": "Libya", "status": "Exercise", "countries": ["LY", ""], "places": "", "centres": [""], "radii": [""]}


@pytest.fixture
def client(app, session):
    places = [
        (11, "Tripoli", "LY", 32.88743, 13.18733, 1_150_989),
        (12, "Zawiya", "LY", 32.7571, 12.7278, 200_000),
        (13, "Zawiya", "LY", 30.0, 20.0, 190_000),
    ]
    keys = ("id", "name", "country", "latitude", "longitude", "population")
    session.execute(
        insert(Place), [{**dict(zip(keys, row, strict=True)), "timezone": "Africa/Tripoli"} for row in places]
    )
    names = [{"place_id": row[0], "key": fold(row[1]), "country": "LY"} for row in places]
    session.execute(insert(PlaceName), names)
    session.commit()
    officer(Role.AUTHOR)
    return browser(app, "author")


def post(client, **changes):
    form = {**FORM, **changes, "csrf_token": csrf(client, "/officer/crises/new")}
    return client.post("/officer/crises/new", data=form)


def test_a_crisis_is_opened_and_shown_as_what_it_is(client, session) -> None:
    answer = post(client, places="Tripoli", centres=["Tripoli"], radii=["30 km"])
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"]).text
    assert '<body class="exercise' in page
    assert "EXERCISE" in page
    assert "within 30 km of Tripoli; or in Tripoli" in page
    (crisis,) = queries.list_crises(session)
    assert crisis.audience["place_ids"] == [11]
    assert crisis.audience["circles"][0] | {"label": ""} == {
        "label": "",
        "latitude": 32.88743,
        "longitude": 13.18733,
        "radius_km": 30.0,
    }


def test_a_real_crisis_looks_different(client) -> None:
    answer = post(client, status="Actual", confirmation="This is real")
    page = client.get(answer.headers["Location"]).text
    assert '<body class="actual' in page
    assert "stripes" not in page


@pytest.mark.parametrize(
    ("changes", "field", "cure"),
    [
        ({"title": ""}, "title", "3 to 200 characters"),
        ({"title": "x" * 5000}, "title", "3 to 200 characters"),
        ({"status": ""}, "status", "Choose Exercise or Actual"),
        ({"status": "Draft"}, "status", "Choose Exercise or Actual"),
        ({"status": "Actual"}, "confirmation", "Type THIS IS REAL"),
        ({"countries": [""]}, "countries-1", "at least one country"),
        ({"countries": []}, "countries-1", "at least one country"),
        ({"countries": ["QQ"]}, "countries-1", "from the list"),
        ({"countries": ["LY", "'; drop table people"]}, "countries-1", "from the list"),
        ({"places": "Nowhereville"}, "places", "not in the gazetteer"),
        ({"places": "Zawiya"}, "places", "Zawiya #12"),
        ({"places": "Tripoli #99"}, "places", "not a place in the chosen countries"),
        ({"places": "Tripoli #99999999999"}, "places", "not a place"),
        ({"places": "Tripoli\n" * 300}, "places", "at most 200 places"),
        ({"centres": ["Tripoli"], "radii": [""]}, "radii-1", "radius around “Tripoli”"),
        ({"centres": ["Tripoli"], "radii": ["-5"]}, "radii-1", "kilometres"),
        ({"centres": ["Tripoli"], "radii": ["nan"]}, "radii-1", "kilometres"),
        ({"centres": ["Tripoli"], "radii": ["0"]}, "radii-1", "from 0.001"),
        ({"centres": ["Tripoli"], "radii": ["99999"]}, "radii-1", "to 5000"),
        ({"centres": [""], "radii": ["50"]}, "centres-1", "Name the place"),
        ({"centres": ["95, 13"], "radii": ["5"]}, "centres-1", "from -90 to 90"),
        ({"centres": ["<script>alert(1)</script>"], "radii": ["5"]}, "centres-1", "not in the gazetteer"),
    ],
)
def test_errors_name_the_field_and_the_cure_and_keep_the_answers(client, changes, field, cure) -> None:
    answer = post(client, **changes)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert f'id="{field}"' in answer.text
    assert cure in answer.text
    assert "<title>Error: " in answer.text
    assert "<script>alert" not in answer.text
    if "title" not in changes:
        assert 'value="Libya"' in answer.text


@pytest.mark.parametrize("field", ["title", "status", "places", "centres", "radii", "countries", "confirmation"])
def test_no_input_is_a_failure_of_ours(client, field) -> None:
    others = {"centres": {"radii": ["5"]}, "radii": {"centres": ["Tripoli"]}}.get(field, {})
    for text in ("\0", "\ud800", "\u202eabc", "{{ 7777*7 }}", "a" * 100_000, "\r\n\r\n", "²", "١٢", "%", "\x85\u2028"):
        for value in (text, f"Camp{text} (1.5, 2)"):
            sent = value.encode("utf-8", "surrogatepass")
            repeats = field in ("centres", "radii", "countries")
            answer = post(client, **{**others, field: [sent] if repeats else sent})
            assert answer.status_code in (303, 400, 413, 422), value[:20]
            assert "54439" not in answer.text


def test_coordinates_and_places_come_back_in_the_form_of_an_alert(client) -> None:
    answer = post(client, places="Zawiya #12", centres=["Camp (31.5, -1.25)"], radii=["12,5"])
    page = client.get(answer.headers["Location"] + "/alerts/new").text
    assert "Zawiya #12" in page
    assert "Camp (31.5, -1.25)" in page
    assert 'value="12.5"' in page


def test_only_an_approver_closes(app, client) -> None:
    location = post(client).headers["Location"]
    token = csrf(client, "/officer/")
    assert client.post(location + "/close", data={"csrf_token": token}).status_code == 403
    officer(Role.APPROVER)
    approver = browser(app, "approver")
    assert approver.post(location + "/close", data={"csrf_token": csrf(approver, "/officer/")}).status_code == 303
    page = approver.get(location).text
    assert "Write an alert" not in page
    assert "closed" in page
