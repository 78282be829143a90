"""What the services need of the outside world, as Protocols and frozen values; adapters live in consular.providers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class SendOutcome(StrEnum):
    """Class of one gateway request (docs/adr/0003): what we know about whether the text left us."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class RefusalScope(StrEnum):
    """How far one refusal reaches: this number, every number of the country, or the whole account.

    ROUTE: this number or its whole country; one answer does not tell which (services.probation).
    """

    NUMBER = "number"
    ROUTE = "route"
    COUNTRY = "country"
    ACCOUNT = "account"


class FailureReason(StrEnum):
    """Why a message did not arrive, in words shared by all providers."""

    INVALID_NUMBER = "invalid_number"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    OPTED_OUT = "opted_out"
    CONTENT_REJECTED = "content_rejected"
    SENDER_REJECTED = "sender_rejected"
    QUOTA = "quota"
    PROVIDER_ERROR = "provider_error"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class SmsRequest:
    """One text to hand over.

    attempt_id: goes into the callback URL, so that a receipt proves which attempt it belongs to.
    to: E.164. body: the exact text. validity_seconds: 1..36,000, after which the gateway must give up.
    lease_ends_at: time.monotonic() value after which the request must no longer be written to the socket.
    """

    attempt_id: UUID
    to: str
    body: str
    validity_seconds: int
    lease_ends_at: float


@dataclass(frozen=True, slots=True)
class SmsResult:
    """What became of one SmsRequest. retry_after_seconds only with NOT_SENT; provider_message_id only with ACCEPTED."""

    attempt_id: UUID
    outcome: SendOutcome
    http_status: int | None = None
    provider_message_id: str | None = None
    provider_status: str | None = None
    error_code: str | None = None
    failure_reason: FailureReason | None = None
    scope: RefusalScope | None = None
    retry_after_seconds: float | None = None
    latency_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """A message as the gateway's own list shows it (reconciliation, gap filling)."""

    provider_message_id: str
    to: str
    sender: str
    body: str
    status: str
    error_code: str | None
    created_at: datetime
    is_inbound: bool


class SmsGateway(Protocol):
    """A gateway that keeps many requests in flight from one thread.

    submit() never blocks on the network and never raises for a failed request: every submitted request comes back from
    poll() exactly once. find() and list_inbound() block, at most `timeout_seconds`, and raise GatewayError; always
    NoListError where there is no list. So does list_sent(): every text that left since then, newest first, read page by
    page, each page within `timeout_seconds`, while it is iterated.
    """

    name: str
    concurrency: int

    @property
    def in_flight(self) -> int: ...

    def submit(self, request: SmsRequest) -> None: ...

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]: ...

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]: ...

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]: ...

    def list_sent(self, since: datetime) -> Iterable[RemoteMessage]: ...

    def close(self) -> None: ...


class GatewayError(Exception):
    """A gateway's list call did not give an answer that can be trusted. Carries no address, number or text."""


class NoListError(GatewayError):
    """This kind of gateway has no list at all: asking again is of no use, only receipts and time settle a doubt."""


@dataclass(frozen=True, slots=True)
class PostRequest:
    """One public post. idempotency_key: the same for every try of the same post. language: BCP-47 tag."""

    text: str
    language: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class PostResult:
    """What became of a post; error is a short text for the officer without secrets."""

    outcome: SendOutcome
    provider_post_id: str | None = None
    permalink: str | None = None
    http_status: int | None = None
    error: str | None = None
    retry_after_seconds: float | None = None


class Publisher(Protocol):
    """A public account on one network.

    publish() blocks at most `timeout_seconds` of its construction, never raises for a failed request.
    is_idempotent: the network itself refuses or folds a second post with the same key, so `unknown` may be tried again.
    """

    network: str
    account: str
    character_limit: int
    is_idempotent: bool

    def publish(self, request: PostRequest) -> PostResult: ...
