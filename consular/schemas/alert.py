"""The form that writes an alert, and the confirmation that releases it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema
from werkzeug.datastructures import MultiDict

from consular.domain.alerts import MessageClass
from consular.domain.cap import Category, Certainty, ResponseType, Severity, Urgency
from consular.domain.rendering import LONGEST_OFFICER_TEXT, TextProblem, clean_text, text_problems
from consular.locales import LANGUAGE_NAMES, LANGUAGES
from consular.queries.alerts import Words

LONGEST_EVENT = 200
LONGEST_HEADLINE = 160
LONGEST_VALIDITY = 600
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AlertForm:
    """An alert as written, its audience apart. revision: of the version the officer had open."""

    category: Category
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    response_type: ResponseType
    event: str
    message_class: MessageClass
    asks_for_reply: bool
    validity_minutes: int
    words: dict[str, Words]
    revision: int


@dataclass(frozen=True, slots=True)
class ApprovalForm:
    """What the release page showed and what the officer typed."""

    seen_hash: bytes
    seen_count: int
    typed_count: int | None


def _choice(values: Any, what: str) -> Any:
    message = f"Choose {what}."
    return fields.Enum(values, by_value=True, required=True, error_messages={"required": message, "unknown": message})


class AlertSchema(Schema):
    """Form in, AlertForm out. Texts are cleaned (domain.rendering.clean_text) before they are checked."""

    class Meta:
        unknown = EXCLUDE

    category = _choice(Category, "a category")
    urgency = _choice(Urgency, "how soon people must act")
    severity = _choice(Severity, "how severe it is")
    certainty = _choice(Certainty, "how certain it is")
    response_type = _choice(ResponseType, "what people should do")
    event = fields.String(load_default="")
    message_class = _choice(MessageClass, "what happens to a text that may have left")
    asks_for_reply = fields.String(load_default="")
    validity_minutes = fields.String(load_default="")
    revision = fields.String(load_default="0")
    headlines = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    texts = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)

    @validates_schema(skip_on_field_errors=False)
    def _check(self, data: dict[str, Any], **_: Any) -> None:
        problems = _event_problems(data) | _validity_problems(data)
        for language in LANGUAGES:
            problems |= _words_problems(data, language)
        if not any(map(clean_text, data["texts"].values())):
            problems.setdefault("text_en", "Write the text in at least one language.")
        if problems:
            raise ValidationError({name: [message] for name, message in problems.items()})

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AlertForm:
        headlines, texts = data.pop("headlines"), data.pop("texts")
        data["words"] = {
            language: Words(_one_line(headlines.get(language, "")), clean_text(text))
            for language, text in texts.items()
            if clean_text(text)
        }
        data["event"] = _one_line(data["event"])
        data["asks_for_reply"] = data["asks_for_reply"] == "yes"
        data["validity_minutes"] = int(data["validity_minutes"])
        data["revision"] = whole_number(data["revision"]) or 0
        return AlertForm(**data)


class ApprovalSchema(Schema):
    """Form in, ApprovalForm out. Hidden fields that were tampered with are refused later as a changed alert."""

    class Meta:
        unknown = EXCLUDE

    seen_hash = fields.String(load_default="")
    seen_count = fields.String(load_default="")
    typed_count = fields.String(load_default="")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ApprovalForm:
        try:
            seen_hash = bytes.fromhex(data["seen_hash"])
        except ValueError:
            seen_hash = b""
        typed = re.sub(r"[\s,.'’\u00a0\u202f]", "", data["typed_count"])
        return ApprovalForm(seen_hash, whole_number(data["seen_count"]) or 0, whole_number(typed))


class WithoutAskingSchema(Schema):
    """Countries and revision that the preview showed. Hidden fields that were tampered with are refused later."""

    class Meta:
        unknown = EXCLUDE

    countries = fields.List(fields.String(), load_default=list)
    revision = fields.String(load_default="")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return data | {"revision": whole_number(data["revision"]) or 0}


def alert_values(form: MultiDict[str, str]) -> dict[str, Any]:
    """A posted form as AlertSchema takes it: headline_<language> and text_<language> gathered by language."""
    return {
        **form.to_dict(),
        "headlines": {language: form.get(f"headline_{language}", "") for language in LANGUAGES},
        "texts": {language: form.get(f"text_{language}", "") for language in LANGUAGES},
    }


def whole_number(text: str) -> int | None:
    """A number of at most nine digits (of any script), else None."""
    digits = "".join(str(int(c)) if c.isdecimal() else c for c in text.strip())
    return int(digits) if _WHOLE_NUMBER.fullmatch(digits) else None


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _event_problems(data: dict[str, Any]) -> dict[str, str]:
    event = _one_line(data["event"])
    if 3 <= len(event) <= LONGEST_EVENT:
        return {}
    return {"event": f"Say in 3 to {LONGEST_EVENT} characters what happened, for example: Fighting in Tripoli."}


def _validity_problems(data: dict[str, Any]) -> dict[str, str]:
    minutes = whole_number(data["validity_minutes"])
    if minutes is not None and 1 <= minutes <= LONGEST_VALIDITY:
        data["validity_minutes"] = str(minutes)
        return {}
    return {"validity_minutes": f"Give a number of minutes from 1 to {LONGEST_VALIDITY}."}


def _words_problems(data: dict[str, Any], language: str) -> dict[str, str]:
    headline, text = _one_line(data["headlines"].get(language, "")), clean_text(data["texts"].get(language, ""))
    name = LANGUAGE_NAMES[language]
    problems = {}
    if text and not headline:
        problems[f"headline_{language}"] = f"{name}: write a headline for the public posts, or remove the text."
    if headline and not text:
        problems[f"text_{language}"] = f"{name}: write the text message, or remove the headline."
    if len(headline) > LONGEST_HEADLINE:
        problems[f"headline_{language}"] = f"{name}: shorten the headline to {LONGEST_HEADLINE} characters."
    found = text_problems(text)
    if TextProblem.TOO_LONG in found:
        problems[f"text_{language}"] = f"{name}: shorten the text to {LONGEST_OFFICER_TEXT:,} characters."
    if TextProblem.TOO_MANY_MARKS in found:
        problems[f"text_{language}"] = f"{name}: too many accents on one letter; remove them."
    return problems
