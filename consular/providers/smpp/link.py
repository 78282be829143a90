"""One bind to one SMSC over one non-blocking socket: connects, binds, asks whether the other side lives, and comes back
after a loss with growing waits. Knows frames and session, nothing of texts."""

from __future__ import annotations

import errno
import random
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import structlog

from consular.domain.ports import SendOutcome
from consular.providers.addresses import is_local_address
from consular.providers.smpp.codes import ESME_RINVCMDID, ESME_RINVCMDLEN, StatusRule, rule_for
from consular.providers.smpp.settings import SmppSettings
from consular.providers.smpp.wire import (
    LAST_SEQUENCE,
    RESPONSE,
    Command,
    Framer,
    FramingError,
    Pdu,
    frame_of,
)

log = structlog.get_logger(__name__)

_READ_BYTES = 262_144
_KERNEL_BUFFER_BYTES = 65_536
"""What the kernel holds when the line stalls leaves later, whatever its lease: it may not be much."""
_MOST_UNSENT_BYTES = 1_048_576
_FOR_THE_OWNER = frozenset({Command.SUBMIT_SM_RESP, Command.GENERIC_NACK, Command.DELIVER_SM})
_WITHOUT_ANSWER = frozenset({0x0000000B, 0x00000102})
"""outbind and alert_notification: requests that have no response."""


_GOODBYES = frozenset({"closed", "unbound"})


class State(Enum):
    """Where the bind stands."""

    DOWN = auto()
    CONNECTING = auto()
    BINDING = auto()
    BOUND = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Loss:
    """The bind is gone. is_last_unfinished: the last frame that write() began did not leave whole."""

    reason: str
    is_last_unfinished: bool


