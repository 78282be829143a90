"""The addresses that operators call us at: their keys are ours, because such operators sign nothing themselves."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from uuid import UUID

from consular.providers.http_gateway.settings import HttpSettings

KEY_LENGTH = 32
KEY_FIELD = "k"
_ROOT = "/webhooks/http"


def receipt_key(secret: bytes, settings: HttpSettings, attempt_id: UUID) -> str:
    """The key of one attempt's receipts at one gateway; 32 URL-safe signs that only we can make."""
    return _key(secret, settings, "receipt", attempt_id.bytes)


def standing_key(secret: bytes, settings: HttpSettings, purpose: str) -> str:
    """The key of a gateway's fixed addresses: "inbound", and "receipts" where receipts cannot have one each."""
    return _key(secret, settings, purpose, b"")


def is_key(expected: str, given: str) -> bool:
    """True when given is the key; constant time, False for anything else."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def receipt_url(base_url: str, secret: bytes, settings: HttpSettings, attempt_id: UUID) -> str:
    """Where receipts of one attempt go; ends with the key, so that a profile can append "&status=..."."""
    key = receipt_key(secret, settings, attempt_id)
    return f"{base_url}{_ROOT}/{settings.name}/receipt/{attempt_id}?{KEY_FIELD}={key}"


def receipts_url(base_url: str, secret: bytes, settings: HttpSettings) -> str:
    """Where receipts go when an operator has one address for all; they are matched by the operator's message id."""
    return f"{base_url}{_ROOT}/{settings.name}/receipt?{KEY_FIELD}={standing_key(secret, settings, 'receipts')}"


def inbound_url(base_url: str, secret: bytes, settings: HttpSettings) -> str:
    """Where texts from people go; to be given to the operator."""
    return f"{base_url}{_ROOT}/{settings.name}/inbound?{KEY_FIELD}={standing_key(secret, settings, 'inbound')}"


def _key(secret: bytes, settings: HttpSettings, purpose: str, subject: bytes) -> str:
    if len(secret) < 16:
        raise ValueError("The secret of callback addresses must have at least 16 bytes.")
    words = f"consular/http-gateway/{settings.name}/{settings.key_version}/{purpose}/".encode()
    return urlsafe_b64encode(hmac.digest(secret, words + subject, hashlib.sha256))[:KEY_LENGTH].decode()
