"""The languages we speak with citizens, and the names of countries in them (Unicode CLDR through Babel)."""

import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from babel import Locale

LANGUAGES = ("en", "fr", "ar", "hi")
LANGUAGE_NAMES: Mapping[str, str] = MappingProxyType(
    {"en": "English", "fr": "Français", "ar": "العربية", "hi": "हिन्दी"}
)
# In CLDR but no country: groupings, pseudo-locales, and codes ISO 3166-1 only reserves (Ascension, Ceuta, Canaries...).
_NOT_COUNTRIES = frozenset("AC CP CQ DG EA EU EZ IC QO TA UN XA XB ZZ".split())  # noqa: SIM905
_CODE_LENGTH = 2


def is_rtl(language: str) -> bool:
    """Whether the language is written from right to left."""
    return _locale(language).text_direction == "rtl"


def direction(language: str) -> str:
    """ "rtl" or "ltr", for the dir attribute."""
    return "rtl" if is_rtl(language) else "ltr"


@cache
def country_names(language: str) -> Mapping[str, str]:
    """ISO 3166-1 alpha-2 code (and XK) to name in the language, in the order of the names. 250 entries, read only."""
    names = {
        code: name
        for code, name in _locale(language).territories.items()
        if len(code) == _CODE_LENGTH and code.isalpha() and code not in _NOT_COUNTRIES
    }
    return MappingProxyType(dict(sorted(names.items(), key=lambda item: _sort_key(item[1]))))


def country_name(code: str, language: str) -> str:
    """The country's name in the language; KeyError when there is no such country."""
    return country_names(language)[code]


def _sort_key(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))


@cache
def _locale(language: str) -> Locale:
    if language not in LANGUAGES:
        raise ValueError("not one of our languages")
    return Locale.parse(language)
