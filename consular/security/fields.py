"""Encryption of personal fields at rest and blind indexes for equality (docs/adr/0004).

A sealed field is AES-256-GCM: version byte, key id length, key id, 12-byte nonce, ciphertext with tag. Table, column
and row
are bound as associated data, so a ciphertext copied to another row does not open there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = 1
_NONCE_BYTES = 12
_KEY_BYTES = 32
_CURE = "make keys with `consular keys generate` and set CONSULAR_KEYS or CONSULAR_KEY_FILE"


class KeyUnavailableError(Exception):
    """No key, or not the key that sealed the data. Nothing is shown and nothing is written."""


def generate_keys() -> str:
    """Fresh keys in the form that CONSULAR_KEYS takes: one data key and one index key, 256 random bits each."""
    data_key, index_key = (base64.b64encode(os.urandom(_KEY_BYTES)).decode() for _ in range(2))
    return f"k1={data_key},index={index_key}"


class FieldCipher:
    """Seals, opens and indexes fields. Unconfigured, every call raises KeyUnavailableError (fails closed)."""

    def __init__(self) -> None:
        self._keys: dict[str, AESGCM] = {}
        self._current = ""
        self._index_key = b""

    def configure(self, keys: str) -> None:
        """Take `id=base64,...,index=base64`; the first id seals, all open. Raises KeyUnavailableError when malformed.

        Commas, semicolons and new lines separate alike.
        """
        parsed: dict[str, bytes] = {}
        for part in filter(None, (piece.strip() for piece in re.split(r"[\n,;]", keys))):
            name, _, value = part.partition("=")
            parsed[name.strip()] = _decoded(value.strip())
        index_key = parsed.pop("index", b"")
        if not parsed or not index_key:
            raise KeyUnavailableError(f"The encryption keys need one data key and one index key: {_CURE}.")
        if any(len(name) > 32 or not name.isascii() for name in parsed):
            raise KeyUnavailableError(f"A key id must be at most 32 plain letters or digits: {_CURE}.")
        self._current = next(iter(parsed))
        self._keys = {name: AESGCM(value) for name, value in parsed.items()}
        self._index_key = index_key

    def seal(self, text: str, place: str, row_id: UUID) -> bytes:
        """Encrypt `text` for the column `place` ("people.name") of the row `row_id`."""
        if not self._keys:
            raise KeyUnavailableError(f"No encryption key is configured: {_CURE}.")
        key_id = self._current.encode()
        nonce = os.urandom(_NONCE_BYTES)
        body = self._keys[self._current].encrypt(nonce, text.encode(), _associated(place, row_id))
        return bytes((_VERSION, len(key_id))) + key_id + nonce + body

    def open(self, sealed: bytes, place: str, row_id: UUID) -> str:
        """Decrypt what seal() made for the same place and row. Raises KeyUnavailableError and never gives part of a
        text."""
        if len(sealed) < 2 + _NONCE_BYTES or sealed[0] != _VERSION:
            raise KeyUnavailableError("A stored field is not in the sealed form.")
        start = 2 + sealed[1]
        key = self._keys.get(sealed[2:start].decode("ascii", "replace"))
        if key is None:
            raise KeyUnavailableError(f"The key that sealed a stored field is not configured: {_CURE}.")
        nonce, body = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        if len(nonce) < _NONCE_BYTES:
            raise KeyUnavailableError("A stored field is cut off.")
        try:
            return key.decrypt(nonce, body, _associated(place, row_id)).decode()
        except InvalidTag:
            raise KeyUnavailableError(
                "A stored field does not open with this key: wrong key, or the row was changed."
            ) from None

    def index(self, value: str, place: str) -> bytes:
        """Blind index (HMAC-SHA-256, own key per column) of a canonical value: equal values give equal 32 bytes."""
        if not self._index_key:
            raise KeyUnavailableError(f"No index key is configured: {_CURE}.")
        column_key = hmac.digest(self._index_key, place.encode(), hashlib.sha256)
        return hmac.digest(column_key, value.encode(), hashlib.sha256)


def _decoded(value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise KeyUnavailableError(f"An encryption key is not 32 bytes in base64: {_CURE}.")
    return key


def _associated(place: str, row_id: UUID) -> bytes:
    return f"{place}:{row_id}".encode()
