"""The table of gateways by country: reading it, changing it without overwriting anybody, removing what was added."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from consular.clock import utc_now
from consular.domain.gateways import ACTUAL_GATEWAYS
from consular.permissions import Role
from consular.queries import capabilities
from tests.alert_world import browser, csrf, hidden, officer
from tests.factories import rows
from tests.services.test_canaries import capability
from tests.web.officer.conftest import text_of

PAGE, NEW = "/officer/gateways", "/officer/gateways/new"
LY = "/officer/gateways/twilio/LY"
FORM = {
    "gateway": "twilio",
    "country": "LY",
    "is_usable": "yes",
    "sender_kind": "alphanumeric",
    "sender_note": "Registered 2026",
    "is_two_way": "no",
    "allows_links": "yes",
    "receipts_believable": "no",
    "rate": "0,5",
    "cost_cents": "7.25",
    "currency": "eur",
    "source": "Contract 12",
    "as_of_day": "3",
    "as_of_month": "2",
    "as_of_year": "2026",
    "seen": "0",
}


@pytest.fixture
def pages(app, session):
    for gateway in ACTUAL_GATEWAYS:
        capability(gateway, "*", source="Public page", as_of=date(2026, 11, 21))
    officer(Role.ADMINISTRATOR)
    return browser(app, "administrator")


def post(pages, path: str, **form: str):
    return pages.post(path, data={**form, "csrf_token": csrf(pages, PAGE if path.endswith("remove") else path)})


def add(pages, **changes: str):
    return post(pages, NEW, **{**FORM, **changes})


def errors(answer) -> set[str]:
    assert answer.status_code == 422
    return set(re.findall(r'<li><a href="#(\w+)">', answer.text))


def test_what_came_with_the_release_says_so_with_source_and_date(pages):
    page = text_of(pages.get(PAGE).text)
    assert "Everywhere else, twilio" in page
    assert "as supplied Public page" in page
    assert "as of 21 Nov 2026" in page


def test_a_row_is_added_and_shown_with_who_and_when(pages, session):
    assert add(pages).status_code == 303
    row = capabilities.find(session, "twilio", "LY")
    assert (row.rate, float(row.cost_cents), row.currency, row.is_two_way) == (0.5, 7.25, "EUR", False)
    page = text_of(pages.get(f"{PAGE}?country=LY").text)
    assert "Libya, twilio" in page
    assert "7.25 ¢ EUR" in page
    assert re.search(
        r"changed here Administrator One, \d+ \w+ \d{4}, \d\d:\d\d UTC Contract 12, as of 3 Feb 2026", page
    )
    (act,) = rows(session, "select action, subject_id, detail from audit_entries where subject_type like '%capability'")
    assert (act.action, act.subject_id) == ("capability_added", "twilio:LY")
    assert act.detail["source"] == "Contract 12"


def test_a_form_comes_back_as_it_was_saved(pages):
    add(pages)
    page = pages.get(LY).text
    assert hidden(page, "seen") == "1"
    for name, value in (("rate", "0.5"), ("cost_cents", "7.25"), ("source", "Contract 12"), ("as_of_month", "2")):
        assert re.search(rf'name="{name}"[^>]*value="{value}"', page), name
    assert re.search(r'name="is_two_way" value="no" checked', page)


def test_everything_that_is_missing_is_told_at_its_field_and_nothing_is_saved(pages, session):
    answer = post(pages, NEW, seen="0")
    assert errors(answer) == {
        "gateway",
        "country",
        "is_usable",
        "sender_kind",
        "is_two_way",
        "allows_links",
        "receipts_believable",
        "source",
        "as_of",
    }
    assert 'id="is_usable-error"' in answer.text
    assert capabilities.find(session, "twilio", "LY") is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gateway": "exercise"}, "gateway"),
        ({"gateway": "pigeon"}, "gateway"),
        ({"country": "XX"}, "country"),
        ({"is_two_way": "yes"}, "is_two_way"),
        ({"is_usable": "perhaps"}, "is_usable"),
        ({"sender_kind": "face"}, "sender_kind"),
        ({"rate": "0"}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"rate": "nan"}, "rate"),
        ({"cost_cents": "-1"}, "cost_cents"),
        ({"cost_cents": "inf"}, "cost_cents"),
        ({"currency": ""}, "currency"),
        ({"currency": "€"}, "currency"),
        ({"source": "  "}, "source"),
        ({"source": "x" * 301}, "source"),
        ({"sender_note": "x" * 201}, "sender_note"),
        ({"as_of_month": "13"}, "as_of"),
        ({"as_of_year": "1875"}, "as_of"),
    ],
)
def test_wrong_values_are_told_at_their_field(pages, session, changes, field):
    answer = add(pages, **changes)
    assert errors(answer) == {field}
    assert "Contract 12" in answer.text or field == "source", "what was typed is kept"
    assert capabilities.find(session, "twilio", "LY") is None


def test_nobody_overwrites_what_they_have_not_seen(pages, session):
    add(pages)
    assert post(pages, LY, **{**FORM, "seen": "1", "source": "Mine"}).status_code == 303
    answer = post(pages, LY, **{**FORM, "seen": "1", "source": "Theirs"})
    assert answer.status_code == 409
    assert "Somebody else changed this row meanwhile" in answer.text
    assert 'value="Mine"' in answer.text
    assert hidden(answer.text, "seen") == "2"
    assert capabilities.find(session, "twilio", "LY").source == "Mine"


def test_a_row_that_is_there_is_not_added_again(pages):
    add(pages)
    answer = add(pages)
    assert answer.status_code == 409
    assert "There is a row for this gateway and country already" in answer.text


def test_the_row_named_by_the_address_is_changed_whatever_the_form_says(pages, session):
    add(pages)
    post(pages, LY, **{**FORM, "seen": "1", "country": "TN", "source": "New"})
    assert capabilities.find(session, "twilio", "LY").source == "New"
    assert capabilities.find(session, "twilio", "TN") is None


def test_an_own_row_is_removed_after_asking(pages, session):
    add(pages)
    question = pages.get(f"{LY}/remove").text
    assert "Remove twilio for Libya?" in question
    assert capabilities.find(session, "twilio", "LY") is not None, "asking removes nothing"
    assert post(pages, f"{LY}/remove", seen="7").status_code == 409
    assert post(pages, f"{LY}/remove", seen=hidden(question, "seen")).status_code == 303
    assert capabilities.find(session, "twilio", "LY") is None
    acts = [row.action for row in rows(session, "select action from audit_entries where subject_id = 'twilio:LY'")]
    assert acts == ["capability_added", "capability_removed"]


def test_what_came_with_the_release_cannot_be_removed(pages, session):
    path = "/officer/gateways/twilio/*"
    assert "Remove this row" not in pages.get(path).text
    answer = post(pages, f"{path}/remove", seen="1")
    assert answer.status_code == 409
    assert capabilities.find(session, "twilio", "*") is not None


def test_the_table_is_filtered(pages):
    add(pages)
    add(pages, gateway="smpp", country="TN")
    names = re.compile(r'<th scope="row"><a[^>]*>([^<]+)</a>')
    libyan = {"Libya, twilio", "Everywhere else, smpp", "Everywhere else, http"}
    assert set(names.findall(pages.get(f"{PAGE}?country=LY").text)) == libyan, "what holds there"
    assert "Tunisia, smpp" in names.findall(pages.get(f"{PAGE}?gateway=smpp").text)
    assert "No row of its own for Chad" in text_of(pages.get(f"{PAGE}?country=TD").text)


def proven(session, country: str, hours: int) -> None:
    at = utc_now() - timedelta(hours=hours, minutes=5)
    statement = "insert into path_proofs (gateway, country, accepted_at, delivered_at) values ('smpp', :c, :at, :at)"
    session.execute(text(statement), {"c": country, "at": at})
    session.commit()


def test_everywhere_else_tells_what_each_of_its_countries_proved(pages, session):
    for hours, country in enumerate(("LY", "TN", "TD", "CD", "SD"), start=2):
        proven(session, country, hours)
    page = pages.get(f"{PAGE}?gateway=smpp")
    told = text_of(page.text)
    assert "Libya: delivered 2 h 05 min ago Tunisia: delivered 3 h 05 min ago Chad: delivered 4 h 05 min ago" in told
    assert re.search(r"<details><summary>2 more</summary>Congo[^:<]*: delivered 5 h 05 min ago", page.text)
    assert "Tunisia: delivered" not in text_of(pages.get(f"{PAGE}?gateway=smpp&country=LY").text)
    assert "never" in text_of(pages.get(f"{PAGE}?gateway=http").text)


def test_rows_without_a_cost_are_counted_shown_and_led_to(pages):
    assert "3 of 3 usable rows have no cost" in text_of(pages.get(PAGE).text)
    add(pages)
    page = pages.get(PAGE).text
    assert "3 of 4 usable rows have no cost" in text_of(page)
    assert f'href="{PAGE}?cost=unknown"' in page
    unknown = pages.get(f"{PAGE}?cost=unknown").text
    assert "Libya, twilio" not in text_of(unknown)
    assert f'href="{PAGE}/smpp/*#cost_cents"' in unknown
    add(pages, country="CU", is_usable="no", cost_cents="", currency="")
    assert "3 of 4 usable rows" in text_of(pages.get(PAGE).text), "what carries no texts costs nothing"


def test_the_form_says_what_the_rate_of_a_country_does(pages):
    told = text_of(pages.get(NEW).text)
    assert "Only the preview of an alert counts with it" in told
    assert "Sending keeps the rate of the whole gateway" in told


def test_only_administrators_change_it(app, pages, session):
    add(pages)
    officer(Role.AUTHOR)
    author = browser(app, "author")
    page = author.get(PAGE)
    assert page.status_code == 200
    assert "Add a row" not in page.text
    assert LY not in page.text
    assert "#cost_cents" not in page.text
    assert "Show those rows" in page.text
    assert (author.get(LY).status_code, author.get(NEW).status_code) == (403, 403)


def test_a_row_that_is_not_there_is_not_found(pages):
    assert pages.get("/officer/gateways/twilio/ZZ").status_code == 404
    assert pages.get("/officer/gateways/pigeon/LY/remove").status_code == 404


def test_the_service_page_leads_here(pages):
    page = pages.get("/officer/operations").text
    assert f'href="{PAGE}"' in page
    assert 'href="/officer/test-texts"' in page


@pytest.mark.parametrize(
    "odd",
    [
        {"as_of_year": "9" * 20},
        {"cost_cents": "1E-999999"},
        {"cost_cents": "0.00001"},
        {"cost_cents": "sNaN"},
        {"rate": "1" * 5000},
        {"seen": "9" * 30},
        {"source": "\0"},
        {"gateway": "exercise"},
        {"country": "ly"},
    ],
    ids=lambda odd: f"{next(iter(odd))} {next(iter(odd.values()))[:9]!r}",
)
def test_what_nobody_should_type_is_refused_in_words(pages, odd):
    assert errors(add(pages, **odd)) or "seen" in odd


def test_signs_that_cannot_be_stored_are_left_out(pages, session):
    assert add(pages, source="Contract\0 12", sender_note="\u202eno\0te").status_code == 303
    row = capabilities.find(session, "twilio", "LY")
    assert (row.source, row.sender_note) == ("Contract 12", "note")


@pytest.mark.parametrize("path", ["twilio%00/LY", "twilio/%00", "twilio/%00/remove", "exercise/*", "twilio/XX"])
def test_an_address_of_no_row_is_not_found(pages, session, path):
    capability("exercise", "*")
    assert pages.get(f"{PAGE}/{path}").status_code == 404
