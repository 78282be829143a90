"""One tree of errors: each has a code, an HTTP status and a sentence that says what to do."""

from __future__ import annotations


class ConsularError(Exception):
    """Base of every error we raise on purpose. The text is for the person who must act, without personal data."""

    code = "error"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(ConsularError):
    """Nothing of that name, or nothing this officer may see."""

    code = "not_found"
    status = 404


class NotAllowedError(ConsularError):
    """This officer's role does not include this act."""

    code = "not_allowed"
    status = 403


class ConflictError(ConsularError):
    """Somebody else changed it meanwhile, or its state does not allow the act."""

    code = "conflict"
    status = 409


class InvalidInputError(ConsularError):
    """Input that cannot be used. fields: field name -> sentence that names the cure."""

    code = "invalid_input"
    status = 422

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}
