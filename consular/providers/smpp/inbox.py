"""What the SMSC delivers: read, matched, handed over to be stored, and only then answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from consular.providers.smpp.codes import ESME_ROK, ESME_RX_P_APPN, ESME_RX_T_APPN
from consular.providers.smpp.ids import Ledger, whole_status
from consular.providers.smpp.link import Link
from consular.providers.smpp.pdus import ShortMessage, encode_message_id
from consular.providers.smpp.reassembly import Arrived, Ready, Reassembly, Ticket
from consular.providers.smpp.received import (
    NotStored,
    Raw,
    ReceiptWords,
    SmppReceipt,
    SmppText,
    phone,
    raw_fields,
    receipt_words,
    text_part,
)
from consular.providers.smpp.settings import SmppSettings
from consular.providers.smpp.wire import CodecError, Command, Pdu

log = structlog.get_logger(__name__)

Store = Callable[[Sequence[SmppReceipt | SmppText]], None]
"""Keeps all it is given, in one transaction, and returns; or raises NotStored and has kept none or some of it."""

_NO_ID = encode_message_id("")


@dataclass(frozen=True, slots=True)
class _Report:
    words: ReceiptWords
    phones: tuple[str, str] = field(repr=False)
    raw: Raw = field(repr=False)
    ticket: Ticket
    held_until: float


class Inbox:
    """deliver_sm of one gateway. expects: whether an answer about a text to this phone is still out."""

    def __init__(
        self, settings: SmppSettings, link: Link, ledger: Ledger, store: Store, expects: Callable[[str], bool]
    ) -> None:
        self._settings = settings
        self._link = link
        self._ledger = ledger
        self._store = store
        self._expects = expects
        self._reassembly = Reassembly(settings.part_hold_seconds)
        self._early: deque[_Report] = deque()
        self._reports: list[_Report] = []
        self._texts: list[Ready] = []
        self._own: list[SmppReceipt] = []

    def delivered(self, pdu: Pdu) -> None:
        """Take in one deliver_sm; one whose sender cannot even be read is refused for good: it would come for ever."""
        ticket = Ticket(self._link.session, pdu.sequence)
        try:
            message = ShortMessage.decode(pdu.body)
        except CodecError:
            log.warning("smpp_unreadable", gateway=self._settings.name, bytes=len(pdu.body))
            self._answer(ticket, ESME_RX_P_APPN)
            return
        now = time.monotonic()
        words = receipt_words(message)
        if words is None:
            self._add_text(message, ticket, now)
            return
        phones = (message.source.digits, message.destination.digits)
        held_until = now + self._settings.early_hold_seconds
        self._early.append(_Report(words, phones, raw_fields(message), ticket, held_until))

    def tell(self, receipt: SmppReceipt) -> None:
        """Hand over a receipt that no deliver_sm brought; kept until it is stored."""
        self._own.append(receipt)

    def hand_over(self) -> None:
        """Give everything that is ready to the callback, and answer for it when that returns."""
        now = time.monotonic()
        self._release_early(now)
        self._texts[:0] = self._reassembly.due(now)
        if not (self._reports or self._texts or self._own):
            return
        reports, texts, own = self._reports, self._texts, self._own
        self._reports, self._texts = [], []
        batch: list[SmppReceipt | SmppText] = [*own, *map(self._receipt, reports), *(ready.text for ready in texts)]
        is_stored = False
        try:
            self._store(batch)
            is_stored = True
        except NotStored:
            log.warning("smpp_not_stored", gateway=self._settings.name, count=len(batch))
        finally:
            self._settle(reports, texts, is_stored=is_stored)
        if is_stored:
            del self._own[: len(own)]

    def next_timer(self) -> float:
        """The moment by the monotonic clock when hand_over() will have something that waits for time."""
        moments = [report.held_until for report in self._early]
        part = self._reassembly.next_due()
        return min(moments if part is None else [*moments, part], default=float("inf"))

    def lost(self) -> None:
        """The link is gone: what was held comes again. Receipts are kept: an early one may be the only proof."""
        self._reassembly.drop_session()

    def _add_text(self, message: ShortMessage, ticket: Ticket, now: float) -> None:
        part = text_part(message, default_is_latin_1=self._settings.default_is_latin_1)
        sender, to = (phone(party, self._settings.home_code) for party in (message.source, message.destination))
        ready = self._reassembly.add(Arrived(part, sender, to, raw_fields(message), ticket), now)
        if ready is not None:
            self._texts.append(ready)

    def _release_early(self, now: float) -> None:
        """A receipt may overtake the answer that brings its id: it waits while such an answer is out, not longer."""
        held: deque[_Report] = deque()
        for report in self._early:
            is_known = self._ledger.find(report.words.message_id, *report.phones) is not None
            is_current = report.ticket.session == self._link.session and self._link.is_bound
            may_wait = now < report.held_until and is_current and any(map(self._expects, report.phones))
            (held if not is_known and may_wait else self._reports).append(report)
        self._early = held

    def _receipt(self, report: _Report) -> SmppReceipt:
        words, to = report.words, phone_of(report.phones[0])
        entry = self._ledger.find(words.message_id, *report.phones)
        if entry is None:
            return SmppReceipt(words.message_id, None, words.stat, words.stat, words.error_code, to, raw=report.raw)
        return SmppReceipt(
            entry.message_id,
            entry.attempt_id,
            whole_status(entry, words.stat),
            words.stat,
            words.error_code,
            entry.to,
            entry.part,
            entry.delivery.parts,
            report.raw,
        )

    def _settle(self, reports: Sequence[_Report], texts: Sequence[Ready], *, is_stored: bool) -> None:
        status = ESME_ROK if is_stored else ESME_RX_T_APPN
        now = time.monotonic()
        for report in reports:
            self._answer(report.ticket, status)
        for ready in texts:
            self._reassembly.settle(ready, now, is_stored=is_stored)
            for ticket in ready.tickets:
                self._answer(ticket, status)

    def _answer(self, ticket: Ticket, status: int) -> None:
        if ticket.session == self._link.session and self._link.is_bound:
            self._link.answer(Command.DELIVER_SM_RESP, ticket.sequence, _NO_ID, status)


def phone_of(digits: str) -> str:
    """A receipt's phone with +; operators leave it out."""
    return digits if digits.startswith("+") or not digits.isdecimal() else f"+{digits}"
