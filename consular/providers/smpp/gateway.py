"""Texts through a national operator's SMSC: one bind held for the life of the process, many submit_sm in flight."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from consular.domain.ports import NoListError, RemoteMessage, SmsRequest, SmsResult
from consular.providers.smpp.ids import Ledger
from consular.providers.smpp.inbox import Inbox, Store
from consular.providers.smpp.link import Link
from consular.providers.smpp.outbox import Outbox, Text
from consular.providers.smpp.received import SmppReceipt
from consular.providers.smpp.settings import SmppSettings
from consular.providers.smpp.wire import Command, Pdu

_LONGEST_WAIT = 1.0
_GOODBYE_SECONDS = 1.0


class SmppGateway:
    """domain.ports.SmsGateway over one SMPP 3.4 transceiver bind. For one thread, not across a fork.

    Connects with the first poll(). poll() is also what keeps the bind alive and hears receipts and texts: call it at
    least every few seconds, with nothing in flight too. store gets what was heard, see inbox.Store; it is called within
    poll() and close(), and only what it returned for is confirmed to the SMSC. When it raises anything but NotStored,
    the SMSC is asked to deliver again and the exception comes out of poll(), which may simply be called again.

    provider_message_id is the id of the last part in its plainest spelling (smsc_ids.spellings); the others are known
    to this process and find their attempt here.
    No exception and no representation of this object holds a number, a text or the password.
    """

    def __init__(self, settings: SmppSettings, store: Store) -> None:
        self.name = settings.name
        self.concurrency = settings.window
        ledger = Ledger()
        self._link = Link(settings)
        self._outbox = Outbox(settings, self._link, ledger)
        self._inbox = Inbox(settings, self._link, ledger, store, self._outbox.expects)
        self._pdus: deque[Pdu] = deque()
        self._is_closed = False

    @property
    def in_flight(self) -> int:
        """Requests submitted and not yet returned by poll(), waiting ones included."""
        return self._outbox.open

    @property
    def is_bound(self) -> bool:
        """Whether texts can leave now."""
        return self._link.is_bound

    @property
    def trouble(self) -> str:
        """Why texts cannot leave now: the name of a refused bind's status, or what ended the last connection."""
        return self._link.trouble

    def submit(self, request: SmsRequest) -> None:
        """Begin to hand over one text, or keep it in memory until the window has room or the bind stands."""
        self._outbox.submit(request)
        if not self._is_closed:
            self._outbox.pump()

    def poll(self, timeout_seconds: float) -> Sequence[SmsResult]:
        """Results as soon as there are some, an empty list after the timeout; hands over what was heard meanwhile."""
        ends_at = time.monotonic() + timeout_seconds
        while not self._is_closed:
            moments = (ends_at, self._outbox.next_timer(), self._inbox.next_timer(), time.monotonic() + _LONGEST_WAIT)
            is_ready = bool(self._outbox.done or self._pdus)
            self._step(0.0 if is_ready else min(moments) - time.monotonic())
            if self._outbox.done or time.monotonic() >= ends_at:
                break
        self._outbox.pump()
        results, self._outbox.done = self._outbox.done, []
        self._outbox.open -= len(results)
        return results

    def find(self, to: str, since: datetime) -> Sequence[RemoteMessage]:
        """SMPP has no list: query_sm needs the id that is missing when one would ask."""
        raise NoListError("An SMSC cannot list the messages to a number; only receipts and time settle a doubt.")

    def list_inbound(self, since: datetime) -> Sequence[RemoteMessage]:
        """SMPP has no list: the SMSC delivers a text again until it is confirmed."""
        raise NoListError("An SMSC cannot list inbound texts; it delivers each until it is confirmed.")

    def list_sent(self, since: datetime) -> Iterable[RemoteMessage]:
        """SMPP has no list."""
        raise NoListError("An SMSC cannot list what it took.")

    def close(self) -> None:
        """Unbind, within a second, and close; what was in flight stays unknown and is resolved from the database."""
        if self._is_closed:
            return
        self._link.unbind()
        ends_at = time.monotonic() + _GOODBYE_SECONDS
        try:
            while self._link.is_bound and time.monotonic() < ends_at:
                self._hear(ends_at - time.monotonic())
        finally:
            self._is_closed = True
            self._link.close()

    def _step(self, wait_seconds: float) -> None:
        self._hear(wait_seconds)
        self._outbox.expire()
        self._outbox.pump()

    def _hear(self, wait_seconds: float) -> None:
        self._pdus.extend(self._link.service(max(0.0, wait_seconds)))
        while self._pdus:
            pdu = self._pdus.popleft()
            if pdu.command == Command.DELIVER_SM:
                self._inbox.delivered(pdu)
            else:
                self._outbox.answered(pdu)
        self._see_loss()
        for text in self._outbox.taken_late:
            self._inbox.tell(_proof(text))
        self._outbox.taken_late.clear()
        self._inbox.hand_over()
        self._see_loss()

    def _see_loss(self) -> None:
        loss = self._link.take_loss()
        if loss is not None:
            self._outbox.lost(loss)
            self._inbox.lost()


def _proof(text: Text) -> SmppReceipt:
    """An answer that came after its time proves what the result had to leave open."""
    request = text.request
    message_id = text.ids[-1] or ""
    return SmppReceipt(message_id, request.attempt_id, "ACCEPTD", "ACCEPTD", None, request.to, parts=len(text.ids))
