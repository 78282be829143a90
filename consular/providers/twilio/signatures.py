"""Proof that a webhook comes from the gateway, and that a receipt belongs to the attempt in its address."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from twilio.request_validator import RequestValidator, add_port, remove_port

CALLBACK_KEY_LENGTH = 32


def verify(auth_token: str, url: str, params: Sequence[tuple[str, str]], signature: str | None) -> bool:
    """True when X-Twilio-Signature fits the public URL (from settings, with its query) and the raw form parameters.

    A repeated parameter is refused: Twilio's scheme folds repetitions, so a forged one would not change the signature.
    The scheme has no separators either; the caller must insist on exact field names and formats (webhooks.py). Never
    raises for what a stranger sends; time does not depend on how much of the signature is right.
    """
    fields = dict(params)
    if not signature or not signature.isascii() or len(fields) != len(params):
        return False
    validator = RequestValidator(auth_token)
    parts = urlsplit(url)
    given = signature.encode()
    try:
        expected = [validator.compute_signature(form, fields) for form in (remove_port(parts), add_port(parts))]
    except UnicodeEncodeError:
        return False
    matches = [hmac.compare_digest(one.encode(), given) for one in expected]
    return any(matches)


def callback_key(secret: bytes, attempt_id: UUID) -> str:
    """The key in a status callback's address that only we can make for this attempt; 32 URL-safe signs."""
    if len(secret) < 16:
        raise ValueError("The secret of callback addresses must have at least 16 bytes.")
    digest = hmac.digest(secret, b"consular/status-callback/" + attempt_id.bytes, hashlib.sha256)
    return urlsafe_b64encode(digest)[:CALLBACK_KEY_LENGTH].decode()


def is_callback_key(secret: bytes, attempt_id: UUID, key: str | None) -> bool:
    """True when key is callback_key(secret, attempt_id); constant time, False for anything else."""
    if not key or not key.isascii():
        return False
    return hmac.compare_digest(callback_key(secret, attempt_id).encode(), key.encode())
