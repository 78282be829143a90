"""Registering as people do it: in Arabic on a small phone, with the keyboard alone, without JavaScript, in a hurry."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, direction, scrolls_sideways
from tests.journeys.practice import Mission, phone

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE_SCREEN = {"width": 360, "height": 740}
REFERENCE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}")


def people(site: Mission) -> int:
    """How many persons are on record."""
    return int(site.rows("select count(*) from people")[0][0])


def fill_in(page: Page, number: int, **changes: str) -> None:
    """Everything but the button. Labels are not used: the form may be in any language."""
    page.locator("#full_name").fill(changes.get("full_name", f"Maya Testwoman {number}"))
    page.locator("#phone").fill(changes.get("phone", phone(number)))
    page.locator("#home_country").select_option("IN")
    page.locator("#country").select_option("LY")
    page.locator("#place").fill(changes.get("place", "Benghazi"))
    page.locator("#stay").check()
    page.locator("#people_with_me").fill("2")
    page.locator("#consent").check()


def test_arabic_on_a_small_phone(visit: Visit, site: Mission) -> None:
    before = people(site)
    page = visit("/", locale="ar", **PHONE_SCREEN)
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_role("heading", level=1)).to_have_text("سجّل إقامتك في الخارج")
    assert not scrolls_sideways(page)
    assert direction(page, "#phone") == "ltr"

    fill_in(page, 101, full_name="", place="الزاوية", phone="٠٠٢١٨ ٩٦ ٠٠٠ ٠١٠١")
    page.get_by_role("button", name="سجّل").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("هناك مشكلة")
    expect(page).to_have_title(re.compile("^خطأ"))
    assert not scrolls_sideways(page)
    summary.get_by_role("link", name="اكتب اسمك الكامل.").click()
    expect(page.locator("#full_name")).to_be_focused()
    expect(page.locator("#phone")).to_have_value("٠٠٢١٨ ٩٦ ٠٠٠ ٠١٠١")
    expect(page.locator("#country")).to_have_value("LY")
    expect(page.locator("#consent")).to_be_checked()

    page.locator("#full_name").fill("مايا اختبار")
    page.locator("#email").fill("a.very.long.name.without.a.break@department.example.org")
    choices = page.locator("[name=place_choice]")
    expect(choices).to_have_count(3)
    choices.first.check()
    page.get_by_role("button", name="سجّل").click()
    expect(page.locator("main")).to_contain_text("تم تسجيلك")
    expect(page.locator("main")).to_contain_text(REFERENCE)
    shown = page.locator(".phone bdi")
    expect(shown).to_have_text("+218 96-0000101")
    assert direction(page, ".phone bdi") == "ltr"
    expect(page.locator(".facts")).to_contain_text("Az Zāwīyah")
    assert not scrolls_sideways(page)
    assert people(site) == before + 1


def test_keyboard_alone(visit: Visit, site: Mission) -> None:
    before = people(site)
    page = visit("/?lang=en")
    keyboard = page.keyboard

    def go_to(selector: str) -> None:
        for _ in range(40):
            if page.locator(selector).evaluate("element => element === document.activeElement"):
                return
            keyboard.press("Tab")
        raise AssertionError(f"{selector} is not reached with the Tab key")

    go_to(".skip")
    expect(page.locator(".skip")).to_be_in_viewport()
    keyboard.press("Enter")
    for selector, text in (
        ("#full_name", "Maya Keyboard"),
        ("#phone", phone(102)),
        ("#home_country", "India"),
        ("#country", "Libya"),
        ("#place", "Tripoli"),
    ):
        go_to(selector)
        keyboard.type(text)
    go_to("#stay")
    keyboard.press("Space")
    go_to("#people_with_me")
    keyboard.type("0")
    go_to("#consent")
    keyboard.press("Space")
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("You are registered")
    expect(page.locator(".facts")).to_contain_text("Tripoli")
    assert people(site) == before + 1


def test_without_javascript(visit: Visit, site: Mission) -> None:
    before = people(site)
    page = visit("/?lang=fr", java_script_enabled=False, **PHONE_SCREEN)
    page.locator("main form .button").click()
    expect(page.get_by_role("alert")).to_contain_text("Il y a un problème")
    fill_in(page, 103)
    page.locator("main form .button").click()
    expect(page.locator("main")).to_contain_text(REFERENCE)
    page.get_by_role("button", name="English").click()
    expect(page.locator("main")).to_contain_text("You are registered")
    assert people(site) == before + 1


def test_a_double_click_and_the_back_button_make_one_person(visit: Visit, site: Mission) -> None:
    before = people(site)
    page = visit("/?lang=en")
    fill_in(page, 104)
    page.get_by_role("button", name="Register", exact=True).dblclick()
    expect(page.locator("main")).to_contain_text("You are registered")
    first = page.locator(".banner bdi").inner_text()
    page.go_back()
    fill_in(page, 104)
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.locator(".banner bdi")).to_have_text(first)
    assert people(site) == before + 1


def test_a_traveller_is_asked_for_dates_and_a_resident_is_not(visit: Visit) -> None:
    page = visit("/?lang=en")
    dates = page.locator(".when-traveller")
    page.get_by_label("I live there").check()
    expect(dates).to_be_hidden()
    page.get_by_label("I am travelling").check()
    expect(dates).to_be_visible()
