"""One subscriber, several spellings: numbering plans that changed while networks and apps still use the old form."""

import re
from collections.abc import Callable

# Argentina, Plan Fundamental de Numeración Nacional: "11" has two digits, these three, every other area code four.
_ARGENTINA_AREA = re.compile(
    "11|22[013]|23[067]|249|26[01346]|280|29[14789]|336|34[12358]|35[138]|36[24]|37[069]|38[013578]|[23][0-9]{3}"
)
_ARGENTINA_LOCAL = re.compile("9?([123][0-9]{9})")
_BENIN = re.compile("(?:01)?([4569][0-9]{7})")
_BRAZIL = re.compile("([0-9]{2})9?([6-9][0-9]{7})")
_IVORY_COAST = re.compile("(?:0[157])?([04-9][0-9]{7})")
_MEXICO = re.compile("1?([0-9]{10})")
# Ivory Coast, 31 January 2021: the new prefix names the operator, which the second digit of the old number tells.
_IVORY_COAST_OPERATORS = {**dict.fromkeys("0123", "01"), **dict.fromkeys("456", "05"), **dict.fromkeys("789", "07")}


def match_variants(e164: str) -> tuple[str, ...]:
    """Every spelling under which a text of the same subscriber may arrive, the given one first.

    Mexico (1 after +52), Argentina (9 before, or 15 after the area code), Brazil (ninth digit), Ivory Coast and Benin
    (eight or ten digits). The relation is symmetric: if b is a variant of a, a is one of b. Anything that is not such
    a number comes back alone, a short code or a name too.
    """
    for code, spellings in _PLANS.items():
        if e164.startswith(code) and e164[1:].isascii() and e164[1:].isdecimal():
            given = e164[len(code) :]
            return (e164, *(code + other for other in spellings(given) if other != given))
    return (e164,)


def modern_spelling(e164: str) -> str:
    """The form a phone is dialled by today, for the plans whose old form no longer is one; else the number itself."""
    for code in ("+52", "+225", "+229"):
        if e164.startswith(code):
            return code + (_PLANS[code](e164[len(code) :]) or (e164[len(code) :],))[0]
    return e164


def _mexico(number: str) -> tuple[str, ...]:
    found = _MEXICO.fullmatch(number)
    return (found[1], "1" + found[1]) if found else ()


def _argentina(number: str) -> tuple[str, ...]:
    area = _ARGENTINA_AREA.match(number)
    without_15 = number
    if area and len(number) == len("111512345678") and number.startswith("15", area.end()):
        without_15 = number[: area.end()] + number[area.end() + 2 :]
    found = _ARGENTINA_LOCAL.fullmatch(without_15)
    area = _ARGENTINA_AREA.match(found[1]) if found else None
    if not found or not area:
        return ()
    return ("9" + found[1], found[1], f"{area[0]}15{found[1][area.end() :]}")


def _brazil(number: str) -> tuple[str, ...]:
    found = _BRAZIL.fullmatch(number)
    return (f"{found[1]}9{found[2]}", found[1] + found[2]) if found else ()


def _ivory_coast(number: str) -> tuple[str, ...]:
    found = _IVORY_COAST.fullmatch(number)
    if not found:
        return ()
    spellings = (_IVORY_COAST_OPERATORS[found[1][1]] + found[1], found[1])
    return spellings if number in spellings else ()


def _benin(number: str) -> tuple[str, ...]:
    found = _BENIN.fullmatch(number)
    return ("01" + found[1], found[1]) if found else ()


_PLANS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "+52": _mexico,
    "+54": _argentina,
    "+55": _brazil,
    "+225": _ivory_coast,
    "+229": _benin,
}
