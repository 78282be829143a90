"""The registration form: what was typed in, RegistrationForm out, or a sentence per field in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _l
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, pre_load, validate, validates_schema

from consular.domain.phone import PhoneProblem, PhoneReading, PhoneRefused, read_phone
from consular.locales import LANGUAGES, country_names
from consular.schemas.texts import DateParts, Text, WholeNumber, clean

CONSENT_VERSION = "2026-11"
RESIDENT, TRAVELLER = "resident", "traveller"
MOST_WITH_ME = 499
_A_YEAR = 366
_EMAIL = re.compile(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[^\s@<>,;:\"\\()\[\]]+\.[^\s@<>,;:\"\\()\[\].]{2,}")

_PHONE_MESSAGES = {
    PhoneProblem.EMPTY: _l("Write your mobile number. Without it we cannot warn you."),
    PhoneProblem.NOT_A_NUMBER: _l("Write the number with digits only, for example +218 91 234 5678."),
    PhoneProblem.TOO_SHORT: _l(
        "This number is too short. Write it with the country code, for example +218 91 234 5678."
    ),
    PhoneProblem.TOO_LONG: _l("This number is too long. Write one number only."),
    PhoneProblem.IMPOSSIBLE: _l("This number has the wrong length. Check it digit by digit."),
    PhoneProblem.UNKNOWN_COUNTRY_CODE: _l("No country has this country code. Check the digits after the +."),
    PhoneProblem.NO_COUNTRY: _l("Write the number with + and the country code, for example +218 91 234 5678."),
    PhoneProblem.PREMIUM_RATE: _l("We cannot send texts to numbers that cost extra. Write an ordinary mobile number."),
    PhoneProblem.SHORT_CODE: _l("This is a short code. Write your full mobile number."),
    PhoneProblem.EMERGENCY: _l("This is an emergency number. Write your own mobile number."),
}


@dataclass(frozen=True, slots=True)
class RegistrationForm:
    """The form's values, each checked by itself. place is as typed; place_choice: a GeoNames id, "as_written" or ""."""

    full_name: str
    phone: PhoneReading
    email: str | None
    home_country: str
    country: str
    place: str
    place_choice: str
    place_asked: str
    address: str | None
    is_resident: bool
    from_date: date | None
    until_date: date | None
    language: str
    people_count: int


class _Country(fields.Field[str]):
    """An ISO 3166-1 code from the list."""

    def __init__(self, message: Any) -> None:
        super().__init__(required=True, error_messages={"required": message, "null": message})
        self.message = message

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if value not in country_names(LANGUAGES[0]):
            raise ValidationError(self.message)
        return str(value)


class _Phone(fields.Field[PhoneReading]):
    """Read with the country of stay first, then the home country."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> PhoneReading:
        named = (str((data or {}).get(name)) for name in ("country", "home_country"))
        known = country_names(LANGUAGES[0])
        try:
            return read_phone(str(value), [code for code in named if code in known])
        except PhoneRefused as refused:
            raise ValidationError(_PHONE_MESSAGES[refused.problem]) from None


class _Email(Text):
    """An address that mail can be sent to, as far as its form tells."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> str:
        address = super()._deserialize(value, attr, data, **options)
        if address and (not _EMAIL.fullmatch(address) or ".." in address):
            raise ValidationError(_l("Write the e-mail address like name@example.com, or leave it empty."))
        return address


def _choose(message: Any, *values: str) -> fields.String:
    errors = {"required": message, "null": message, "invalid": message}
    return fields.String(required=True, error_messages=errors, validate=validate.OneOf(values, error=message))


class RegistrationSchema(Schema):
    """Form values in. Fields nobody asked for are left out. `today`: dates are judged against it."""

    class Meta:
        unknown = EXCLUDE

    full_name = Text(200, required_message=_l("Write your full name."))
    phone = _Phone(required=True, error_messages={"required": _PHONE_MESSAGES[PhoneProblem.EMPTY]})
    email = _Email(254)
    home_country = _Country(_l("Choose your home country."))
    country = _Country(_l("Choose the country you are staying in."))
    place = Text(200, required_message=_l("Write the town or place where you are staying."))
    place_choice = Text(16)
    place_asked = Text(200)
    address = Text(500, is_long=True)
    stay = _choose(_l("Choose whether you live there or are travelling."), RESIDENT, TRAVELLER)
    from_date = DateParts(earliest=-10 * _A_YEAR, latest=2 * _A_YEAR)
    until_date = DateParts(earliest=-1, latest=5 * _A_YEAR)
    language = _choose(_l("Choose the language for our messages."), *LANGUAGES)
    people_with_me = WholeNumber(0, MOST_WITH_ME, _l("Write a number from 0 to 499."))
    consent = _choose(_l("Tick the box, so that we may keep and use your data to reach you."), "yes")

    def __init__(self, today: date) -> None:
        super().__init__()
        self.today = today

    @pre_load
    def _gather(self, data: Mapping[str, str], **_: Any) -> dict[str, Any]:
        """Every field is there, dates are one value, and a resident's dates are not looked at."""
        gathered: dict[str, Any] = {name: data.get(name, "") for name in self.fields}
        if clean(gathered["stay"]) == TRAVELLER:
            for name in ("from", "until"):
                gathered[f"{name}_date"] = tuple(
                    data.get(f"{name}_date_{part}", "") for part in ("day", "month", "year")
                )
        else:
            gathered["from_date"] = gathered["until_date"] = ("", "", "")
        return gathered

    @validates_schema(skip_on_field_errors=False)
    def _check_dates(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("stay") != TRAVELLER or "until_date" not in data:
            return
        until, start = data["until_date"], data.get("from_date")
        if until is None:
            raise ValidationError(
                _l("Give the day you will leave. If you do not know it, give your best guess."), "until_date"
            )
        if start is not None and until < start:
            raise ValidationError(_l("The day you leave is before the day you arrive."), "until_date")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RegistrationForm:
        del data["consent"]
        is_resident = data.pop("stay") == RESIDENT
        people_count = (data.pop("people_with_me") or 0) + 1
        data["email"] = data["email"] or None
        data["address"] = data["address"] or None
        return RegistrationForm(**data, is_resident=is_resident, people_count=people_count)
