"""Form fields that people fill in by hand: text without traps, numbers in any script's digits, dates in three parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from babel import Locale
from flask_babel import lazy_gettext as _l
from marshmallow import ValidationError, fields

from consular.locales import LANGUAGES

_JOINERS = "\u200c\u200d"  # Hindi, Persian and emoji are misspelt without them
_KEPT_CONTROLS = "\n\t"
_UNREADABLE = "\ufffd"
_MOST_MARKS = 4
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """NFC without control characters, direction overrides and invisible signs; undecodable parts become U+FFFD."""
    kept = "".join(map(_kept, text.replace("\r\n", "\n").replace("\r", "\n")))
    return unicodedata.normalize("NFC", kept).strip()


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return _UNREADABLE
    if category in ("Cc", "Cf") and character not in _KEPT_CONTROLS and character not in _JOINERS:
        return ""
    return character


def digits_of(text: str) -> str | None:
    """The text's decimal digits as 0-9; None when it holds anything else than digits of some script."""
    values = [unicodedata.decimal(sign, None) for sign in text]
    return None if not values or None in values else "".join(str(value) for value in values)


class Text(fields.Field[str]):
    """Text of at most `longest` characters; is_long: on several lines. Empty gives "" or the required_message."""

    def __init__(self, longest: int, required_message: Any = None, is_long: bool = False, **options: Any) -> None:
        super().__init__(load_default="", **options)
        self.longest = longest
        self.required_message = required_message
        self.is_long = is_long

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = clean(str(value))
        if not self.is_long:
            text = _SPACES.sub(" ", text)
        if not text and self.required_message:
            raise ValidationError(self.required_message)
        if len(text) > self.longest:
            raise ValidationError(_l("This is too long: %(longest)s characters at most.", longest=self.longest))
        if _UNREADABLE in text or _has_pile_of_marks(text):
            raise ValidationError(_l("This contains signs that we cannot read. Write it again."))
        return text


class WholeNumber(fields.Field[int | None]):
    """A number within bounds, in the digits of any script. Empty gives None."""

    def __init__(self, least: int, most: int, message: Any, **options: Any) -> None:
        super().__init__(load_default=None, **options)
        self.least, self.most, self.message = least, most, message

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int | None:
        text = clean(str(value))
        if not text:
            return None
        digits = digits_of(text)
        if digits is None or len(digits) > 9 or not self.least <= int(digits) <= self.most:
            raise ValidationError(self.message)
        return int(digits)


class DateParts(fields.Field[date | None]):
    """A date from the form fields <name>_day, <name>_month and <name>_year. All three empty gives None.

    Months may be names or abbreviations in any of our languages. earliest, latest: in days from today.
    """

    def __init__(self, earliest: int, latest: int, **options: Any) -> None:
        super().__init__(load_default=None, **options)
        self.earliest, self.latest = earliest, latest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> date | None:
        day, month, year = (clean(str(part)) for part in value)
        if not (day or month or year):
            return None
        if not (day and month and year):
            raise ValidationError(_l("Give the day, the month and the year."))
        found = _date(day, month, year)
        if found is None:
            raise ValidationError(
                _l("There is no such date. Write the day, the month and the four digits of the year.")
            )
        distance = (found - self.root.today).days  # type: ignore[union-attr]
        if not self.earliest <= distance <= self.latest:
            raise ValidationError(
                _l("This date is too long ago. Check the year.")
                if distance < self.earliest
                else _l("This date is too far away. Check the year.")
            )
        return found


def _date(day: str, month: str, year: str) -> date | None:
    number = month_number(month)
    day_digits, year_digits = digits_of(day), digits_of(year)
    if number is None or day_digits is None or year_digits is None or len(year_digits) != 4 or len(day_digits) > 2:
        return None
    try:
        return date(int(year_digits), number, int(day_digits))
    except ValueError:
        return None


def month_number(text: str) -> int | None:
    """1 to 12 for a month written in digits or by name in one of our languages."""
    digits = digits_of(text)
    if digits is not None:
        return int(digits) if len(digits) <= 2 and 1 <= int(digits) <= 12 else None
    return _month_names().get(text.casefold().rstrip("."))


@cache
def _month_names() -> Mapping[str, int]:
    names: dict[str, int] = {}
    for language in LANGUAGES:
        months = Locale.parse(language).months
        for kind in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in months[kind][width].items():
                    names.setdefault(name.casefold().rstrip("."), number)
    return names


def _has_pile_of_marks(text: str) -> bool:
    """More combining marks on one letter than any script writes."""
    run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) == "Mn" else 0
        if run > _MOST_MARKS:
            return True
    return False
