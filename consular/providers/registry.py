"""Which adapters this process has, made from its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from consular.domain.ports import Publisher, SmsGateway
from consular.providers.twilio.doorway import Doorway
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings
from consular.providers.twilio.signatures import callback_key

if TYPE_CHECKING:
    from config import Config, GatewayConfig


@dataclass(slots=True)
class Adapters:
    """Everything outside that this process may speak to. Gateways are opened when first used: one per process and name."""

    config: Config
    _gateways: dict[str, SmsGateway] = field(default_factory=dict)
    _doorway: Doorway | None = None

    def gateway(self, name: str) -> SmsGateway | None:
        """The gateway `name` ("actual", "exercise"); None when it is not configured. Raises ValueError for wrong settings."""
        settings = self.gateway_config(name)
        if settings is None:
            return None
        if name not in self._gateways:
            self._gateways[name] = open_gateway(settings, self.config)
        return self._gateways[name]

    def gateway_config(self, name: str) -> GatewayConfig | None:
        """The settings of the gateway `name`, if any."""
        return {"actual": self.config.actual_gateway, "exercise": self.config.exercise_gateway}[name]

    @property
    def doorway(self) -> Doorway:
        """What webhooks are checked against."""
        if self._doorway is None:
            configured = [c for c in (self.config.actual_gateway, self.config.exercise_gateway) if c is not None]
            accounts = {settings.account_sid: twilio_settings(settings) for settings in configured}
            self._doorway = Doorway(accounts, self.config.webhook_base_url, self.config.secret_key.encode())
        return self._doorway

    def publishers(self, *, is_exercise: bool) -> list[Publisher]:
        """The accounts an alert is posted to. An exercise never has a real one."""
        return open_publishers(self.config, is_exercise=is_exercise)


def twilio_settings(settings: GatewayConfig) -> TwilioSettings:
    """Checked settings of one gateway. Raises ValueError in words for the operator."""
    return TwilioSettings(
        name=settings.name,
        base_url=settings.base_url,
        account_sid=settings.account_sid,
        auth_token=settings.auth_token,
        sender=settings.sender,
        is_exercise=settings.name == "exercise",
        concurrency=settings.concurrency,
        connect_timeout_seconds=settings.connect_timeout,
        total_timeout_seconds=settings.total_timeout,
    )


def open_gateway(settings: GatewayConfig, config: Config) -> SmsGateway:
    """A gateway whose receipts come back to our webhook with a key that only we can make."""
    secret = config.secret_key.encode()
    base = config.webhook_base_url

    def callback_url(attempt_id: UUID) -> str:
        return f"{base}/webhooks/twilio/status/{attempt_id}?k={callback_key(secret, attempt_id)}"

    return TwilioGateway(twilio_settings(settings), callback_url)


def open_publishers(config: Config, *, is_exercise: bool) -> list[Publisher]:
    """Publishers for Actual or for Exercise alerts, each None-free and checked."""
    from consular.providers.mastodon.publisher import MastodonPublisher
    from consular.providers.telegram.publisher import TelegramPublisher

    found: list[Publisher] = []
    if is_exercise:
        if config.exercise_mastodon_url and config.exercise_mastodon_token:
            url, token = config.exercise_mastodon_url, config.exercise_mastodon_token
            found.append(MastodonPublisher(url, token, config.mission_name, is_exercise=True))
        return found
    if config.mastodon_url and config.mastodon_token:
        found.append(MastodonPublisher(config.mastodon_url, config.mastodon_token, config.mission_name))
    if config.telegram_token and config.telegram_channel:
        found.append(TelegramPublisher(config.telegram_url, config.telegram_token, config.telegram_channel))
    return found
