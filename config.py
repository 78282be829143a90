"""The only reader of the environment: Config.from_env() parses everything once, fails at start and names the
variable."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class ConfigError(Exception):
    """The configuration cannot be used; the text names each variable and what to do about it."""


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """One account at a gateway that speaks Twilio's Messages API.

    sender: an E.164 number or a messaging service sid (MG...). rate: parts per second the sender may hand over.
    concurrency: requests in flight per worker process. Times in seconds. ca_file: certificates to trust instead of the
    public authorities', for a gateway with an authority of its own.
    """

    name: str
    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    rate: float
    concurrency: int
    connect_timeout: float = 5.0
    total_timeout: float = 15.0
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class HttpGatewayConfig:
    """One operator's HTTP interface (docs/http-gateways.md). profile: a ready one's name, or the path of a file.

    secrets: by the name that the profile writes {secret.<name>}. rate: parts per second. key_version: counted up to
    make the keys in our webhooks' addresses new.
    """

    profile: str
    url: str = field(repr=False)
    sender: str
    secrets: Mapping[str, str] = field(repr=False)
    rate: float
    concurrency: int
    ca_file: str = ""
    key_version: int = 1
    name: str = "http"


@dataclass(frozen=True, slots=True)
class SmppGatewayConfig:
    """One operator's SMSC. rate: parts per second. window: texts unanswered at once, as agreed with the operator."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    sender: str
    rate: float
    window: int
    system_type: str = ""
    service_type: str = ""
    address_range: str = ""
    sender_ton: int | None = None
    sender_npi: int | None = None
    home_code: str = ""
    default_is_latin_1: bool = False
    is_protected_line: bool = False
    name: str = "smpp"

    @property
    def concurrency(self) -> int:
        """Texts in flight: the window."""
        return self.window


AnyGatewayConfig = GatewayConfig | HttpGatewayConfig | SmppGatewayConfig


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of every process; its repr hides secrets."""

    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    keys: str = field(repr=False)
    public_url: str = "http://localhost:8000"
    webhook_base_url: str = "http://localhost:8000"
    twilio_gateway: GatewayConfig | None = None
    http_gateway: HttpGatewayConfig | None = None
    smpp_gateway: SmppGatewayConfig | None = None
    exercise_gateway: GatewayConfig | None = None
    mission_name: str = "Consular service"
    mission_phone: str | None = None
    canary_phones: tuple[str, ...] = field(default=(), repr=False)
    canary_hour: int = 6
    mastodon_url: str | None = None
    mastodon_token: str | None = field(default=None, repr=False)
    mastodon_account: str | None = None
    telegram_url: str = "https://api.telegram.org"
    telegram_token: str | None = field(default=None, repr=False)
    telegram_channel: str | None = None
    exercise_mastodon_url: str | None = None
    exercise_mastodon_token: str | None = field(default=None, repr=False)
    exercise_mastodon_account: str | None = None
    exercise_telegram_url: str | None = None
    exercise_telegram_token: str | None = field(default=None, repr=False)
    exercise_telegram_channel: str | None = None
    trusted_proxies: int = 0
    max_request_bytes: int = 262_144
    lease_seconds: int = 30
    session_idle_minutes: int = 60
    session_hours: int = 12
    metrics_token: str | None = field(default=None, repr=False)

    @property
    def gateways(self) -> dict[str, AnyGatewayConfig]:
        """The gateways that are configured, by name (consular.domain.gateways)."""
        given = (self.twilio_gateway, self.smpp_gateway, self.http_gateway, self.exercise_gateway)
        return {gateway.name: gateway for gateway in given if gateway is not None}

    @property
    def is_https(self) -> bool:
        """Cookies are marked Secure exactly when the public address is https."""
        return urlsplit(self.public_url).scheme == "https"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Config from `environ` (default: the process environment and `.env`, see consular.env_file).

        Raises ConfigError with one line per problem.
        """
        if environ is not None:
            return _Reader(dict(environ)).read()
        from consular.env_file import EnvFileError, unread, with_env_file

        try:
            return _Reader(with_env_file(os.environ)).read()
        except (ConfigError, EnvFileError) as error:
            raise ConfigError("\n".join(filter(None, [str(error), unread(os.environ)]))) from None


