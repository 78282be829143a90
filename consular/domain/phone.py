"""Read a phone number as people write it: possible numbers are taken, doubtful ones with a warning."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType, ValidationResult, shortnumberinfo
from phonenumbers.phonenumber import PhoneNumber

from consular.domain.phone_spellings import match_variants, modern_spelling

__all__ = [
    "PhoneKind",
    "PhoneProblem",
    "PhoneReading",
    "PhoneRefused",
    "PhoneWarning",
    "match_variants",
    "read_phone",
    "region_of",
]

# Without it the metadata of many countries pushes itself out of re's own cache: 430 µs a number instead of 35.
phonenumbers.enable_pattern_cache()


class PhoneProblem(StrEnum):
    """Why a text is not taken as a phone number."""

    EMPTY = "empty"
    NOT_A_NUMBER = "not_a_number"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    IMPOSSIBLE = "impossible"
    UNKNOWN_COUNTRY_CODE = "unknown_country_code"
    NO_COUNTRY = "no_country"
    PREMIUM_RATE = "premium_rate"
    SHORT_CODE = "short_code"
    EMERGENCY = "emergency"


class PhoneWarning(StrEnum):
    """What the person should look at again although the number is taken; the first that applies, in this order."""

    EXTENSION_DROPPED = "extension_dropped"
    NOT_VALID = "not_valid"
    COUNTRY_ASSUMED = "country_assumed"
    FIXED_LINE = "fixed_line"


class PhoneKind(StrEnum):
    """What answers at a number, as far as the numbering plan tells."""

    MOBILE = "mobile"
    FIXED_LINE = "fixed_line"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    VOIP = "voip"
    SATELLITE = "satellite"
    OTHER = "other"
    UNKNOWN = "unknown"


class PhoneRefused(ValueError):
    """The text cannot be taken as a phone number; `problem` says why. The text itself is not kept."""

    def __init__(self, problem: PhoneProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """A number that can be texted.

    e164: "+" and at most 15 digits. region: ISO 3166-1 alpha-2 (XK for Kosovo) or "001" for a number of no country.
    national, international: for showing back. is_valid: known to the numbering plan, which lags behind reality.
    """

    e164: str
    region: str
    national: str
    international: str
    is_valid: bool
    kind: PhoneKind
    warning: PhoneWarning | None = None


_LONGEST_INPUT = 120
_LONGEST_E164 = 16
_LONGEST_SHORT_CODE = 6
_EMERGENCY_ANYWHERE = frozenset({"112", "911", "999", "000"})
_SATELLITE_CODES = ("+870", "+881", "+88213", "+88216")

_PLUSES = dict.fromkeys(map(ord, "＋﹢⁺₊"), "+")
_SEPARATORS = " ().-/~\u00b7"
_EXTENSION = re.compile(r"[\s,;(]*(?:ext(?:ension|n)?|poste|x|#|تحويلة|داخلي|एक्सटेंशन)[\s.:=]*\d{1,7}\)?$", re.IGNORECASE)
_LABEL = re.compile(r"^[^\d+(]*[\s:.](?=[\d+(])")
_BODY = re.compile(rf"\(?\+?[\d{re.escape(_SEPARATORS)}]*")
_TRAILING_PLUS = re.compile(r"^([\d\s-]+)\+$")

_KINDS = {
    PhoneNumberType.MOBILE: PhoneKind.MOBILE,
    PhoneNumberType.FIXED_LINE: PhoneKind.FIXED_LINE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneKind.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.VOIP: PhoneKind.VOIP,
    PhoneNumberType.UNKNOWN: PhoneKind.UNKNOWN,
}
_COSTLY = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})
_LENGTH_PROBLEMS = {
    ValidationResult.TOO_SHORT: PhoneProblem.TOO_SHORT,
    ValidationResult.TOO_LONG: PhoneProblem.TOO_LONG,
    ValidationResult.INVALID_COUNTRY_CODE: PhoneProblem.UNKNOWN_COUNTRY_CODE,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: PhoneProblem.TOO_SHORT,
    ValidationResult.INVALID_LENGTH: PhoneProblem.IMPOSSIBLE,
}
_PARSE_PROBLEMS = {
    NumberParseException.INVALID_COUNTRY_CODE: PhoneProblem.UNKNOWN_COUNTRY_CODE,
    NumberParseException.TOO_SHORT_AFTER_IDD: PhoneProblem.TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: PhoneProblem.TOO_SHORT,
    NumberParseException.TOO_LONG: PhoneProblem.TOO_LONG,
}


def read_phone(raw: str, countries: Sequence[str]) -> PhoneReading:
    """Read one number, trying each country (ISO 3166-1 alpha-2) in turn: country of stay first, then home.

    Any script's digits, + or 00, "(0)", labels, tel: URIs and invisible characters are understood. A number is taken
    when its length is possible; one the numbering plan does not know is taken with a warning, since plans lag.
    Raises PhoneRefused.
    """
    text, has_extension = _tidy(raw)
    is_international, digits = _digits(text)
    if is_international:
        return _reading(_parse_international(digits), has_extension, is_assumed=False)
    if len(digits) <= _LONGEST_SHORT_CODE and _is_emergency(digits, countries):
        raise PhoneRefused(PhoneProblem.EMERGENCY)
    number, is_assumed = _parse_national(digits, countries)
    return _reading(number, has_extension, is_assumed)


def region_of(raw: str) -> str | None:
    """The region (PhoneReading.region) of a number that brings its country code; None when it cannot be read."""
    try:
        return read_phone(raw, ()).region
    except PhoneRefused:
        return None


def _tidy(raw: str) -> tuple[str, bool]:
    """The text with plain digits and separators and without label and extension, and whether one was cut off."""
    if len(raw) > _LONGEST_INPUT:
        raise PhoneRefused(PhoneProblem.TOO_LONG)
    text = "".join(map(_plain, raw)).translate(_PLUSES).strip()
    if not text:
        raise PhoneRefused(PhoneProblem.EMPTY)
    if text[:4].casefold() == "tel:":
        text = _read_uri(text[4:])
    shortened = _EXTENSION.sub("", text)
    shortened = _TRAILING_PLUS.sub(r"+\1", _LABEL.sub("", shortened)).strip()
    return shortened, bool(_EXTENSION.search(text))


def _plain(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in ("Zs", "Zl", "Zp") or character in "\t\r\n":
        return " "
    if category == "Pd" or character == "\u2212":
        return "-"
    if category in ("Cf", "Cc", "Cs"):
        return ""
    return unicodedata.normalize("NFKC", character) if "\uff00" <= character <= "\uffef" else character


def _read_uri(uri: str) -> str:
    """RFC 3966: the number, put behind a global phone-context, with its extension kept for the caller to see."""
    number, *parameters = uri.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.casefold() == "phone-context" and value.startswith("+") and not number.startswith("+"):
            number = value + number
        elif name.casefold() == "ext":
            number += ";ext=" + value
    return number


def _digits(text: str) -> tuple[bool, str]:
    """Whether the number is international, and its digits without + or 00."""
    if not _BODY.fullmatch(text):
        raise PhoneRefused(PhoneProblem.NOT_A_NUMBER)
    digits = re.sub(r"\D", "", text)
    if not digits:
        raise PhoneRefused(PhoneProblem.NOT_A_NUMBER)
    has_plus = "+" in text
    if digits.startswith("00") and (has_plus or len(digits) > _LONGEST_SHORT_CODE):
        return True, digits[2:]
    return has_plus, digits


def _is_emergency(digits: str, countries: Sequence[str]) -> bool:
    if digits in _EMERGENCY_ANYWHERE:
        return True
    return any(shortnumberinfo.is_emergency_number(digits, country) for country in countries)


def _parse_international(digits: str) -> PhoneNumber:
    number = _parse(digits, None)
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        number = _parse(modern_spelling("+" + digits)[1:], None)
    return number


def _parse_national(digits: str, countries: Sequence[str]) -> tuple[PhoneNumber, bool]:
    """The likeliest reading and whether another was as likely: valid before possible, free before costly."""
    readings, problems = _national_readings(digits, countries)
    without_plus = _valid_without_plus(digits)
    valid = [number for number in readings if phonenumbers.is_valid_number(number)]
    cheap = [number for number in valid if phonenumbers.number_type(number) not in _COSTLY]
    for number in chain(cheap, without_plus, valid, readings):
        is_assumed = bool(without_plus) and number == without_plus[0]
        return number, is_assumed or any(other != number for other in cheap)
    if len(digits) <= _LONGEST_SHORT_CODE:
        raise PhoneRefused(PhoneProblem.SHORT_CODE)
    raise PhoneRefused(problems[0] if problems else PhoneProblem.NO_COUNTRY)


def _national_readings(digits: str, countries: Sequence[str]) -> tuple[list[PhoneNumber], list[PhoneProblem]]:
    readings, problems = [], []
    for country in countries:
        if country not in phonenumbers.SUPPORTED_REGIONS:
            continue
        try:
            number = _parse(digits, country)
            _check_length(number)
        except PhoneRefused as refused:
            problems.append(refused.problem)
        else:
            readings.append(number)
    return readings, problems


def _valid_without_plus(digits: str) -> list[PhoneNumber]:
    """The number read as if its + had been left out, when that is a valid one."""
    if digits.startswith("0"):
        return []
    try:
        number = _parse(digits, None)
    except PhoneRefused:
        return []
    return [number] if phonenumbers.is_valid_number(number) else []


def _parse(digits: str, country: str | None) -> PhoneNumber:
    try:
        return phonenumbers.parse(digits if country else "+" + digits, country)
    except NumberParseException as error:
        raise PhoneRefused(_PARSE_PROBLEMS.get(error.error_type, PhoneProblem.NOT_A_NUMBER)) from None


def _check_length(number: PhoneNumber) -> None:
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != ValidationResult.IS_POSSIBLE:
        raise PhoneRefused(_LENGTH_PROBLEMS.get(reason, PhoneProblem.IMPOSSIBLE))


def _reading(number: PhoneNumber, has_extension: bool, is_assumed: bool) -> PhoneReading:
    _check_length(number)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(e164) > _LONGEST_E164:
        raise PhoneRefused(PhoneProblem.TOO_LONG)
    number_type = phonenumbers.number_type(number)
    if number_type in _COSTLY:
        raise PhoneRefused(PhoneProblem.PREMIUM_RATE)
    kind = PhoneKind.SATELLITE if e164.startswith(_SATELLITE_CODES) else _KINDS.get(number_type, PhoneKind.OTHER)
    is_valid = phonenumbers.is_valid_number(number)
    return PhoneReading(
        e164=e164,
        region=_region(number),
        national=phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        international=phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        is_valid=is_valid,
        kind=kind,
        warning=next(_warnings(has_extension, is_valid, is_assumed, kind), None),
    )


def _region(number: PhoneNumber) -> str:
    known: str | None = phonenumbers.region_code_for_number(number)
    return known or str(phonenumbers.region_code_for_country_code(number.country_code or 0))


def _warnings(has_extension: bool, is_valid: bool, is_assumed: bool, kind: PhoneKind) -> Iterator[PhoneWarning]:
    if has_extension:
        yield PhoneWarning.EXTENSION_DROPPED
    if not is_valid:
        yield PhoneWarning.NOT_VALID
    if is_assumed:
        yield PhoneWarning.COUNTRY_ASSUMED
    if kind is PhoneKind.FIXED_LINE:
        yield PhoneWarning.FIXED_LINE
