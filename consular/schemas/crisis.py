"""The form that opens a crisis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, post_load

from consular.domain.cap import AlertStatus

_CHOOSE: dict[str, Any] = {"required": "Choose Exercise or Actual.", "unknown": "Choose Exercise or Actual."}


@dataclass(frozen=True, slots=True)
class CrisisForm:
    """A crisis as typed; services.crises checks title and confirmation."""

    title: str
    status: AlertStatus
    confirmation: str


class CrisisSchema(Schema):
    """Form in, CrisisForm out. There is no default status: the officer chooses."""

    class Meta:
        unknown = EXCLUDE

    title = fields.String(load_default="")
    status = fields.Enum(AlertStatus, by_value=True, required=True, error_messages=_CHOOSE)
    confirmation = fields.String(load_default="")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> CrisisForm:
        return CrisisForm(**data)
