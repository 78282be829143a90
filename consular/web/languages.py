"""Which language a page speaks: ?lang= first, then what the browser asks for. Officers' pages are English."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import flask_babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, request

from consular.locales import LANGUAGE_NAMES, LANGUAGES, direction

TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"
_ENGLISH_ONLY = ("/officer", "/webhooks")
_KEY = "consular.language"


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """One entry of the language switcher. url: this page in that language."""

    code: str
    name: str
    direction: str
    url: str
    is_current: bool


def register(app: Flask) -> None:
    """Choose the language before anything else happens in a request and tell the templates."""
    compile_stale(TRANSLATIONS)
    flask_babel.Babel(app, default_translation_directories=str(TRANSLATIONS), locale_selector=current_language)
    app.url_value_preprocessor(lambda endpoint, values: use(_requested_language()))
    app.context_processor(_page_variables)


def current_language() -> str:
    """The language of this request's page, one of LANGUAGES."""
    return str(request.environ.get(_KEY, LANGUAGES[0]))


def is_language_chosen() -> bool:
    """Whether the reader picked the language of this page by its switcher, rather than by the browser's settings."""
    return request.args.get("lang") in LANGUAGES


def use(language: str) -> None:
    """Speak `language` (one of LANGUAGES) for the rest of this request."""
    request.environ[_KEY] = language
    flask_babel.refresh()


def compile_stale(folder: Path) -> None:
    """Write each catalogue's .mo when it is missing or older than its .po; several processes may do so at once."""
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        fresh = target.with_name(f"{target.name}.{id(source):x}")
        with source.open("rb") as lines, fresh.open("wb") as compiled:
            write_mo(compiled, read_po(lines))
        fresh.replace(target)


def _requested_language() -> str:
    if request.path.startswith(_ENGLISH_ONLY):
        return LANGUAGES[0]
    if is_language_chosen():
        return request.args["lang"]
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _page_variables() -> dict[str, Any]:
    language = current_language()
    return {
        "page_language": language,
        "page_direction": direction(language),
        "language_choices": [] if request.path.startswith(_ENGLISH_ONLY) else _choices(language),
    }


def _choices(current: str) -> list[LanguageChoice]:
    return [
        LanguageChoice(
            code=code,
            name=LANGUAGE_NAMES[code],
            direction=direction(code),
            url=f"{request.path}?{urlencode({**request.args, 'lang': code})}",
            is_current=code == current,
        )
        for code in LANGUAGES
    ]
