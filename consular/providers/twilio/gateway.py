"""Texts through Twilio's Messages API: many requests in flight from one thread, each written at most once."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from consular.domain.ports import FailureReason, RefusalScope, RemoteMessage, SendOutcome, SmsRequest, SmsResult
from consular.providers.exchange import MAX_ANSWER_BYTES, Answer
from consular.providers.exchanges import Exchanges
from consular.providers.open_files import allow_open_files
from consular.providers.twilio.answers import judge
from consular.providers.twilio.forms import create_form, sender_part
from consular.providers.twilio.lists import MessageLists
from consular.providers.twilio.settings import TwilioSettings

_OPEN_FILES_BESIDE_CONNECTIONS = 128


class TwilioGateway:
    """domain.ports.SmsGateway over Twilio's Messages API. For one thread, not across a fork.

    callback_url gives the signed StatusCallback address of an attempt. A request whose lease ends before the total
    time of a request and a margin are over is not written but comes back NOT_SENT with error code "lease". No
    exception and no representation of this object holds a number, a text or the password.
    """

    def __init__(self, settings: TwilioSettings, callback_url: Callable[[UUID], str]) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self._callback_url = callback_url
        self._account_sid = settings.account_sid
        self._needed_lease = settings.total_timeout_seconds + settings.lease_margin_seconds
        self._sender = sender_part(settings.sender_field, settings.sender)
        self._waiting: deque[SmsRequest] = deque()
        self._done: list[SmsResult] = []
        allow_open_files(settings.concurrency + _OPEN_FILES_BESIDE_CONNECTIONS)
        route = settings.route(settings.messages_path, settings.total_timeout_seconds, MAX_ANSWER_BYTES)
        self._exchanges: Exchanges[UUID] = Exchanges(route, settings.concurrency)
        self._lists = MessageLists(settings)

    @property
    def in_flight(self) -> int:
        """Requests submitted and not yet returned by poll(), waiting ones included."""
        return len(self._waiting) + len(self._done) + self._exchanges.in_flight

    def submit(self, request: SmsRequest) -> None:
        """Begin to hand over one text, or keep it in memory until a connection is free."""
        if self._exchanges.has_room and not self._waiting:
            self._start(request)
        else:
            self._waiting.append(request)

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]:
        """Results as soon as there are some, an empty list after the timeout or when nothing is in flight."""
        self._start_waiting()
        answers = self._exchanges.poll(0.0 if self._done else timeout_seconds)
        results, self._done = self._done, []
        results.extend(self._result(attempt_id, answer) for attempt_id, answer in answers)
        self._start_waiting()
        return results

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]:
        """The messages to a number the gateway knows, created at or after `since`. Raises GatewayError."""
        return self._lists.find(to, since)

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]:
        """The texts people sent to our numbers at or after `since`. Raises GatewayError."""
        return self._lists.list_inbound(since)

    def list_sent(self, since: datetime) -> Iterable[RemoteMessage]:
        """Every text we sent at or after `since`, newest first. Raises GatewayError while it is read."""
        return self._lists.list_sent(since)

    def close(self) -> None:
        """Close every connection; what was in flight stays unknown and is resolved from the database."""
        self._exchanges.close()

    def _start_waiting(self) -> None:
        while self._waiting and self._exchanges.has_room:
            self._start(self._waiting.popleft())

    def _start(self, request: SmsRequest) -> None:
        try:
            form = create_form(request, self._sender, self._callback_url(request.attempt_id))
        except UnicodeEncodeError:
            self._done.append(_unencodable(request.attempt_id))
            return
        if request.lease_ends_at - time.monotonic() < self._needed_lease:
            self._done.append(SmsResult(request.attempt_id, SendOutcome.NOT_SENT, error_code="lease"))
            return
        self._exchanges.start(request.attempt_id, form)

    def _result(self, attempt_id: UUID, answer: Answer) -> SmsResult:
        verdict = judge(answer, self._account_sid)
        return SmsResult(
            attempt_id,
            verdict.outcome,
            answer.status,
            verdict.provider_message_id,
            verdict.provider_status,
            verdict.error_code,
            verdict.failure_reason,
            verdict.scope,
            verdict.retry_after_seconds,
            answer.latency_seconds,
        )


def _unencodable(attempt_id: UUID) -> SmsResult:
    return SmsResult(
        attempt_id,
        SendOutcome.REFUSED,
        error_code="encoding",
        failure_reason=FailureReason.CONTENT_REJECTED,
        scope=RefusalScope.NUMBER,
    )
