"""Signed keys in citizens' forms: each stands for one form shown, so that sending it twice records it once."""

from __future__ import annotations

import secrets

from itsdangerous import BadSignature, URLSafeTimedSerializer

from consular.security.fields import KeyUnavailableError

_VALID_SECONDS = 3 * 24 * 3600
_RANDOM_BYTES = 16


class FormKeys:
    """Issues and reads form keys. Unconfigured, every call raises KeyUnavailableError (fails closed)."""

    def __init__(self) -> None:
        self._secret = ""

    def configure(self, secret: str) -> None:
        """Sign with the application's secret, each purpose with a key of its own."""
        self._secret = secret

    def issue(self, purpose: str) -> str:
        """A fresh key for one form of the kind `purpose`, valid for three days: networks are slow in a crisis."""
        return self._signer(purpose).dumps(secrets.token_urlsafe(_RANDOM_BYTES))

    def read(self, form_key: str, purpose: str) -> str | None:
        """The random part (22 characters) of a key we issued for `purpose`; None when forged, old or for another."""
        try:
            value = self._signer(purpose).loads(form_key[:200], max_age=_VALID_SECONDS)
        except BadSignature:
            return None
        return value if isinstance(value, str) else None

    def _signer(self, purpose: str) -> URLSafeTimedSerializer:
        if not self._secret:
            raise KeyUnavailableError("No key for forms is configured: set SECRET_KEY.")
        return URLSafeTimedSerializer(self._secret, salt=f"consular form {purpose}")


form_keys = FormKeys()


def configure(secret: str) -> None:
    """Take SECRET_KEY; call once at start."""
    form_keys.configure(secret)
