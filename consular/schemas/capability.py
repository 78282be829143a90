"""The form for one row of the table of gateways by country."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validate, validates_schema

from consular.domain.gateways import ACTUAL_GATEWAYS
from consular.domain.routing import EVERYWHERE, SenderKind
from consular.locales import country_names
from consular.schemas.texts import Text

SATELLITE = "001"
YES_NO = {"yes": True, "no": False}
_PLACES = 4
_EARLIEST = date(2000, 1, 1)
_QUESTIONS = {
    "is_usable": "Say whether texts to this country may go by it.",
    "is_two_way": "Say whether replies come back.",
    "allows_links": "Say whether texts with links pass.",
    "receipts_believable": "Say whether its receipts can be believed.",
}


@dataclass(frozen=True, slots=True)
class CapabilityForm:
    """gateway and country name the row; facts are all of queries.capabilities.FACTS."""

    gateway: str
    country: str
    facts: dict[str, Any]
    seen: int


class CapabilitySchema(Schema):
    """Form in, CapabilityForm out. as_of comes as as_of_day, as_of_month and as_of_year."""

    class Meta:
        unknown = EXCLUDE

    gateway = fields.String(load_default="")
    country = fields.String(load_default="")
    is_usable = fields.String(load_default="")
    is_two_way = fields.String(load_default="")
    allows_links = fields.String(load_default="")
    receipts_believable = fields.String(load_default="")
    sender_kind = fields.Enum(
        SenderKind,
        by_value=True,
        required=True,
        error_messages={"required": "Say what people see as the sender.", "unknown": "Choose one from the list."},
    )
    sender_note = Text(200)
    rate = fields.String(load_default="")
    cost_cents = fields.String(load_default="")
    currency = fields.String(load_default="")
    source = Text(300)
    as_of_day = fields.String(load_default="")
    as_of_month = fields.String(load_default="")
    as_of_year = fields.String(load_default="")
    seen = fields.Integer(load_default=0, validate=validate.Range(min=0, max=2**31 - 1))

    @validates_schema(skip_on_field_errors=False)
    def _check(self, data: dict[str, Any], **_: Any) -> None:
        problems = {name: [words] for name, words in _problems(data) if words}
        if problems:
            raise ValidationError(problems)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> CapabilityForm:
        cost = _number(data["cost_cents"])
        rate = _number(data["rate"])
        facts = {
            **{name: YES_NO[data[name]] for name in _QUESTIONS},
            "sender_kind": data["sender_kind"],
            "sender_note": data["sender_note"] or None,
            "rate": float(rate) if rate is not None else None,
            "cost_cents": cost,
            "currency": data["currency"].strip().upper() if cost is not None else None,
            "source": data["source"],
            "as_of": _as_of(data),
        }
        return CapabilityForm(data["gateway"], data["country"], facts, data["seen"])


def _problems(data: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [
        ("gateway", None if data.get("gateway") in ACTUAL_GATEWAYS else "Choose a gateway."),
        ("country", None if _is_country(data.get("country", "")) else "Choose a country."),
        *((name, None if data.get(name) in YES_NO else question) for name, question in _QUESTIONS.items()),
        *([("is_two_way", words)] if (words := _two_way_problem(data)) else []),
        ("rate", _number_problem(data.get("rate", ""), least=Decimal("0.001"), most=1_000_000)),
        ("cost_cents", _number_problem(data.get("cost_cents", ""), least=Decimal(0), most=99_999)),
        ("currency", _currency_problem(data)),
        ("source", None if data.get("source", "").strip() else "Say who says so: a contract, a page, a test of yours."),
        ("as_of", _date_problem(data)),
    ]


def _is_country(code: str) -> bool:
    return code in (EVERYWHERE, SATELLITE) or code in country_names("en")


def _two_way_problem(data: dict[str, Any]) -> str | None:
    nameless = (SenderKind.ALPHANUMERIC, SenderKind.NONE)
    is_wrong = data.get("is_two_way") == "yes" and data.get("sender_kind") in nameless
    return "Nobody can reply to a name: choose no, or another sender." if is_wrong else None


def _number(typed: str) -> Decimal | None:
    return Decimal(typed.strip().replace(",", ".")) if typed.strip() else None


def _number_problem(typed: str, least: Decimal, most: int) -> str | None:
    try:
        value = _number(typed)
    except InvalidOperation:
        return "Write a number, such as 5 or 0.5, or leave it empty."
    if value is not None and not (value.is_finite() and least <= value <= most):
        return f"Write a number from {least} to {most:,}, or leave it empty."
    if value is not None and value != round(value, _PLACES):
        return f"Write at most {_PLACES} places after the point."
    return None


def _currency_problem(data: dict[str, Any]) -> str | None:
    currency = data.get("currency", "").strip()
    if data.get("cost_cents", "").strip() and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        return "A cost needs its currency, three letters such as EUR."
    return None


def _as_of(data: dict[str, Any]) -> date:
    return date(*(int(data.get(f"as_of_{part}", "").strip()) for part in ("year", "month", "day")))


def _date_problem(data: dict[str, Any]) -> str | None:
    try:
        day = _as_of(data)
    except (ValueError, OverflowError):
        return "Write a date, such as 20 11 2026."
    return None if day >= _EARLIEST else "That is too long ago to be of use."
