"""Texts through any operator's HTTP interface: many requests in flight from one thread, each written at most once."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from consular.domain.ports import (
    FailureReason,
    NoListError,
    RefusalScope,
    RemoteMessage,
    SendOutcome,
    SmsRequest,
    SmsResult,
)
from consular.providers.http_gateway.answers import judge
from consular.providers.http_gateway.exchanges import MadeExchanges
from consular.providers.http_gateway.request_maker import RequestMaker
from consular.providers.http_gateway.settings import HttpSettings
from consular.providers.open_files import allow_open_files

_OPEN_FILES_BESIDE_CONNECTIONS = 128


class HttpGateway:
    """domain.ports.SmsGateway over the HTTP interface that a profile describes. For one thread, not across a fork.

    callback_url gives the signed receipt address of an attempt. A request whose lease ends before the total time of a
    request and a margin are over is not written but comes back NOT_SENT with error code "lease". Such operators keep no
    list that can be read: find() and list_inbound() raise NoListError, and only a receipt proves an unknown text. No
    exception and no representation of this object holds a number, a text or a secret. Raises ValueError for a profile
    that the settings cannot fill.
    """

    def __init__(self, settings: HttpSettings, callback_url: Callable[[UUID], str]) -> None:
        self.name = settings.name
        self.concurrency = settings.concurrency
        self._rules = settings.profile.answers
        self._needed_lease = settings.total_timeout_seconds + settings.lease_margin_seconds
        self._maker = RequestMaker(settings, callback_url)
        self._waiting: deque[SmsRequest] = deque()
        self._done: list[SmsResult] = []
        allow_open_files(settings.concurrency + _OPEN_FILES_BESIDE_CONNECTIONS)
        self._exchanges: MadeExchanges[UUID] = MadeExchanges(self._maker.route(), settings.concurrency)

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
        results.extend(judge(answer, self._rules, attempt_id) for attempt_id, answer in answers)
        self._start_waiting()
        return results

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]:
        """Always NoListError: an answer that is not there proves nothing about a text."""
        raise NoListError("This gateway keeps no list of texts.")

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]:
        """Always NoListError: there is no list."""
        raise NoListError("This gateway keeps no list of texts.")

    def list_sent(self, since: datetime) -> Iterable[RemoteMessage]:
        """Always NoListError: there is no list."""
        raise NoListError("This gateway keeps no list of texts.")

    def close(self) -> None:
        """Close every connection; what was in flight stays unknown and is resolved by receipts."""
        self._exchanges.close()

    def _start_waiting(self) -> None:
        while self._waiting and self._exchanges.has_room:
            self._start(self._waiting.popleft())

    def _start(self, request: SmsRequest) -> None:
        try:
            made = self._maker.make(request)
        except ValueError:
            self._done.append(_unencodable(request.attempt_id))
            return
        if request.lease_ends_at - time.monotonic() < self._needed_lease:
            self._done.append(SmsResult(request.attempt_id, SendOutcome.NOT_SENT, error_code="lease"))
            return
        self._exchanges.start_made(request.attempt_id, made)


def _unencodable(attempt_id: UUID) -> SmsResult:
    return SmsResult(
        attempt_id,
        SendOutcome.REFUSED,
        error_code="encoding",
        failure_reason=FailureReason.CONTENT_REJECTED,
        scope=RefusalScope.NUMBER,
    )
