"""Signed personal links: the second way to answer a text. A link proves only that somebody saw that text.

token = 13 bytes in base 62: the message's number in 5, then the first 8 of HMAC-SHA-256 over it with a key derived from
SECRET_KEY. Letters and digits only, because phones leave a final "-" out of the address they make clickable; always 18
characters, so that the parts of a text can be counted before it is sent.
"""

from __future__ import annotations

import hashlib
import hmac

from consular.security.fields import KeyUnavailableError

LINK_TOKEN_LENGTH = 18
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {sign: value for value, sign in enumerate(_ALPHABET)}
_NUMBER_BYTES = 5
_MAC_BYTES = 8
_WHOLE = _NUMBER_BYTES + _MAC_BYTES


class LinkSigner:
    """Makes and reads tokens. Unconfigured, every call raises KeyUnavailableError (fails closed)."""

    def __init__(self) -> None:
        self._key = b""

    def configure(self, secret: str) -> None:
        """Derive the key for links from the application's secret."""
        self._key = hmac.digest(secret.encode(), b"consular personal link 1", hashlib.sha256)

    def token(self, number: int) -> str:
        """Token of a message number in 0 .. 2**40 - 1; ValueError beyond."""
        if not 0 <= number < 1 << 8 * _NUMBER_BYTES:
            raise ValueError("a message number must fit into 40 bits")
        head = number.to_bytes(_NUMBER_BYTES)
        value = int.from_bytes(head + self._mac(head))
        signs = ["0"] * LINK_TOKEN_LENGTH
        for position in range(LINK_TOKEN_LENGTH - 1, -1, -1):
            value, rest = divmod(value, 62)
            signs[position] = _ALPHABET[rest]
        return "".join(signs)

    def number(self, token: str) -> int | None:
        """The message number in a token that we signed, else None; takes the same time wherever a token is wrong."""
        if len(token) != LINK_TOKEN_LENGTH or any(sign not in _VALUES for sign in token):
            return None
        value = 0
        for sign in token:
            value = value * 62 + _VALUES[sign]
        if value >= 1 << 8 * _WHOLE:
            return None
        whole = value.to_bytes(_WHOLE)
        head, mac = whole[:_NUMBER_BYTES], whole[_NUMBER_BYTES:]
        return int.from_bytes(head) if hmac.compare_digest(mac, self._mac(head)) else None

    def _mac(self, head: bytes) -> bytes:
        if not self._key:
            raise KeyUnavailableError("No key for links is configured: set SECRET_KEY.")
        return hmac.digest(self._key, head, hashlib.sha256)[:_MAC_BYTES]


links = LinkSigner()


def configure(secret: str) -> None:
    """Derive the key for links from SECRET_KEY; call once at start."""
    links.configure(secret)


def link_token(number: int) -> str:
    """The token that goes into the address /s/<token> of message `number`."""
    return links.token(number)


def read_link_token(token: str) -> int | None:
    """The message number of a token as found in an address; None when we did not sign it."""
    return links.number(token)
