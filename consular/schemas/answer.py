"""The form behind the signed link: one of three answers, how many people it is for, a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, pre_load

from consular.domain.triage import Stated
from consular.schemas.texts import clean, digits_of

ANSWERS = {"safe": Stated.SAFE, "needs_help": Stated.NEEDS_HELP, "not_there": Stated.NOT_THERE}
MOST_PEOPLE = 500
LONGEST_NOTE = 2000


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What somebody said by the link."""

    stated: Stated
    count: int | None
    note: str | None


class _Answer(fields.Field[Stated]):
    """One of the three buttons."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Stated:
        if value not in ANSWERS:
            raise ValidationError(_l("Press one of the three buttons."))
        return ANSWERS[value]


class AnswerSchema(Schema):
    """Form values in, AnswerForm out. Only a missing answer is refused: no call for help waits for a better number.

    A count that is no number from 1 to 500 is put in front of the note, for a human to read; a longer note is cut.
    """

    class Meta:
        unknown = EXCLUDE

    answer = _Answer()
    count = fields.String()
    note = fields.String()

    @pre_load
    def _gather(self, data: Mapping[str, str], **_: Any) -> dict[str, str]:
        return {name: data.get(name, "") for name in self.fields}

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AnswerForm:
        text, note = clean(data["count"]), clean(data["note"])
        digits = digits_of(text)
        count = int(digits) if digits is not None and len(digits) <= 3 else None
        if count is None or not 1 <= count <= MOST_PEOPLE:
            note, count = f"{text}\n{note}".strip(), None
        return AnswerForm(data["answer"], count, note[:LONGEST_NOTE] or None)
