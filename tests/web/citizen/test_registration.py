"""The registration form as a browser without scripts and cookies sees it."""

from __future__ import annotations

import gzip
import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session, scoped_session

from consular.locales import LANGUAGES
from consular.models.people import ContactPoint, Person, Registration, Stay

from .conftest import FILLED, Browser

FIRST_LOAD_LIMIT = 30_000
MANDATORY = ["full_name", "phone", "home_country", "country", "place", "stay", "language", "consent"]


def no_such_day(field: str) -> dict[str, str]:
    return {f"{field}_day": "31", f"{field}_month": "2", f"{field}_year": "2027"}


def people(session: scoped_session[Session]) -> int:
    return session.scalar(select(func.count()).select_from(Person)) or 0


def registrations(session: scoped_session[Session]) -> int:
    return session.scalar(select(func.count()).select_from(Registration)) or 0


def stay(session: scoped_session[Session]) -> Stay:
    return session.scalars(select(Stay)).one()


def test_registering_needs_one_form_and_no_cookie(browser: Browser, session: scoped_session[Session]) -> None:
    page = browser.send()
    assert page.status_code == 200
    assert "You are registered" in page.text
    assert '<bdi dir="ltr">+218 91-2345678</bdi>' in page.text
    assert re.search(r"reference: <b><bdi dir=\"ltr\">[0-9A-Z]{4}-[0-9A-Z]{4}<", page.text)
    assert "no guarantee of help or evacuation" in page.text
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert (people(session), stay(session).place_id) == (1, 1)


def test_no_address_holds_personal_data(browser: Browser) -> None:
    page = browser.send()
    assert not page.history
    assert not any(
        "Asha" in address or "2345678" in address for address in re.findall(r'(?:href|action)="([^"]*)"', page.text)
    )


def test_a_double_click_and_the_back_button_make_no_second_person(
    browser: Browser, session: scoped_session[Session]
) -> None:
    form = dict(browser.hidden)
    first = browser.send()
    browser.hidden = form
    second = browser.send()
    assert first.text == second.text
    assert (people(session), registrations(session)) == (1, 1)


def test_the_answer_does_not_tell_who_is_registered(client: FlaskClient, session: scoped_session[Session]) -> None:
    pages = []
    for _ in range(2):
        browser = Browser(client)
        browser.open()
        pages.append(re.sub(r'<bdi dir="ltr">[0-9A-Z]{4}-[0-9A-Z]{4}</bdi>|value="[^"]{60,}"', "", browser.send().text))
    assert pages[0] == pages[1]
    assert (people(session), registrations(session)) == (1, 2)


def test_changing_the_number_corrects_the_record(browser: Browser, session: scoped_session[Session]) -> None:
    browser.send()
    form = browser.send({}, change="yes")
    assert form.status_code == 200
    assert 'value="Asha Rao"' in form.text
    page = browser.send(phone="+218 91 234 5679")
    assert "+218 91-2345679" in page.text
    assert people(session) == 1
    assert session.scalar(select(func.count()).where(ContactPoint.unusable_since.is_(None))) == 1


def test_an_unusual_number_is_taken_with_a_warning(browser: Browser, session: scoped_session[Session]) -> None:
    page = browser.send(phone="+972 50-123-4567")
    assert "You are registered" in page.text
    assert people(session) == 1
    satellite = browser.send(phone="+8816 1234 5678", full_name="Second")
    assert "You are registered" in satellite.text


def test_premium_rate_is_refused(browser: Browser, session: scoped_session[Session]) -> None:
    page = browser.send(phone="+44 909 879 0000")
    assert page.status_code == 422
    assert people(session) == 0


def test_errors_are_on_top_with_links_and_answers_are_kept(browser: Browser) -> None:
    page = browser.send(phone="", consent="", full_name='<b>"Åsha"', email="nobody")
    text = page.text
    assert page.status_code == 422
    assert "<title>Error: Register your stay abroad" in text
    summary = re.search(r'<div class="summary" role="alert".*?</div>', text, re.DOTALL)
    assert summary is not None
    assert re.findall(r'href="#(\w+)"', summary[0]) == ["phone", "email", "consent"]
    for name in ("phone", "email", "consent"):
        assert f'id="{name}-error"' in text
        assert re.search(f'<(?:input|select)[^>]*id="{name}"[^>]*aria-describedby="[^"]*{name}-error', text)
    assert 'value="&lt;b&gt;&#34;Åsha&#34;"' in text
    assert '<option value="LY" selected>' in text
    assert re.search(r'name="stay" value="resident" checked', text)


