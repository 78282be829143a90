"""The checks every webhook passes before anything is stored: whose account, whose signature, which form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from consular.providers.twilio.settings import TwilioSettings
from consular.providers.twilio.signatures import is_callback_key, verify
from consular.providers.twilio.webhooks import InboundText, StatusReport, parse_inbound, parse_status

Pairs = Sequence[tuple[str, str]]


class ForgedWebhookError(Exception):
    """Not signed by a gateway of ours (answer 403)."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """accounts: settings by account sid. base_url: the public address the gateways sign. secret: of callback keys."""

    accounts: Mapping[str, TwilioSettings]
    base_url: str
    secret: bytes

    def inbound(self, path: str, pairs: Pairs, signature: str | None) -> tuple[str, InboundText]:
        """Gateway name and text. Raises ForgedWebhookError, WebhookRefused (malformed, answer 400)."""
        settings = self._signed(path, pairs, signature)
        return settings.name, parse_inbound(pairs, settings.account_sid, settings.listening_numbers)

    def status(
        self, path: str, pairs: Pairs, signature: str | None, attempt_id: UUID, key: str | None
    ) -> tuple[str, StatusReport]:
        """Gateway name and receipt of the attempt in the address. Raises as inbound()."""
        settings = self._signed(path, pairs, signature)
        if not is_callback_key(self.secret, attempt_id, key):
            raise ForgedWebhookError
        return settings.name, parse_status(pairs, settings.account_sid)

    def _signed(self, path: str, pairs: Pairs, signature: str | None) -> TwilioSettings:
        settings = self.accounts.get(dict(pairs).get("AccountSid", ""))
        if settings is None or not verify(settings.auth_token, self.base_url + path, pairs, signature):
            raise ForgedWebhookError
        return settings
