"""An SMSC on loopback that answers as told, wrongly if so told, and remembers every PDU that reached it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from consular.providers.smpp.pdus import Address, ShortMessage, encode_message_id
from consular.providers.smpp.wire import Command, Framer, Pdu, frame_of

OURS = Address(1, 1, "218910000000")


@dataclass
class Session:
    """One connection of an ESME. writing: what it does with bytes, so that a test can drip or cut them."""

    smsc: Smsc
    socket: socket.socket
    number: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, data: bytes) -> None:
        with self.lock, contextlib.suppress(OSError):
            self.socket.sendall(data)

    def taken(self, pdu: Pdu, message_id: str) -> None:
        self.write(frame_of(Command.SUBMIT_SM_RESP, pdu.sequence, encode_message_id(message_id)))

    def refuse(self, pdu: Pdu, status: int) -> None:
        self.write(frame_of(Command.SUBMIT_SM_RESP, pdu.sequence, status=status))

    def cut(self) -> None:
        """Reset the connection at once."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        self.socket.close()

    def deliver(self, message: ShortMessage) -> int:
        """Send a deliver_sm; its sequence number."""
        sequence = next(self.smsc.sequences)
        self.write(frame_of(Command.DELIVER_SM, sequence, message.encode()))
        return sequence


Behaviour = Callable[[Session, Pdu, ShortMessage], None]


def take(session: Session, pdu: Pdu, message: ShortMessage) -> None:
    """The answer of a healthy SMSC: taken, under the next number in hex."""
    session.taken(pdu, f"{next(session.smsc.ids):X}")


@dataclass(frozen=True)
class Submitted:
    session: int
    sequence: int
    message: ShortMessage


class Smsc:
    """on_submit answers a submit_sm. bind_status refuses binds. is_silent: reads, and answers nothing but the bind."""

    def __init__(self, on_submit: Behaviour = take, bind_status: int = 0, port: int = 0) -> None:
        self.on_submit = on_submit
        self.bind_status = bind_status
        self.is_silent = False
        self.is_deaf = False
        self.ids = itertools.count(0x1A2B3C00)
        self.sequences = itertools.count(1)
        self.submitted: list[Submitted] = []
        self.heard: list[tuple[int, Pdu]] = []
        self.sessions: list[Session] = []
        self.binds: list[Pdu] = []
        self.may_read = threading.Event()
        self.may_read.set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    def answers(self) -> dict[int, int]:
        """Status by sequence number of every deliver_sm_resp."""
        return {pdu.sequence: pdu.status for _, pdu in list(self.heard) if pdu.command == Command.DELIVER_SM_RESP}

    def commands(self) -> list[int]:
        return [pdu.command for _, pdu in list(self.heard)]

    def stop(self) -> None:
        self.may_read.set()
        self._listener.close()
        for session in self.sessions:
            session.cut()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            session = Session(self, connection, len(self.sessions) + 1)
            self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session: Session) -> None:
        framer = Framer()
        while True:
            try:
                self.may_read.wait(20)
                data = session.socket.recv(65536)
            except OSError:
                return
            if not data:
                session.socket.close()
                return
            for pdu in framer.feed(data):
                self.heard.append((session.number, pdu))
                self._answer(session, pdu)

    def _answer(self, session: Session, pdu: Pdu) -> None:
        if self.is_deaf:
            return
        if pdu.command == Command.BIND_TRANSCEIVER:
            self.binds.append(pdu)
            body = b"" if self.bind_status else b"smsc\0"
            session.write(frame_of(Command.BIND_TRANSCEIVER_RESP, pdu.sequence, body, self.bind_status))
        elif pdu.command == Command.SUBMIT_SM:
            message = ShortMessage.decode(pdu.body)
            self.submitted.append(Submitted(session.number, pdu.sequence, message))
            if not self.is_silent:
                self.on_submit(session, pdu, message)
        elif pdu.command == Command.ENQUIRE_LINK and not self.is_silent:
            session.write(frame_of(Command.ENQUIRE_LINK_RESP, pdu.sequence))
        elif pdu.command == Command.UNBIND:
            session.write(frame_of(Command.UNBIND_RESP, pdu.sequence))


def receipt(message_id: str, phone: str, stat: str = "DELIVRD", err: str = "000", **changes: object) -> ShortMessage:
    """A delivery receipt as appendix B of the standard writes it."""
    dates = "submit date:2611211200 done date:2611211201"
    words = f"id:{message_id} sub:001 dlvrd:001 {dates} stat:{stat} err:{err} text:Stay in"
    values: dict[str, object] = {
        "source": Address(1, 1, phone.removeprefix("+")),
        "destination": OURS,
        "short_message": words.encode(),
        "esm_class": 0x04,
    }
    return ShortMessage(**{**values, **changes})  # type: ignore[arg-type]


def text(phone: str, octets: bytes, data_coding: int = 0, esm_class: int = 0, **changes: object) -> ShortMessage:
    """A text from a phone."""
    values: dict[str, object] = {"source": Address(1, 1, phone.removeprefix("+")), "destination": OURS}
    values |= {"short_message": octets, "data_coding": data_coding, "esm_class": esm_class}
    return ShortMessage(**{**values, **changes})  # type: ignore[arg-type]