def test_every_field_is_missed_in_every_language(browser: Browser) -> None:
    seen = set()
    for language in LANGUAGES:
        page = browser.send({}, to=f"/?lang={language}")
        errors = re.findall(r'class="error" id="(\w+)-error"><span class="hidden">.*?</span> (.*?)</p>', page.text)
        assert [name for name, _ in errors] == MANDATORY
        seen.add(errors[0][1])
    assert len(seen) == len(LANGUAGES)


def test_namesakes_are_asked_about_and_the_choice_is_kept(browser: Browser, session: scoped_session[Session]) -> None:
    asked = browser.send(place="az zawiyah")
    assert asked.status_code == 422
    assert people(session) == 0
    assert re.findall(r'name="place_choice" value="(\w+)"', asked.text) == ["2", "3", "as_written"]
    assert 'value="az zawiyah"' in asked.text
    browser.send(place="az zawiyah", place_choice="3")
    assert stay(session).place_id == 3


def test_an_unknown_place_is_kept_when_they_say_so(browser: Browser, session: scoped_session[Session]) -> None:
    asked = browser.send(place="Camp Zulu 9")
    assert asked.status_code == 422
    browser.send(place="Camp Zulu 9", place_choice="as_written")
    assert (stay(session).place_id, stay(session).place_name, stay(session).latitude) == (None, "Camp Zulu 9", None)


def test_a_choice_for_another_text_does_not_count(browser: Browser, session: scoped_session[Session]) -> None:
    browser.send(place="Camp Zulu 9")
    page = browser.send(place="az zawiyah", place_choice="as_written")
    assert page.status_code == 422
    assert people(session) == 0


@pytest.mark.parametrize("choice", ["1", "99999999999999999999", "-1", "x' or 1=1", "２"])
def test_a_forged_choice_is_asked_again(browser: Browser, choice: str) -> None:
    browser.send(place="az zawiyah", country="LY")
    browser.hidden["place_asked"] = "LY az zawiyah" if choice != "1" else "TN az zawiyah"
    assert browser.send(place="az zawiyah", place_choice=choice).status_code == 422


def test_changing_the_language_keeps_page_and_answers(browser: Browser, session: scoped_session[Session]) -> None:
    browser.open("/?lang=en")
    page = browser.send(to="/?lang=ar", switch="ar", language="en", phone="not checked yet")
    assert page.status_code == 200
    assert '<html lang="ar" dir="rtl">' in page.text
    assert 'value="Asha Rao"' in page.text
    assert 'value="not checked yet"' in page.text
    assert '<option value="ar" selected>' in page.text
    assert people(session) == 0


def test_the_confirmation_can_be_read_in_another_language(browser: Browser, session: scoped_session[Session]) -> None:
    browser.send()
    page = browser.send({}, to="/?lang=fr", again="fr")
    assert "Vous êtes inscrit" in page.text
    assert registrations(session) == 1


@pytest.mark.parametrize(
    ("wanted", "language", "direction"),
    [
        ("ar-LY,ar;q=0.9,en;q=0.5", "ar", "rtl"),
        ("fr-CA", "fr", "ltr"),
        ("hi", "hi", "ltr"),
        ("de", "en", "ltr"),
        ("", "en", "ltr"),
    ],
)
def test_the_browsers_language_is_the_first_guess(
    client: FlaskClient, wanted: str, language: str, direction: str
) -> None:
    page = client.get("/", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}" dir="{direction}">' in page.text


def test_enter_in_a_field_sends_the_form_and_not_the_language(browser: Browser) -> None:
    """Browsers press a form's first button on Enter: it must not be one of the switcher's."""
    text = browser.open().text
    buttons = re.findall(r'<button[^>]*(?:form="registration"[^>]*)?>', text)
    assert "name=" not in buttons[0]


