"""What the gateway remembers of each text: a few bytes in arrays, the request itself in a file without a name."""

import os
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import NamedTuple

from consular.drill.gateway.http1 import form_fields
from consular.drill.numbers import is_stranger

_REFERENCE = re.compile(r"\bRef\.?[ :]+([A-Z0-9]{4,10})\b")
_LINK = re.compile(r"https?://[^\s<>\"]+/s/[^\s<>\"]+")
_BUFFERED = 1 << 20


class Status(IntEnum):
    """States of a text as Twilio names them."""

    QUEUED = 0
    SENT = 1
    DELIVERED = 2
    UNDELIVERED = 3
    FAILED = 4
    RECEIVED = 5


STATUS_NAMES = tuple(status.name.lower() for status in Status)


class Record(NamedTuple):
    """One text as the API shows it. Times are seconds since the epoch; sent_at is 0.0 while queued."""

    number: int
    to: str
    sender: str
    service: str
    body: str
    callback: str
    status: Status
    error_code: int
    created_at: float
    sent_at: float


@dataclass(slots=True)
class Tally:
    """Accepted texts. duplicates: alerts that one phone was sent again; repeated_others: receipts and the like."""

    accepted: int = 0
    duplicates: int = 0
    repeated_others: int = 0


def reference(body: str) -> str | None:
    """The reference a text carries ("Ref K7Q2XM"), None when there is none."""
    match = _REFERENCE.search(body)
    return match[1] if match else None


def link(body: str) -> str | None:
    """The signed personal link in a text, None when there is none."""
    match = _LINK.search(body)
    return match[0] if match else None


class Store:
    """Every text in order of acceptance, outgoing and incoming; `number` counts from 0 and is part of the sid."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.sid_prefix = os.urandom(8).hex()
        self._spool = TemporaryFile(buffering=_BUFFERED)  # noqa: SIM115 - open as long as the process
        self._length = 0
        self._offsets = array("Q")
        self._hashes = array("q")
        self._status = bytearray()
        self._errors = array("H")
        self._acknowledged = bytearray()
        self._created = array("d")
        self._sent = array("d")
        self._phones: list[str] = []
        self._by_phone: dict[str, int | list[int]] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    def sid(self, number: int) -> str:
        """SM and 32 hexadecimal digits: the first half is this process's, the second is the number."""
        return f"SM{self.sid_prefix}{number:016x}"

    def number(self, sid: str) -> int | None:
        """The number behind one of our sids, None for any other."""
        prefix, digits = sid[:18], sid[18:]
        if prefix != f"SM{self.sid_prefix}" or re.fullmatch(r"[0-9a-f]{16}", digits) is None:
            return None
        number = int(digits, 16)
        return number if number < len(self) else None

    def add_outgoing(self, to: str, raw_form: bytes, raw_body: bytes, now: float) -> int:
        """Keep an accepted create request as it came; raw_body is its Body still form-encoded."""
        text_hash = hash(raw_body)
        self.tally.accepted += 1
        if any(self._hashes[number] == text_hash for number in self.numbers(to)):
            if self._is_alert_again(to, text_hash, form_fields(f"Body={raw_body.decode('ascii', 'replace')}")["Body"]):
                self.tally.duplicates += 1
            else:
                self.tally.repeated_others += 1
        return self._append(to, raw_form, text_hash, Status.QUEUED, now)

    def add_incoming(self, sender: str, raw_form: bytes, now: float) -> int:
        """Keep a text from a phone; its form is what the webhook carries."""
        number = self._append(sender, raw_form, 0, Status.RECEIVED, now)
        self._sent[number] = now
        return number

    def numbers(self, phone: str) -> Sequence[int]:
        """Numbers of all texts to and from a phone, oldest first."""
        found = self._by_phone.get(phone, ())
        return (found,) if isinstance(found, int) else found

    def texted_phones(self) -> Iterator[str]:
        """Every phone that an outgoing text was accepted for, each once, in the order of the first."""
        for phone in self._by_phone:
            if any(self._status[number] != Status.RECEIVED for number in self.numbers(phone)):
                yield phone

    def phone(self, number: int) -> str:
        """The citizen's phone of a text, whichever way it went."""
        return self._phones[number]

    def status(self, number: int) -> Status:
        return Status(self._status[number])

    def set_status(self, number: int, status: Status, error_code: int, now: float) -> None:
        """Record how far a text came. error_code 0: none."""
        self._status[number] = status
        self._errors[number] = error_code
        if not self._sent[number]:
            self._sent[number] = now

    def note_acknowledged(self, number: int, status: Status) -> None:
        """The callback that reported this state of a text was answered with 2xx."""
        self._acknowledged[number] |= 1 << status

    def acknowledged(self, number: int) -> list[str]:
        """The states of a text whose callbacks were answered with 2xx."""
        return [name for value, name in enumerate(STATUS_NAMES) if self._acknowledged[number] >> value & 1]

    def numbers_with(self, status: Status) -> Iterator[int]:
        """Numbers of all texts in a state, newest first."""
        number = self._status.rfind(status)
        while number >= 0:
            yield number
            number = self._status.rfind(status, 0, number)

    def created_at(self, number: int) -> float:
        return self._created[number]

    def fields(self, number: int) -> dict[str, str]:
        """The form of a text, decoded."""
        end = self._offsets[number + 1] if number + 1 < len(self) else self._length
        start = self._offsets[number]
        self._spool.flush()
        raw = os.pread(self._spool.fileno(), end - start, start)
        return form_fields(raw.decode("ascii", "replace"))

    def record(self, number: int) -> Record:
        """One text with everything the API shows."""
        fields = self.fields(number)
        is_incoming = self._status[number] == Status.RECEIVED
        return Record(
            number=number,
            to=fields["To"] if is_incoming else self._phones[number],
            sender=fields.get("From", ""),
            service=fields.get("MessagingServiceSid", ""),
            body=fields.get("Body", ""),
            callback=fields.get("StatusCallback", ""),
            status=self.status(number),
            error_code=self._errors[number],
            created_at=self._created[number],
            sent_at=self._sent[number],
        )

    def counts(self) -> dict[str, int]:
        """How many texts stand in each state."""
        return {name: self._status.count(value) for value, name in enumerate(STATUS_NAMES)}

    def _is_alert_again(self, to: str, text_hash: int, body: str) -> bool:
        """Whether a repeated text is an alert: the first text to its phone with this link. Receipts follow an alert."""
        url = link(body)
        if url is None or is_stranger(to):
            return False
        outgoing = (number for number in self.numbers(to) if self._status[number] != Status.RECEIVED)
        first = next((number for number in outgoing if link(self.record(number).body) == url), None)
        return first is not None and self._hashes[first] == text_hash

    def _append(self, phone: str, raw_form: bytes, text_hash: int, status: Status, now: float) -> int:
        number = len(self._offsets)
        self._offsets.append(self._length)
        self._length += len(raw_form)
        self._spool.write(raw_form)
        self._hashes.append(text_hash)
        self._status.append(status)
        self._errors.append(0)
        self._acknowledged.append(0)
        self._created.append(now)
        self._sent.append(0.0)
        self._phones.append(phone)
        earlier = self._by_phone.get(phone)
        if earlier is None:
            self._by_phone[phone] = number
        elif isinstance(earlier, int):
            self._by_phone[phone] = [earlier, number]
        else:
            earlier.append(number)
        return number


def digest(text: str) -> str:
    """A short fingerprint of a text for logs that must not carry it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
