"""Which adapters this process has, made from its settings."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from config import AnyGatewayConfig, GatewayConfig, HttpGatewayConfig, SmppGatewayConfig
from consular.domain.ports import Publisher, SmsGateway
from consular.providers.http_gateway.doorway import HttpDoorway
from consular.providers.http_gateway.gateway import HttpGateway
from consular.providers.http_gateway.keys import receipt_url
from consular.providers.http_gateway.profile_files import open_profile
from consular.providers.http_gateway.request_maker import RequestMaker
from consular.providers.http_gateway.settings import HttpSettings
from consular.providers.smpp.gateway import SmppGateway
from consular.providers.smpp.received import NotStored, SmppReceipt, SmppText
from consular.providers.smpp.settings import SmppSettings
from consular.providers.twilio.doorway import Doorway
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings
from consular.providers.twilio.signatures import callback_key

if TYPE_CHECKING:
    from config import Config

log = structlog.get_logger(__name__)

KeepHeard = Callable[[Sequence[SmppReceipt], Sequence[SmppText]], None]


@dataclass(slots=True)
class Adapters:
    """Everything outside that this process may speak to. Gateways are opened when first used: one per process and
    name."""

    config: Config
    _gateways: dict[str, SmsGateway] = field(default_factory=dict)
    _publishers: dict[bool, list[Publisher]] = field(default_factory=dict)
    _doorway: Doorway | None = None
    _http_doorway: HttpDoorway | None = None

    def gateway(self, name: str) -> SmsGateway | None:
        """The gateway `name`; None when it is not configured. Raises ValueError for wrong settings.

        Never the SMPP one: only the process that owns the bind opens it (workers/smpp.py).
        """
        settings = self.gateway_config(name)
        if settings is None or isinstance(settings, SmppGatewayConfig):
            return None
        if name not in self._gateways:
            self._gateways[name] = open_gateway(settings, self.config)
        return self._gateways[name]

    def open_smpp(self, keep: KeepHeard) -> SmppGateway:
        """A new gateway to the SMSC, not yet bound; only for the process that holds the lock of the bind.

        keep: stores what came, all or nothing; whatever it raises, the SMSC is asked to deliver again. Raises
        ValueError without settings or for wrong ones.
        """
        if self.config.smpp_gateway is None:
            raise ValueError("The smpp gateway is not configured: set SMPP_HOST and the others.")
        return SmppGateway(smpp_settings(self.config.smpp_gateway), partial(_keep_or_refuse, keep))

    def gateway_config(self, name: str) -> AnyGatewayConfig | None:
        """The settings of the gateway `name`, if any."""
        return self.config.gateways.get(name)

    def problems(self) -> list[str]:
        """What makes a configured gateway unusable, in sentences for the operator."""
        found = []
        for name, settings in self.config.gateways.items():
            try:
                check_settings(settings)
            except ValueError as error:
                found.append(f"The {name} gateway: {error}")
        return found

    @property
    def doorway(self) -> Doorway:
        """What webhooks are checked against."""
        if self._doorway is None:
            configured = [c for c in (self.config.twilio_gateway, self.config.exercise_gateway) if c is not None]
            accounts = {settings.account_sid: twilio_settings(settings) for settings in configured}
            self._doorway = Doorway(accounts, self.config.webhook_base_url, self.config.secret_key.encode())
        return self._doorway

    @property
    def http_doorway(self) -> HttpDoorway:
        """What calls of the HTTP gateway's operator are checked against; refuses all when there is none."""
        if self._http_doorway is None:
            given = self.config.http_gateway
            gateways = {given.name: http_settings(given)} if given else {}
            self._http_doorway = HttpDoorway(gateways, self.config.secret_key.encode())
        return self._http_doorway

    def publishers(self, *, is_exercise: bool) -> list[Publisher]:
        """The accounts an alert is posted to; an exercise never has a real one.

        An account with wrong settings is logged and left out: no alert may fail by it. open_publishers() raises.
        """
        if is_exercise not in self._publishers:
            self._publishers[is_exercise] = list(_usable(publisher_makers(self.config, is_exercise=is_exercise)))
        return self._publishers[is_exercise]


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
        ca_file=settings.ca_file,
    )


