"""Everything a citizen can read exists in French, Arabic and Hindi, with the same values filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from consular.locales import LANGUAGES
from consular.web.languages import TRANSLATIONS, compile_stale

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS = {"_": None, "_l": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}
TRANSLATED = [language for language in LANGUAGES if language != "en"]
PLACEHOLDER = re.compile(r"%\((\w+)\)s|%(?!\()")


def extracted() -> set[str | tuple[str, ...]]:
    """Every string marked for translation in citizens' pages."""
    with (ROOT / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)
    rows = extract_from_dir(ROOT, methods, options, keywords=KEYWORDS)
    return {message if isinstance(message, str) else tuple(message[:2]) for _, _, message, _, _ in rows}


def catalogue(language: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as lines:
        return read_po(lines, locale=language)


def messages(language: str) -> Iterator[Message]:
    return (message for message in catalogue(language) if message.id)


def test_something_is_extracted() -> None:
    assert {"Are you safe?", "There is a problem", ("%(num)s person", "%(num)s people")} <= extracted()


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_missing_left_over_or_doubtful(language: str) -> None:
    wanted = extracted()
    found = {
        message.id if isinstance(message.id, str) else tuple(message.id): message for message in messages(language)
    }
    assert wanted - found.keys() == set()
    assert found.keys() - wanted == set()
    assert [key for key, message in found.items() if message.fuzzy] == []
    assert [key for key, message in found.items() if not all(_strings(message))] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_was_left_in_english(language: str) -> None:
    assert [message.id for message in messages(language) if message.string == message.id] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_same_values_are_filled_in(language: str) -> None:
    for message in messages(language):
        wanted = set(PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[1]))
        for string in _strings(message):
            given = set(PLACEHOLDER.findall(string))
            assert given == wanted or (isinstance(message.id, tuple) and given < wanted), message.id


@pytest.mark.parametrize(("language", "forms"), [("fr", 2), ("ar", 6), ("hi", 2)])
def test_every_plural_form_is_there(language: str, forms: int) -> None:
    plurals = [message for message in messages(language) if isinstance(message.id, tuple)]
    assert plurals
    assert all(len(_strings(message)) == forms for message in plurals)


@pytest.mark.parametrize("language", TRANSLATED)
def test_catalogues_compile(language: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    assert len(read_mo(compiled)) > 100


def test_a_stale_catalogue_is_compiled_at_start(tmp_path: Path) -> None:
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source, target = folder / "messages.po", folder / "messages.mo"
    source.write_bytes((TRANSLATIONS / "fr" / "LC_MESSAGES" / "messages.po").read_bytes())
    compile_stale(tmp_path)
    first = target.read_bytes()
    target.write_bytes(b"old")

    os.utime(target, (1, 1))
    compile_stale(tmp_path)
    assert target.read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["messages.mo", "messages.po"]


def test_numbers_to_type_are_not_turned_round_in_arabic() -> None:
    """Groups of digits between Arabic words would be shown in the wrong order without an isolate around them."""
    for message in messages("ar"):
        for string in _strings(message):
            if "+218" in string:
                assert "\u2066+218 91 234 5678\u2069" in string


def _strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
