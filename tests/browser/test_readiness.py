"""Readiness and the gateways' table on a small phone and by the keyboard alone, without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, scrolls_sideways
from tests.journeys.practice import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE_SCREEN = {"width": 360, "height": 740}


def test_readiness_on_a_small_phone_by_keyboard(officer: Visit) -> None:
    page = officer("chen", "/officer/readiness", **PHONE_SCREEN, java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Readiness")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    country = page.get_by_label("One country")
    country.focus()
    country.select_option("LY")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Show")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Readiness: Libya")
    expect(page.get_by_role("region", name="Countries with people")).to_have_count(0)
    headings = page.locator("h2").all_inner_texts()
    assert headings[-2:] == ["By the country of their number", "Public posts"]


@pytest.mark.parametrize("path", ["readiness", "readiness?country=LY", "test-texts", "gateways", "operations"])
def test_no_page_is_wider_than_a_small_phone(officer: Visit, path: str) -> None:
    page = officer("amina", f"/officer/{path}", **PHONE_SCREEN)
    assert not scrolls_sideways(page)


def test_a_row_of_the_gateways_table_is_added_by_keyboard(visit: Visit) -> None:
    page = visit("/officer/sign-in?next=/officer/gateways/new", **PHONE_SCREEN)
    page.get_by_label("User name").fill("dora")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    assert not scrolls_sideways(page)
    summary.get_by_role("link", name=re.compile("Say whether replies come back")).press("Enter")
    expect(page.locator("#is_two_way")).to_be_focused()
    page.get_by_label("Gateway", exact=True).select_option("smpp")
    page.get_by_label("Country of the number").select_option("LY")
    for group, choice in (
        ("May texts go by it?", "Yes"),
        ("What do people see as the sender?", "A number"),
        ("Do replies come back?", "Yes"),
        ("Do texts with links pass?", "Yes"),
        ("Can its receipts be believed?", "No"),
    ):
        page.get_by_role("group", name=group).get_by_role("radio", name=re.compile(f"^{choice}")).check()
    page.get_by_label("Who says so?").fill("Contract 7")
    for part, value in (("Day", "3"), ("Month", "2"), ("Year", "2026")):
        page.get_by_label(part, exact=True).fill(value)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Done")).to_contain_text("smpp in Libya is saved")
    expect(page.get_by_role("rowheader", name="Libya, smpp")).to_be_visible()
