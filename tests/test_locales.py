"""Languages and names of countries."""

import pytest

from consular.locales import LANGUAGE_NAMES, LANGUAGES, country_name, country_names, direction, is_rtl


def test_each_language_has_its_own_name():
    assert tuple(LANGUAGE_NAMES) == LANGUAGES
    assert LANGUAGE_NAMES["ar"] == "العربية"


@pytest.mark.parametrize(("language", "expected"), [("en", "ltr"), ("fr", "ltr"), ("ar", "rtl"), ("hi", "ltr")])
def test_direction(language, expected):
    assert direction(language) == expected
    assert is_rtl(language) == (expected == "rtl")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_countries_are_those_of_iso_3166_and_kosovo(language):
    names = country_names(language)
    assert len(names) == 250
    assert {"LY", "IN", "XK", "TW", "PS", "VA", "GG"} <= set(names)
    assert not {"EU", "UN", "ZZ", "XA", "IC", "AC"} & set(names)
    assert all(names.values())


@pytest.mark.parametrize(("language", "name"), [("en", "Libya"), ("fr", "Libye"), ("ar", "ليبيا"), ("hi", "लीबिया")])
def test_names_are_in_the_language(language, name):
    assert country_name("LY", language) == name


def test_names_are_sorted_without_regard_to_accents():
    names = list(country_names("fr").values())
    assert names.index("Égypte") < names.index("Espagne") < names.index("Zimbabwe")


def test_the_cached_names_cannot_be_changed():
    with pytest.raises(TypeError):
        country_names("en")["LY"] = "x"


@pytest.mark.parametrize("language", ["de", "../en", ""])
def test_another_language_is_an_error(language):
    with pytest.raises(ValueError, match="language"):
        is_rtl(language)
    with pytest.raises(ValueError, match="language"):
        country_names(language)