class _Reader:
    """Collects every problem before it gives up, so that an operator mends them all at once."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def read(self) -> Config:
        public_url = self._url("PUBLIC_URL", "http://localhost:8000")
        config = {
            "database_url": self._database_url(),
            "redis_url": self._redis_url(),
            "secret_key": self._secret("SECRET_KEY"),
            "keys": self._keys(),
            "public_url": public_url,
            "webhook_base_url": self._url("WEBHOOK_BASE_URL", public_url or ""),
            "twilio_gateway": self._gateway("twilio", "TWILIO", "https://api.twilio.com"),
            "http_gateway": self._http_gateway(),
            "smpp_gateway": self._smpp_gateway(),
            "exercise_gateway": self._gateway("exercise", "EXERCISE_GATEWAY", None),
            "mission_name": self._text("MISSION_NAME") or "Consular service",
            "mission_phone": self._text("MISSION_PHONE"),
            "canary_phones": self._phones("CANARY_PHONES"),
            "canary_hour": self._number("CANARY_HOUR", 6),
            **self._accounts("", "https://api.telegram.org"),
            **self._accounts("EXERCISE_", None),
            "trusted_proxies": self._number("TRUSTED_PROXIES", 0),
            "max_request_bytes": self._number("MAX_REQUEST_BYTES", 262_144),
            "lease_seconds": self._number("LEASE_SECONDS", 30, least=20),
            "session_idle_minutes": self._number("SESSION_IDLE_MINUTES", 60, least=1),
            "session_hours": self._number("SESSION_HOURS", 12, least=1),
            "metrics_token": self._secret("METRICS_TOKEN") if self._text("METRICS_TOKEN") else None,
        }
        if isinstance(config["canary_hour"], int) and config["canary_hour"] > 23:
            self.problems.append("CANARY_HOUR must be an hour of the day in UTC, 0 to 23")
        self._accounts_differ(config["twilio_gateway"], config["exercise_gateway"])
        if self.problems:
            raise ConfigError("\n".join(self.problems))
        assert set(config) == {f.name for f in fields(Config)}
        return Config(**config)  # type: ignore[arg-type]

    def _text(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def _required(self, name: str, cure: str) -> str:
        value = self._text(name)
        if value is None:
            self.problems.append(f"{name} is not set: {cure}")
        return value or ""

    def _database_url(self) -> str:
        url = self._required("DATABASE_URL", "give PostgreSQL's address, e.g. postgresql://user:password@host/consular")
        for prefix in ("postgres://", "postgresql://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        if url and not url.startswith("postgresql+psycopg://"):
            self.problems.append("DATABASE_URL must start with postgresql://: Consular runs on PostgreSQL only")
        return url

    def _redis_url(self) -> str | None:
        url = self._text("REDIS_URL")
        if url is not None and urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            self.problems.append("REDIS_URL must be an address such as redis://localhost:6379/0")
        return url

    def _secret(self, name: str) -> str:
        value = self._required(name, "make one with `consular keys generate`")
        if value and len(value) < 32:
            self.problems.append(f"{name} is shorter than 32 characters: make one with `consular keys generate`")
        return value

    def _keys(self) -> str:
        path = self._text("CONSULAR_KEY_FILE")
        if path is None:
            return self._required("CONSULAR_KEYS", "or set CONSULAR_KEY_FILE; make keys with `consular keys generate`")
        try:
            return Path(path).read_text("utf-8").strip()
        except OSError as error:
            self.problems.append(f"CONSULAR_KEY_FILE cannot be read ({error.strerror}): check the path and its rights")
            return ""

    def _url(self, name: str, default: str | None) -> str | None:
        value = self._text(name) or default
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            self.problems.append(f"{name} must be a whole address such as https://consular.example.org")
        elif parts.query or parts.fragment:
            self.problems.append(f"{name} must end before the ? or #: paths are added to it")
        return value.rstrip("/")

    def _number(self, name: str, default: int, least: int = 0) -> int:
        try:
            value = int(self.environ.get(name) or default)
        except ValueError:
            self.problems.append(f"{name} must be a whole number")
            return default
        if value < least:
            self.problems.append(f"{name} must be at least {least}")
        return value

    def _phones(self, name: str) -> tuple[str, ...]:
        given = [phone.replace(" ", "") for phone in (self._text(name) or "").split(",")]
        phones = tuple(dict.fromkeys(phone for phone in given if phone))
        wrong = sum(1 for phone in phones if not _E164.fullmatch(phone))
        if wrong:
            self.problems.append(
                f"{name} holds {wrong} that {'is' if wrong == 1 else 'are'} no phone number: give each with + and its "
                "country code, such as +218911234567, with commas between them"
            )
        return phones

    def _rate(self, name: str, default: float) -> float:
        try:
            value = float(self.environ.get(name) or default)
        except ValueError:
            value = 0.0
        if not 0 < value <= 1_000_000:
            self.problems.append(f"{name} must be a number of parts per second above 0")
        return value

    def _accounts(self, prefix: str, telegram_url: str | None) -> dict[str, str | None]:
        found = {
            "MASTODON_URL": self._url(f"{prefix}MASTODON_URL", None),
            "TELEGRAM_URL": self._url(f"{prefix}TELEGRAM_URL", telegram_url),
        }
        for name in ("MASTODON_TOKEN", "MASTODON_ACCOUNT", "TELEGRAM_TOKEN", "TELEGRAM_CHANNEL"):
            found[name] = self._text(prefix + name)
        for needed in (("MASTODON_URL", "MASTODON_TOKEN"), ("TELEGRAM_TOKEN", "TELEGRAM_CHANNEL", "TELEGRAM_URL")):
            missing = [prefix + name for name in needed if found[name] is None]
            if missing and any(found[name] for name in needed[:2]):
                self.problems.append(f"{' and '.join(missing)} must be set, too: an account needs all of its settings")
        return {(prefix + name).lower(): value for name, value in found.items()}

    def _accounts_differ(self, actual: object, exercise: object) -> None:
        """A text that comes in tells by its account alone whether it is real."""
        given = [gateway.account_sid for gateway in (actual, exercise) if isinstance(gateway, GatewayConfig)]
        if len(given) == 2 and given[0] and given[0] == given[1]:
            self.problems.append(
                "TWILIO_ACCOUNT_SID and EXERCISE_GATEWAY_ACCOUNT_SID are the same: "
                "an exercise needs an account of its own"
            )

    def _gateway(self, name: str, prefix: str, default_url: str | None) -> GatewayConfig | None:
        wanted = [f"{prefix}_ACCOUNT_SID", f"{prefix}_AUTH_TOKEN", f"{prefix}_FROM"]
        values = [self._text(variable) for variable in wanted]
        url = self._url(f"{prefix}_BASE_URL", default_url)
        if not any(values):
            return None
        for variable, value in zip(wanted, values, strict=True):
            if value is None:
                self.problems.append(f"{variable} is not set, but other {prefix}_* variables are: set all or none")
        if url is None:
            self.problems.append(f"{prefix}_BASE_URL is not set: give the address of the practice gateway")
        return GatewayConfig(
            name=name,
            base_url=url or "",
            account_sid=values[0] or "",
            auth_token=values[1] or "",
            sender=values[2] or "",
            rate=self._rate(f"{prefix}_RATE", 1.0),
            concurrency=self._number(f"{prefix}_CONCURRENCY", 50, least=1),
            ca_file=self._text(f"{prefix}_CA_FILE") or "",
        )

    def _http_gateway(self) -> HttpGatewayConfig | None:
        prefix = "HTTP_GATEWAY_"
        if not any(name.startswith(prefix) and value.strip() for name, value in self.environ.items()):
            return None
        secrets = {
            name.removeprefix(f"{prefix}SECRET_").lower(): value.strip()
            for name, value in self.environ.items()
            if name.startswith(f"{prefix}SECRET_") and value.strip()
        }
        return HttpGatewayConfig(
            profile=self._required("HTTP_GATEWAY_PROFILE", "kannel, kannel-get, or the path of a profile of your own"),
            url=self._text("HTTP_GATEWAY_URL") or "",
            sender=self._text("HTTP_GATEWAY_FROM") or "",
            secrets=secrets,
            rate=self._rate("HTTP_GATEWAY_RATE", 1.0),
            concurrency=self._number("HTTP_GATEWAY_CONCURRENCY", 20, least=1),
            ca_file=self._text("HTTP_GATEWAY_CA_FILE") or "",
            key_version=self._number("HTTP_GATEWAY_KEY_VERSION", 1, least=1),
        )

    def _smpp_gateway(self) -> SmppGatewayConfig | None:
        if not any(name.startswith("SMPP_") and value.strip() for name, value in self.environ.items()):
            return None
        return SmppGatewayConfig(
            host=self._required("SMPP_HOST", "the host of the operator's SMSC"),
            port=self._number("SMPP_PORT", 2775, least=1),
            system_id=self._required("SMPP_SYSTEM_ID", "the operator gives it"),
            password=self._required("SMPP_PASSWORD", "the operator gives it"),
            sender=self._required("SMPP_FROM", "the number or short code that the operator gave you"),
            rate=self._rate("SMPP_RATE", 1.0),
            window=self._number("SMPP_WINDOW", 10, least=1),
            system_type=self._text("SMPP_SYSTEM_TYPE") or "",
            service_type=self._text("SMPP_SERVICE_TYPE") or "",
            address_range=self._text("SMPP_ADDRESS_RANGE") or "",
            sender_ton=self._maybe_number("SMPP_SENDER_TON"),
            sender_npi=self._maybe_number("SMPP_SENDER_NPI"),
            home_code=self._text("SMPP_HOME_CODE") or "",
            default_is_latin_1=self._is_set("SMPP_DEFAULT_LATIN_1"),
            is_protected_line=self._is_set("SMPP_PROTECTED_LINE"),
        )

    def _maybe_number(self, name: str) -> int | None:
        return self._number(name, 0) if self._text(name) else None

    def _is_set(self, name: str) -> bool:
        value = (self._text(name) or "no").lower()
        if value not in ("yes", "no"):
            self.problems.append(f"{name} must be yes or no")
        return value == "yes"
