"""From the alert to the board as two officers see it: write, release, hear, and stop."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit, scrolls_sideways
from tests.journeys import board
from tests.journeys.practice import Mission, open_crisis, phone, register, release, write_alert
from tests.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAFE, IN_NEED, LINKED, CROWD = phone(201), phone(202), phone(203), range(300, 320)
LEAVING = {"queued", "claimed", "sending", "unknown"}
LINK = re.compile(r"https?://\S+/s/\w+")
ON_SCREEN_MS = 5_000


def number(page: Page, part: str) -> Locator:
    """A number on the board."""
    return page.locator(f"#part-{part} b")


def states(site: Mission, alert_path: str) -> set[str]:
    """The states that messages of an alert are in."""
    alert_id = alert_path.rpartition("/")[2]
    query = "select distinct m.state from messages m join alert_events e on e.id = m.event_id where e.alert_id = %s"
    return {state for (state,) in site.rows(query, alert_id)}


@pytest.fixture(scope="module")
def registered(site: Mission) -> None:
    """Two people in Egypt and a crowd in Tunisia."""
    register(site, "Ravi Canary", SAFE, "EG", "Cairo", people_with_me="3")
    register(site, "Leela Canary", IN_NEED, "EG", "Alexandria", language="ar")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: register(site, f"Person {one}", phone(one), "TN", "Tunis"), CROWD))


def expect_exercise(page: Page) -> None:
    """The page says in words, colour and title that this is an exercise."""
    expect(page.get_by_role("region", name="EXERCISE")).to_be_visible()
    expect(page.locator("body")).to_have_class(re.compile(r"\bexercise\b"))
    expect(page).to_have_title(re.compile("EXERCISE"))


def write_and_submit(page: Page) -> None:
    """Open a crisis, write an alert in two languages, submit it."""
    page.get_by_role("link", name="Open a crisis").click()
    page.get_by_label("Title").fill("Cairo unrest")
    page.get_by_label(re.compile("^Exercise")).check()
    page.get_by_label("Country", exact=True).select_option("EG")
    page.get_by_role("button", name="Open the crisis").click()
    expect_exercise(page)
    page.get_by_role("link", name="Write an alert").click()
    expect_exercise(page)
    page.get_by_label("What happened").fill("Fighting in Cairo")
    page.get_by_label("Headline in English").fill("Stay indoors")
    page.get_by_label("Text message in English").fill("Stay indoors and away from windows.")
    page.get_by_text("العربية", exact=True).click()
    page.locator("#headline_ar").fill("ابقوا في بيوتكم")
    page.locator("#text_ar").fill("ابقوا في بيوتكم بعيداً عن النوافذ.")
    for name, value in (
        ("category", "Security"),
        ("response_type", "Shelter"),
        ("urgency", "Immediate"),
        ("severity", "Severe"),
        ("certainty", "Observed"),
    ):
        page.locator(f"#{name}").select_option(value)
    page.get_by_label("Life safety").check()
    page.get_by_role("button", name="Save and see the preview").click()
    expect_exercise(page)
    expect(page.locator(".tiles")).to_contain_text("2texts, one to each phone")
    expect(page.locator(".tiles")).to_contain_text("5 with those they named")
    page.get_by_role("button", name="Submit for approval").click()
    expect(page.locator("main")).to_contain_text("It waits for an approver.")


def test_from_the_alert_to_the_board(officer: Visit, site: Mission, registered: None) -> None:
    author = officer("amina")
    write_and_submit(author)
    expect(author.get_by_role("button", name=re.compile("^Release"))).to_have_count(0)
    expect(author.locator("main")).to_contain_text("somebody else must decide")

    approver = officer("boris")
    approver.get_by_role("link", name="Fighting in Cairo").click()
    expect_exercise(approver)
    approver.get_by_role("button", name="Release the exercise to 2 people").click()
    expect(approver.get_by_role("region", name="Handed over")).to_be_visible()
    expect(approver.locator("#progress")).to_contain_text("2 of 2 texts are handed over")
    assert LINK.search(site.wait_for_text(SAFE))
    site.wait_for_text(IN_NEED)
    assert site.texts_to(IN_NEED)[0].startswith("تمرين")

    screen = officer("chen", width=360)
    screen.get_by_role("link", name="Board of Cairo unrest").click()
    expect_exercise(screen)
    assert not scrolls_sideways(screen)
    for part, count in (("people", "2"), ("safe", "0"), ("needs_help", "0")):
        expect(number(screen, part)).to_have_text(count)
    screen.evaluate("window.neverReloaded = true")

    site.says(SAFE, "1")
    expect(number(screen, "safe")).to_have_text("1", timeout=ON_SCREEN_MS)
    said_at = time.monotonic()
    site.says(IN_NEED, "نحتاج مساعدة")
    expect(number(screen, "needs_help")).to_have_text("1", timeout=ON_SCREEN_MS)
    assert time.monotonic() - said_at < ON_SCREEN_MS / 1000
    assert screen.evaluate("window.neverReloaded") is True

    waiting = screen.locator(".queue-list li")
    expect(waiting).to_have_count(1)
    expect(waiting).to_contain_text("Needs help")
    expect(waiting).to_contain_text("Alexandria")
    timer = waiting.locator("time")
    shown = timer.inner_text()
    assert re.fullmatch(r"\d+:\d\d", shown)
    expect(timer).not_to_have_text(shown, timeout=3_000)
    waiting.get_by_role("link").click()
    expect_exercise(screen)
    expect(screen.locator(".said")).to_have_text("نحتاج مساعدة")
    expect(screen.get_by_role("button", name="Close the request")).to_have_count(0)


def test_the_link_in_the_text_is_an_answer(visit: Visit, site: Mission) -> None:
    register(site, "Noor Canary", LINKED, "MA", "Rabat")
    author = site.officer("amina")
    crisis = open_crisis(author, "Rabat flood", "MA")
    release(site.officer("boris"), write_alert(author, crisis, "Flood", "MA"))
    found = LINK.search(site.wait_for_text(LINKED))
    assert found
    page = visit(found[0].removeprefix(site.url), locale="en", width=360, java_script_enabled=False)
    expect_exercise(page)
    assert "Canary" not in page.content()
    page.get_by_label("How many people are you").fill("4")
    page.get_by_role("button", name="I need help").click()
    expect(page.locator("main")).to_contain_text("We have received your answer")
    board.wait_for(author, crisis, {"people": 1, "reached": 1, "needs_help": 1})


def test_every_page_of_an_exercise_says_so(officer: Visit, site: Mission, registered: None) -> None:
    author = site.officer("amina")
    crisis = open_crisis(author, "Cairo storm", "EG")
    alert = write_alert(author, crisis, "Storm", "EG")
    page = officer("amina", width=360)
    people = f"{crisis}/people/in/no_phone"
    for path in (crisis, f"{crisis}/alerts/new", f"{crisis}/board", f"{crisis}/requests", people, alert):
        page.goto(path)
        expect_exercise(page)
        assert not scrolls_sideways(page), path


def test_one_click_stops_a_running_send(officer: Visit, site: Mission, registered: None) -> None:
    writer = site.officer("amina")
    crisis = open_crisis(writer, "Tunis", "TN")
    alert = write_alert(writer, crisis, "Wrong text", "TN")
    release(site.officer("boris"), alert)

    page = officer("amina", alert)
    expect(page.locator(".stop")).to_contain_text(f"of {len(CROWD)} texts have not left")
    page.get_by_role("button", name="STOP sending").click()
    expect(page.get_by_role("alert", name="Stopped")).to_contain_text("Stopped by Amina")
    expect(page.locator(".tiles")).to_contain_text("Stopped, not sent")
    assert eventually(lambda: not states(site, alert) & LEAVING, seconds=5)
    assert 0 < sum(len(site.texts_to(phone(one))) for one in CROWD) < len(CROWD)
