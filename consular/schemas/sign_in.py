"""The sign-in form and the form for a new account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from consular.permissions import Role


@dataclass(frozen=True, slots=True)
class SignInForm:
    """A name and a password as they were typed."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class OfficerForm:
    """A new account as an administrator typed it; services.officers checks the values."""

    username: str
    full_name: str
    role: Role
    password: str


class SignInSchema(Schema):
    """Form in, SignInForm out. Anything that cannot be right is a wrong password, so nothing is explained here."""

    class Meta:
        unknown = EXCLUDE

    username = fields.String(load_default="")
    password = fields.String(load_default="")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> SignInForm:
        return SignInForm(**data)


class OfficerSchema(Schema):
    """Form in, OfficerForm out."""

    class Meta:
        unknown = EXCLUDE

    username = fields.String(load_default="")
    full_name = fields.String(load_default="")
    role = fields.Enum(
        Role, by_value=True, required=True, error_messages={"required": "Choose a role.", "unknown": "Choose a role."}
    )
    password = fields.String(load_default="", validate=validate.Length(max=1000))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> OfficerForm:
        return OfficerForm(**data)
