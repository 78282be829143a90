"""What a Twilio account (or whatever plays it) needs to be spoken to; wrong settings are refused at once."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import quote

from consular.providers.addresses import check_base_url
from consular.providers.exchange import Route

_ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
_SERVICE_SID = re.compile(r"MG[0-9a-f]{32}")
_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")
_SENDER = re.compile(r"\+[1-9][0-9]{5,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}")


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """Settings of one gateway. Raises ValueError, in words for the operator and without the secret, when one is wrong.

    sender: an E.164 number, short code, alphanumeric name or messaging service sid (MG...). numbers: the numbers
    people answer to; the sender when empty. is_exercise: only a host of our own is allowed, never twilio.com. Times
    in seconds; total_timeout covers connecting, writing and reading of one message; list_timeout all pages of one
    list call. ca_file: certificates to trust instead of Mozilla's list, for a gateway with an authority of its own.
    """

    name: str
    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    numbers: tuple[str, ...] = ()
    is_exercise: bool = False
    concurrency: int = 100
    connect_timeout_seconds: float = 5.0
    total_timeout_seconds: float = 15.0
    list_timeout_seconds: float = 20.0
    lease_margin_seconds: float = 1.0
    ca_file: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", check_base_url(self.base_url, is_exercise=self.is_exercise))
        _require(_ACCOUNT_SID.fullmatch(self.account_sid), "The account sid must be AC followed by 32 signs 0-9 a-f.")
        _require(
            self.auth_token and self.auth_token.isascii() and self.auth_token.isprintable(),
            "The auth token is missing or unreadable.",
        )
        is_sender = _SERVICE_SID.fullmatch(self.sender) or _SENDER.fullmatch(self.sender)
        _require(
            is_sender, "The sender must be +number, a short code, up to 11 letters, or a messaging service sid (MG...)."
        )
        _require(
            all(map(_PHONE.fullmatch, self.numbers)), "Each number people answer to must be written like +15557122661."
        )
        _require(1 <= self.concurrency <= 10_000, "The number of requests at once must be between 1 and 10,000.")
        times = (self.connect_timeout_seconds, self.total_timeout_seconds, self.list_timeout_seconds)
        _require(
            all(0 < seconds <= 600 for seconds in times), "Each time limit must be above 0 and at most 600 seconds."
        )

    @property
    def sender_field(self) -> str:
        """The form field that names the sender."""
        return "MessagingServiceSid" if _SERVICE_SID.fullmatch(self.sender) else "From"

    @property
    def messages_path(self) -> str:
        """The path of this account's messages, to create (POST) and to list (GET)."""
        return f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"

    @property
    def listening_numbers(self) -> tuple[str, ...]:
        """The numbers whose inbound texts are ours; empty when only the messaging service knows them."""
        return self.numbers or ((self.sender,) if _PHONE.fullmatch(self.sender) else ())

    def route(self, path_and_query: str, total_timeout_seconds: float, max_answer_bytes: int) -> Route:
        """How to reach a path of this account, with its password in the headers."""
        password = b64encode(f"{quote(self.account_sid)}:{self.auth_token}".encode()).decode()
        return Route(
            url=self.base_url + path_and_query,
            headers=(f"Authorization: Basic {password}", "Accept: application/json"),
            connect_timeout_seconds=min(self.connect_timeout_seconds, total_timeout_seconds),
            total_timeout_seconds=total_timeout_seconds,
            only_local=self.is_exercise,
            max_answer_bytes=max_answer_bytes,
            ca_file=self.ca_file,
        )


def _require(is_right: object, message: str) -> None:
    if not is_right:
        raise ValueError(message)