def test_a_form_key_that_is_too_old_keeps_the_answers(browser: Browser, session: scoped_session[Session]) -> None:
    browser.hidden["form_key"] = "forged.or.old"
    page = browser.send()
    assert page.status_code == 422
    assert 'value="Asha Rao"' in page.text
    assert browser.send().status_code == 200
    assert people(session) == 1


def test_the_empty_form_may_be_kept_for_the_back_button(browser: Browser) -> None:
    assert "no-store" not in browser.open().headers["Cache-Control"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_load_is_small(client: FlaskClient, language: str) -> None:
    page = client.get(f"/?lang={language}", headers={"Accept-Encoding": "gzip"})
    text = gzip.decompress(page.data).decode()
    total = len(page.data)
    for address in re.findall(r'<(?:link|script|img)[^>]*(?:href|src)="(/[^"]*)"', text):
        total += len(client.get(unescape(address), headers={"Accept-Encoding": "gzip"}).data)
    assert total < FIRST_LOAD_LIMIT / 2
    assert "<script" not in text


def test_a_form_shown_again_is_small_too(browser: Browser, client: FlaskClient) -> None:
    plain = client.post("/?lang=hi", data=browser.hidden)
    packed = client.post("/?lang=hi", data=browser.hidden, headers={"Accept-Encoding": "gzip, br"})
    assert packed.status_code == 422
    assert len(packed.data) < len(plain.data) / 4
    assert gzip.decompress(packed.data).decode().count("<option") == plain.text.count("<option")


def test_odd_requests(client: FlaskClient, browser: Browser) -> None:
    big = client.post("/", data={"full_name": "x" * 10_000_000})
    assert big.status_code == 413
    assert "Too much was sent" in big.text
    assert client.post("/", data=b"\xff\xfe%00", content_type="application/json").status_code == 422
    assert client.post("/", data=b"--", content_type="multipart/form-data; boundary=x").status_code == 422
    assert client.post("/", data="full_name=%00%ED%A0%80&full_name=2&full_name=3&" + "a=1&" * 50_000).status_code in (
        413,
        422,
    )
    duplicate = client.post(
        "/", data={**browser.hidden, **FILLED, "full_name": ["Asha Rao", "Other"], "role": "administrator"}
    )
    assert duplicate.status_code == 200
    assert "Other" not in duplicate.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*FILLED, "place_choice", "place_asked", "form_key", "switch"]), st.binary(max_size=40)
    )
)
def test_no_bytes_make_it_fail(browser: Browser, changes: dict[str, bytes]) -> None:
    assert browser.send({**FILLED, **changes}).status_code in (200, 422)


def test_going_back_to_register_the_next_person_makes_a_second_record(browser: Browser) -> None:
    form = dict(browser.hidden)
    references = []
    for changes in ({}, {"full_name": "Vikram Menon", "phone": "+218 91 234 5679"}, {}):
        browser.hidden = form
        references.append(re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", browser.send(**changes).text))
    first, second, again = (found and found[0] for found in references)
    assert again == first
    assert second not in (first, None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_next_person_can_be_registered_from_the_confirmation(browser: Browser, language: str) -> None:
    form_key = browser.hidden["form_key"]
    page = browser.send(to=f"/?lang={language}")
    assert f'<a href="/register?lang={language}">' in page.text or f'<a href="/?lang={language}">' in page.text
    browser.open(f"/register?lang={language}")
    assert browser.hidden["form_key"] != form_key


@pytest.mark.parametrize(
    ("field", "label", "changes"),
    [
        ("full_name", "Full name", {"full_name": "x" * 201}),
        ("address", "Address, workplace or camp", {"address": "x" * 501}),
        ("place", "Town or place", {"place": "a" + "\u0301" * 9}),
        ("from_date", "From which day?", no_such_day("from_date")),
        (
            "until_date",
            "Until which day?",
            {"until_date_day": "31", "until_date_month": "2", "until_date_year": "2027"},
        ),
    ],
)
def test_a_sentence_that_fits_several_fields_names_its_own(
    browser: Browser, field: str, label: str, changes: dict[str, str]
) -> None:
    page = browser.send(stay="traveller", **changes)
    assert page.status_code == 422
    summary = re.search(rf'<a href="#{field}">([^<]*)</a>', page.text)
    assert summary is not None
    assert summary[1].startswith(f"{label} – ")
