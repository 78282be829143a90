"""A real Chromium in front of a real practice world. Skipped where there is no Chromium, unless it is required."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from consular.embedded import EmbeddedServers
from tests.journeys.practice import PASSWORD, Mission, mission

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-sync", "--disable-dev-shm-usage", *QUIET]
PATIENCE_MS = 15_000
MISSING = "needs Chromium (Debian, Ubuntu: apt install chromium); CONSULAR_REQUIRE_BROWSER=1 makes this a failure"
PERSONAL = re.compile(r"96\D?0000\d{3}|Canary|Maya|مايا")

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; starts nothing else when there is none."""
    if CHROMIUM is None:
        if os.environ.get("CONSULAR_REQUIRE_BROWSER") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(chromium: Browser, servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mission]:
    """The site with its workers; the gateway hands over two texts a second, so that there is time to stop one."""
    with mission(servers, "browser", tmp_path_factory.mktemp("site"), rate=2.0, speed=60.0) as running:
        yield running


@pytest.fixture
def requested(site: Mission) -> list[str]:
    """Every address that pages of this test asked for."""
    return []


@pytest.fixture
def visit(chromium: Browser, site: Mission, requested: list[str]) -> Iterator[Visit]:
    """Opens pages: visit("/", locale="ar", viewport=...), each in a browser of its own.

    Afterwards: nothing was asked of another host, no address held a name or a phone, and no page raised a script error
    or broke its own policy.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(request: Request) -> None:
        requested.append(request.url)

    def open_page(path: str, *, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = chromium.new_context(base_url=site.url, viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", note)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if _is_policy(message.text) else None)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert {urlsplit(url).netloc for url in requested} <= {urlsplit(site.url).netloc}
    assert not [url for url in requested if PERSONAL.search(unquote_plus(url))]
    assert complaints == []


@pytest.fixture
def officer(visit: Visit) -> Visit:
    """Opens a page as one of the officers, signed in through the form."""

    def open_page(name: str, path: str = "/officer/", **options: Any) -> Page:
        page = visit("/officer/sign-in", **options)
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/officer/")
        page.goto(path)
        return page

    return open_page


def _is_policy(text: str) -> bool:
    return "Content Security Policy" in text


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def direction(page: Page, selector: str) -> str:
    """ "ltr" or "rtl", as the browser lays out that element."""
    return str(page.locator(selector).first.evaluate("element => getComputedStyle(element).direction"))
