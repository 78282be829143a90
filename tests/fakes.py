"""A gateway in memory that keeps the promises of domain.ports.SmsGateway and does exactly what a test tells it."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from consular.domain.ports import (
    GatewayError,
    NoListError,
    RefusalScope,
    RemoteMessage,
    SendOutcome,
    SmsRequest,
    SmsResult,
)

Answer = Callable[[SmsRequest], SmsResult]
LEASE_NEEDED_SECONDS = 1.0


def accepted(request: SmsRequest) -> SmsResult:
    """Taken: 201 with a new id."""
    sid = f"SM{secrets.token_hex(16)}"
    return SmsResult(request.attempt_id, SendOutcome.ACCEPTED, 201, sid, "queued")


def throttled(retry_after: float | None = None) -> Answer:
    """429."""
    return lambda request: SmsResult(
        request.attempt_id, SendOutcome.NOT_SENT, 429, error_code="20429", retry_after_seconds=retry_after
    )


def refused(code: str, scope: RefusalScope = RefusalScope.NUMBER) -> Answer:
    """4xx with a code."""
    return lambda request: SmsResult(request.attempt_id, SendOutcome.REFUSED, 400, error_code=code, scope=scope)


def unreachable(request: SmsRequest) -> SmsResult:
    """No connection: certainly not sent."""
    return SmsResult(request.attempt_id, SendOutcome.NOT_SENT, error_code="transport-7")


def lost(request: SmsRequest) -> SmsResult:
    """No answer, and the gateway did not take it."""
    return SmsResult(request.attempt_id, SendOutcome.UNKNOWN, error_code="transport-28")


class FakeGateway:
    """answer: what the next requests get. Accepted texts, and those taken without an answer, are in `taken` and in
    the list.

    list_error: find() and list_inbound() raise. has_list: False raises NoListError, as SMPP does. hold: requests
    stay in flight until it is False.
    """

    def __init__(self, name: str = "exercise", concurrency: int = 100, answer: Answer = accepted) -> None:
        self.name = name
        self.concurrency = concurrency
        self.answer = answer
        self.taken: list[SmsRequest] = []
        self.taken_at: list[float] = []
        self.submitted: list[SmsRequest] = []
        self.list: list[RemoteMessage] = []
        self.inbound: list[RemoteMessage] = []
        self.list_error = False
        self.has_list = True
        self.list_calls = 0
        self.hold = False
        self.before_poll: Callable[[], None] = lambda: None
        self._flying: deque[SmsRequest] = deque()

    @property
    def in_flight(self) -> int:
        return len(self._flying)

    def submit(self, request: SmsRequest) -> None:
        self.submitted.append(request)
        self._flying.append(request)

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]:
        self.before_poll()
        if self.hold:
            return []
        ready, self._flying = list(self._flying), deque()
        return [self._result(request) for request in ready]

    def _result(self, request: SmsRequest) -> SmsResult:
        if request.lease_ends_at - time.monotonic() < LEASE_NEEDED_SECONDS:
            return SmsResult(request.attempt_id, SendOutcome.NOT_SENT, error_code="lease")
        result = self.answer(request)
        if result.outcome is SendOutcome.ACCEPTED:
            self.take(request, result.provider_message_id)
        return result

    def take(self, request: SmsRequest, sid: str | None = None) -> None:
        """Accept a text, whatever the client is told about it."""
        self.taken.append(request)
        self.taken_at.append(time.monotonic())
        self.list.append(
            RemoteMessage(
                provider_message_id=sid or f"SM{secrets.token_hex(16)}",
                to=request.to,
                sender="+15005550006",
                body=request.body,
                status="queued",
                error_code=None,
                created_at=datetime.now(UTC),
                is_inbound=False,
            )
        )

    def taken_but_lost(self, request: SmsRequest) -> SmsResult:
        """Taken, but the answer does not arrive: the client cannot know."""
        self.take(request)
        return lost(request)

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]:
        self._count_list_call()
        return [message for message in self.list if message.to == to and message.created_at >= since]

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]:
        self._count_list_call()
        return [message for message in self.inbound if message.created_at >= since]

    def list_sent(self, since: datetime) -> Iterator[RemoteMessage]:
        self._count_list_call()
        yield from (message for message in reversed(self.list) if message.created_at >= since)

    def _count_list_call(self) -> None:
        self.list_calls += 1
        if not self.has_list:
            raise NoListError("This gateway has no list.")
        if self.list_error:
            raise GatewayError("The gateway's list gave no answer.")

    def close(self) -> None:
        self._flying.clear()

    def attempts(self) -> list[UUID]:
        """Attempts whose text was taken, in order."""
        return [request.attempt_id for request in self.taken]
