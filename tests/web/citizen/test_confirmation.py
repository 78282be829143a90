"""The page after registering writes in the reader's own punctuation."""

from __future__ import annotations

import re

import pytest

from consular.locales import LANGUAGES, country_name
from tests.web.citizen.conftest import Browser


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_comma_between_place_and_country_is_the_languages_own(browser: Browser, language: str) -> None:
    page = browser.send(to=f"/?lang={language}").text
    comma = {"ar": "\u060c "}.get(language, ", ")
    assert re.search(rf"<bdi>Benghazi</bdi>{comma}{country_name('LY', language)}<", page)