def http_settings(settings: HttpGatewayConfig) -> HttpSettings:
    """Checked settings of the HTTP gateway. Raises ValueError in words for the operator."""
    return HttpSettings(
        name=settings.name,
        profile=open_profile(settings.profile),
        url=settings.url,
        secrets=settings.secrets,
        sender=settings.sender,
        concurrency=settings.concurrency,
        ca_file=settings.ca_file,
        key_version=settings.key_version,
    )


def smpp_settings(settings: SmppGatewayConfig) -> SmppSettings:
    """Checked settings of the SMPP gateway. Raises ValueError in words for the operator."""
    values = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name != "rate"}
    return SmppSettings(**values)


def check_settings(settings: AnyGatewayConfig) -> None:
    """Raises ValueError, in words for the operator, for settings that the adapter cannot use."""
    if isinstance(settings, HttpGatewayConfig):
        RequestMaker(http_settings(settings), str)
        check_ca_file(settings.ca_file)
    elif isinstance(settings, SmppGatewayConfig):
        smpp_settings(settings)
    else:
        twilio_settings(settings)


def check_ca_file(path: str) -> None:
    """Raises ValueError unless the file, if any is named, holds certificates: else every request would fail alone."""
    if not path:
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError:
        raise ValueError("the file of trusted certificates (CA_FILE) cannot be read or holds no certificate.") from None


def open_gateway(settings: GatewayConfig | HttpGatewayConfig, config: Config) -> SmsGateway:
    """A gateway whose receipts come back to our webhook with a key that only we can make."""
    secret = config.secret_key.encode()
    base = config.webhook_base_url
    if isinstance(settings, HttpGatewayConfig):
        checked = http_settings(settings)
        return HttpGateway(checked, partial(receipt_url, base, secret, checked))

    def callback_url(attempt_id: UUID) -> str:
        return f"{base}/webhooks/twilio/status/{attempt_id}?k={callback_key(secret, attempt_id)}"

    return TwilioGateway(twilio_settings(settings), callback_url)


def _keep_or_refuse(keep: KeepHeard, items: Sequence[SmppReceipt | SmppText]) -> None:
    texts = [one for one in items if isinstance(one, SmppText)]
    try:
        keep([one for one in items if isinstance(one, SmppReceipt)], texts)
    except Exception as error:
        log.warning("heard_not_stored", error=type(error).__name__, texts=len(texts))
        raise NotStored from error


def open_publishers(config: Config, *, is_exercise: bool) -> list[Publisher]:
    """Publishers for Actual or for Exercise alerts. Raises ValueError in words for the operator."""
    return [make() for make in publisher_makers(config, is_exercise=is_exercise)]


def publisher_makers(config: Config, *, is_exercise: bool) -> list[Callable[[], Publisher]]:
    """What opens each account that is set up; each may raise ValueError, in words for the operator, without secrets."""
    from consular.providers.mastodon.publisher import MastodonPublisher
    from consular.providers.telegram.publisher import TelegramPublisher

    prefix = "exercise_" if is_exercise else ""
    names = ("mastodon_url", "mastodon_token", "mastodon_account", "telegram_url", "telegram_token", "telegram_channel")
    url, token, account, bot_url, bot_token, channel = (getattr(config, prefix + name) for name in names)
    makers: list[Callable[[], Publisher]] = []
    if url and token:
        makers.append(partial(MastodonPublisher, url, token, account or "", is_exercise=is_exercise))
    if bot_url and bot_token and channel:
        makers.append(partial(TelegramPublisher, bot_url, bot_token, channel, is_exercise=is_exercise))
    return makers


def _usable(makers: Iterable[Callable[[], Publisher]]) -> Iterator[Publisher]:
    for make in makers:
        try:
            yield make()
        except ValueError as error:
            log.error("publisher_unusable", reason=str(error))  # noqa: TRY400 - the sentence is all there is to know