class Link:
    """The bind. service() must be called at least every second or so; it alone reads, connects and keeps time.

    Time is judged after reading: a process that was frozen finds the answers that came meanwhile.
    """

    def __init__(self, settings: SmppSettings) -> None:
        self._settings = settings
        self._bind_body = settings.bind().encode()
        self._selector = selectors.DefaultSelector()
        self._socket: socket.socket | None = None
        self._events = 0
        self._framer = Framer()
        self._out = bytearray()
        self._unfinished = 0
        self._unfinished_since = 0.0
        self._broken: str | None = None
        self._sequence = 0
        self._failures = 0
        self._tries = 0
        self._retry_at = 0.0
        self._deadline = 0.0
        self._heard_at = 0.0
        self._asked_at: float | None = None
        self._loss: Loss | None = None
        self.state = State.DOWN
        self.session = 0
        self.refusal: StatusRule | None = None
        self._last_reason = "not_connected_yet"

    @property
    def trouble(self) -> str:
        """Why the bind does not stand: the SMSC's refusal by its name, else what ended the last connection."""
        return self.refusal.name if self.refusal else self._last_reason

    @property
    def is_bound(self) -> bool:
        """Whether PDUs may be written now."""
        return self.state is State.BOUND

    @property
    def is_waiting(self) -> bool:
        """Whether the next try to connect lies in the future, so that nothing can leave soon."""
        return self.state is State.CLOSED or (self.state is State.DOWN and time.monotonic() < self._retry_at)

    @property
    def retry_in(self) -> float:
        """Seconds until the next try to connect."""
        return max(0.0, self._retry_at - time.monotonic())

    def take_loss(self) -> Loss | None:
        """The loss since the last call, once."""
        loss, self._loss = self._loss, None
        return loss

    def next_sequence(self) -> int:
        """The sequence number of our next request."""
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        return self._sequence

    def write(self, frames: Sequence[bytes]) -> int:
        """Write requests at once; how many were begun. What was not begun did not leave and may be withdrawn.

        Raises nothing: an error of the socket shows as a loss.
        """
        self._flush()
        if not self.is_bound or self._out or not frames:
            return 0
        sent = self._send(b"".join(frames))
        begun = end = 0
        while begun < len(frames) and end < sent:
            end += len(frames[begun])
            begun += 1
        if end > sent:
            self._out += frames[begun - 1][sent - end :]
            self._unfinished, self._unfinished_since = end - sent, time.monotonic()
            self._watch()
        return begun

    def answer(self, command: Command, sequence: int, body: bytes = b"", status: int = 0) -> None:
        """Write a response as soon as the socket takes it."""
        if self._socket is None:
            return
        self._out += frame_of(command, sequence, body, status)
        if len(self._out) > _MOST_UNSENT_BYTES:
            self.drop("answers_not_read")
            return
        self._flush()

    def service(self, timeout_seconds: float) -> list[Pdu]:
        """Wait at most that long for something to happen, and do what is due; the PDUs that concern texts, in order."""
        now = time.monotonic()
        if self.state is State.DOWN and now >= self._retry_at:
            self._connect(now)
        wait = max(0.0, min(timeout_seconds, self._next_timer() - time.monotonic())) if self._broken is None else 0.0
        pdus: list[Pdu] = []
        for _, events in self._selector.select(wait):
            if self.state is State.CONNECTING:
                self._finish_connecting()
                continue
            if events & selectors.EVENT_READ:
                pdus += self._read()
            if events & selectors.EVENT_WRITE:
                self._flush()
        if self._broken is not None:
            reason = self._broken
            pdus += self._read()
            self.drop(reason)
        self._keep_time(time.monotonic())
        return pdus

    def unbind(self) -> None:
        """Say goodbye; the link is closed when the answer comes, or by close()."""
        if self.is_bound and not self._unfinished:
            self._out += frame_of(Command.UNBIND, self.next_sequence())
            self._flush()
        else:
            self.close()

    def close(self) -> None:
        """Close the socket for good."""
        self.drop("closed")
        self.state = State.CLOSED
        self._selector.close()

    def drop(self, reason: str, wait_seconds: float | None = None) -> None:
        """Give the connection up and try again later."""
        if self.state in (State.DOWN, State.CLOSED):
            return
        was_bound = self.is_bound
        if self._socket is not None:
            if self._events:
                self._selector.unregister(self._socket)
            self._socket.close()
        self._loss = Loss(reason, self._unfinished > 0)
        self._last_reason = reason
        self._socket, self._events, self._unfinished, self._broken = None, 0, 0, None
        self._out.clear()
        self.state = State.DOWN
        wait = self._own_wait() if wait_seconds is None else wait_seconds
        wait *= random.uniform(0.5, 1.0)
        self._failures += 1
        self._retry_at = time.monotonic() + wait
        write = log.info if reason in _GOODBYES else log.warning
        write("smpp_lost", gateway=self._settings.name, reason=reason, was_bound=was_bound, retry_in=round(wait, 2))

    def _own_wait(self) -> float:
        return min(
            self._settings.longest_wait_seconds, self._settings.first_wait_seconds * 2.0 ** min(self._failures, 16)
        )

    def _connect(self, now: float) -> None:
        self.state = State.CONNECTING
        self._deadline = now + self._settings.connect_timeout_seconds
        try:
            found = socket.getaddrinfo(self._settings.host, self._settings.port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = found[self._tries % len(found)]
            self._tries += 1
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER_BYTES)
            code = self._socket.connect_ex(address)
        except OSError:
            self.drop("connect_failed")
            return
        if code not in (0, errno.EINPROGRESS):
            self.drop("connect_failed")
            return
        self._events = selectors.EVENT_WRITE
        self._selector.register(self._socket, self._events)

    def _finish_connecting(self) -> None:
        assert self._socket is not None
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.drop("connect_failed")
            return
        if self._settings.is_exercise and not is_local_address(self._socket.getpeername()[0]):
            self.drop("not_local", self._settings.refused_wait_seconds)
            return
        self.state = State.BINDING
        self._framer = Framer()
        self._sequence = 0
        self._asked_at = None
        self._out += frame_of(Command.BIND_TRANSCEIVER, self.next_sequence(), self._bind_body)
        self._flush()
        self._watch()

    def _read(self) -> list[Pdu]:
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            self.drop(f"read_{errno.errorcode.get(error.errno or 0, 'error')}")
            return []
        if not data:
            self.drop("closed_by_smsc")
            return []
        pdus: list[Pdu] = []
        try:
            for pdu in self._framer.feed(data):
                self._heard(pdu, pdus)
                if not self._is_open():
                    break
        except FramingError:
            self.answer(Command.GENERIC_NACK, 0, status=ESME_RINVCMDLEN)
            self.drop("garbage")
        return pdus

    def _heard(self, pdu: Pdu, pdus: list[Pdu]) -> None:
        self._heard_at = time.monotonic()
        self._asked_at = None
        if self.state is State.BINDING:
            self._heard_while_binding(pdu)
            return
        self._failures = 0
        if pdu.command in _FOR_THE_OWNER:
            pdus.append(pdu)
        elif pdu.command == Command.ENQUIRE_LINK:
            self.answer(Command.ENQUIRE_LINK_RESP, pdu.sequence)
        elif pdu.command == Command.UNBIND:
            self.answer(Command.UNBIND_RESP, pdu.sequence)
            self._broken = self._broken or "unbound_by_smsc"
        elif pdu.command == Command.UNBIND_RESP:
            self.drop("unbound")
        elif not pdu.command & RESPONSE and pdu.command not in _WITHOUT_ANSWER:
            self.answer(Command.GENERIC_NACK, pdu.sequence, status=ESME_RINVCMDID)

    def _heard_while_binding(self, pdu: Pdu) -> None:
        if pdu.command not in (Command.BIND_TRANSCEIVER_RESP, Command.GENERIC_NACK):
            return
        if pdu.status or pdu.command == Command.GENERIC_NACK:
            self.refusal = rule_for(pdu.status)
            is_final = self.refusal.outcome is SendOutcome.REFUSED
            log.error("smpp_bind_refused", gateway=self._settings.name, error=self.refusal.name)
            self.drop("bind_refused", self._settings.refused_wait_seconds if is_final else None)
            return
        self.refusal = None
        self.session += 1
        self.state = State.BOUND
        log.info("smpp_bound", gateway=self._settings.name, session=self.session)

    def _is_open(self) -> bool:
        return self._socket is not None

    def _keep_time(self, now: float) -> None:
        if self.state in (State.CONNECTING, State.BINDING) and now >= self._deadline:
            self.drop("bind_timeout")
        elif self._is_stuck(now):
            self.drop("write_timeout")
        elif self.is_bound and self._asked_at is not None:
            if now - self._asked_at >= self._settings.answer_timeout_seconds:
                self.drop("silent")
        elif self.is_bound and now - self._heard_at >= self._settings.enquire_seconds:
            self._asked_at = now
            self._out += frame_of(Command.ENQUIRE_LINK, self.next_sequence())
            self._flush()

    def _is_stuck(self, now: float) -> bool:
        """A request that is only half written must not leave after its lease, which is longer than an answer's time."""
        return self._unfinished > 0 and now - self._unfinished_since >= self._settings.answer_timeout_seconds

    def _next_timer(self) -> float:
        if self.state is State.DOWN:
            return self._retry_at
        if self.state in (State.CONNECTING, State.BINDING):
            return self._deadline
        patience = self._settings.answer_timeout_seconds
        timer = self._heard_at + self._settings.enquire_seconds if self._asked_at is None else self._asked_at + patience
        return min(timer, self._unfinished_since + patience) if self._unfinished else timer

    def _flush(self) -> None:
        if self._socket is None or not self._out or self.state is State.CONNECTING:
            return
        if self._is_stuck(time.monotonic()):
            self.drop("write_timeout")
            return
        sent = self._send(bytes(self._out))
        del self._out[:sent]
        self._unfinished = max(0, self._unfinished - sent)
        self._watch()

    def _send(self, data: bytes) -> int:
        """How much the socket took. One that takes no more, or may be given no more, is left only after what it brought
        was read: answers are proof."""
        assert self._socket is not None
        if self._broken is not None:
            return 0
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broken = f"write_{errno.errorcode.get(error.errno or 0, 'error')}"
            return 0

    def _watch(self) -> None:
        if self._socket is None:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        if events != self._events:
            self._selector.modify(self._socket, events)
            self._events = events
