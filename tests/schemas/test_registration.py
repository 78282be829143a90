"""The registration form field by field: what is taken, what is refused, and which field says so."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from consular.schemas.registration import RegistrationForm, RegistrationSchema
from consular.web.forms import first_messages

TODAY = date(2026, 11, 21)
GOOD = {
    "full_name": "Asha Rao",
    "phone": "+218 91 234 5678",
    "home_country": "IN",
    "country": "LY",
    "place": "Benghazi",
    "stay": "resident",
    "language": "hi",
    "people_with_me": "2",
    "consent": "yes",
}
TRAVELLER = {"stay": "traveller", "until_date_day": "27", "until_date_month": "3", "until_date_year": "2027"}


def load(**changes: Any) -> RegistrationForm:
    return RegistrationSchema(today=TODAY).load(GOOD | changes)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _in_a_request(application: Flask) -> Any:
    """Messages are translated when they are shown, which needs a request."""
    with application.test_request_context("/"):
        yield


def test_a_good_form() -> None:
    form = load(email="Asha@Example.org", address="Camp 4\nGate 2")
    assert (form.full_name, form.phone.e164, form.email) == ("Asha Rao", "+218912345678", "Asha@Example.org")
    assert (form.home_country, form.country, form.language, form.people_count) == ("IN", "LY", "hi", 3)
    assert (form.is_resident, form.from_date, form.until_date) == (True, None, None)
    assert form.address == "Camp 4\nGate 2"


def test_unknown_fields_are_left_out() -> None:
    assert not hasattr(load(role="administrator", is_valid="1"), "role")


def test_a_residents_dates_are_not_looked_at() -> None:
    assert load(until_date_day="99", until_date_month="x").until_date is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"full_name": " \u200b "}, "full_name", id="empty name"),
        pytest.param({"full_name": "x" * 201}, "full_name", id="long name"),
        pytest.param({"full_name": "Z" + "\u0301" * 50}, "full_name", id="pile of marks"),
        pytest.param({"full_name": "a\ud800"}, "full_name", id="lone surrogate"),
        pytest.param({"phone": ""}, "phone", id="no phone"),
        pytest.param({"phone": "call me"}, "phone", id="phone in words"),
        pytest.param({"phone": "+44 909 123 4567"}, "phone", id="premium rate"),
        pytest.param({"phone": "112"}, "phone", id="emergency number"),
        pytest.param({"email": "a@b"}, "email", id="e-mail without a domain"),
        pytest.param({"email": "a@b.org\nBcc: x@y.org"}, "email", id="e-mail with a second header"),
        pytest.param({"home_country": "XX"}, "home_country", id="no such home country"),
        pytest.param({"country": "EU"}, "country", id="a union is no country"),
        pytest.param({"place": ""}, "place", id="no place"),
        pytest.param({"stay": "camping"}, "stay", id="unknown stay"),
        pytest.param({"language": "de"}, "language", id="unknown language"),
        pytest.param({"people_with_me": "-1"}, "people_with_me", id="negative people"),
        pytest.param({"people_with_me": "500"}, "people_with_me", id="too many people"),
        pytest.param({"people_with_me": "9" * 5000}, "people_with_me", id="very many digits"),
        pytest.param({"people_with_me": "two"}, "people_with_me", id="people in words"),
        pytest.param({"consent": ""}, "consent", id="no consent"),
        pytest.param({"address": "x" * 501}, "address", id="long address"),
        pytest.param({"stay": "traveller"}, "until_date", id="traveller without an end"),
        pytest.param(TRAVELLER | {"until_date_month": "2", "until_date_day": "30"}, "until_date", id="30 February"),
        pytest.param(TRAVELLER | {"until_date_year": ""}, "until_date", id="no year"),
        pytest.param(TRAVELLER | {"until_date_year": "27"}, "until_date", id="year of two digits"),
        pytest.param(TRAVELLER | {"until_date_year": "9999"}, "until_date", id="far future"),
        pytest.param(TRAVELLER | {"until_date_year": "99999999"}, "until_date", id="year beyond any calendar"),
        pytest.param(TRAVELLER | {"until_date_year": "0001"}, "until_date", id="far past"),
        pytest.param(TRAVELLER | {"until_date_year": "2026"}, "until_date", id="already over"),
        pytest.param(
            TRAVELLER | {"from_date_day": "28", "from_date_month": "3", "from_date_year": "2027"},
            "until_date",
            id="leaves before arriving",
        ),
        pytest.param(
            TRAVELLER | {"from_date_day": "1", "from_date_month": "1", "from_date_year": "1900"},
            "from_date",
            id="arrived in 1900",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        load(**changes)
    messages = first_messages(refused.value)
    assert list(messages) == [field]
    assert str(messages[field]).endswith(".")


@pytest.mark.parametrize(
    ("phone", "e164"),
    [
        pytest.param("٠٩١٢٣٤٥٦٧٨", "+218912345678", id="Arabic digits, national"),
        pytest.param("00 91 98765 43210", "+919876543210", id="00 and home country"),
        pytest.param("+88216 6110 0123", "+8821661100123", id="Thuraya"),
    ],
)
def test_phones(phone: str, e164: str) -> None:
    assert load(phone=phone).phone.e164 == e164


def test_dates_in_other_digits_and_names() -> None:
    form = load(**TRAVELLER | {"until_date_day": "٢٧", "until_date_month": "मार्च", "until_date_year": "２０２７"})
    assert form.until_date == date(2027, 3, 27)


FIELDS = [*GOOD, "email", "address", "place_choice", "place_asked", *TRAVELLER]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(st.characters(), max_size=40)))
def test_no_input_raises_anything_but_a_refusal(changes: dict[str, str]) -> None:
    try:
        form = load(**changes)
    except ValidationError as refused:
        assert all(len(str(message)) > 10 for message in first_messages(refused).values())
    else:
        assert form.full_name
        assert 1 <= form.people_count <= 500
