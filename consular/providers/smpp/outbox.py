"""Texts on their way out: each part written at most once, the first alone, the others when the first was taken.

What a result says (ADR 0003). ACCEPTED: every part was. NOT_SENT: nothing left us whole, or the SMSC said that it took
nothing. REFUSED: not this text by this operator; also when it refused a later part, for the phone has the beginning and
a second sending would repeat it. UNKNOWN: a part was written and not answered, or the rest could not follow in time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from consular.domain.ports import FailureReason, RefusalScope, SendOutcome, SmsRequest, SmsResult
from consular.domain.smsc_ids import same_phone, spellings
from consular.providers.smpp.codes import StatusRule, rule_for
from consular.providers.smpp.compose import Uncomposable, compose
from consular.providers.smpp.ids import Delivery, Entry, Ledger
from consular.providers.smpp.link import Link, Loss
from consular.providers.smpp.pdus import decode_message_id
from consular.providers.smpp.settings import SmppSettings
from consular.providers.smpp.wire import CodecError, Command, Pdu, frame_of

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0
_FRAMES_AT_ONCE = 64
_MOST_LATE = 10_000
_NOT_BOUND = "ESME_RINVBNDSTS"


@dataclass(slots=True)
class Text:
    """One request with what became of its parts; ids: of those that were taken ("" when the SMSC gave none)."""

    request: SmsRequest = field(repr=False)
    bodies: tuple[bytes, ...] = field(repr=False)
    delivery: Delivery
    ids: list[str | None] = field(default_factory=list)
    asked_at: float = field(default_factory=time.monotonic)
    started_at: float = 0.0
    is_over: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether the SMSC took a part."""
        return any(one is not None for one in self.ids)

    @property
    def is_taken(self) -> bool:
        """Whether the SMSC took every part."""
        return all(one is not None for one in self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    text: Text
    index: int
    at: float = 0.0


class Outbox:
    """The window of unanswered submit_sm, and what waits for a place in it."""

    def __init__(self, settings: SmppSettings, link: Link, ledger: Ledger) -> None:
        self._settings = settings
        self._link = link
        self._ledger = ledger
        self._needed_lease = settings.answer_timeout_seconds + settings.lease_margin_seconds
        self._fresh: deque[_Part] = deque()
        self._rest: deque[_Part] = deque()
        self._written: dict[int, _Part] = {}
        self._late: dict[int, _Part] = {}
        self._last_begun = 0
        self._reference = 0
        self._pause_until = 0.0
        self._pause_seconds = 0.0
        self.done: list[SmsResult] = []
        self.taken_late: list[Text] = []
        self.open = 0

    def submit(self, request: SmsRequest) -> None:
        """Begin with one text."""
        self.open += 1
        self._reference = (self._reference + 1) & 0xFF
        try:
            bodies = compose(request, self._settings.source, self._reference, self._settings.service_type)
        except (Uncomposable, CodecError):
            text = Text(request, (), Delivery(0))
            self._finish(text, StatusRule("encoding", SendOutcome.REFUSED, FailureReason.CONTENT_REJECTED, _NUMBER))
            return
        text = Text(request, bodies, Delivery(len(bodies)), [None] * len(bodies))
        self._fresh.append(_Part(text, 0))

    def pump(self) -> None:
        """Write what may be written now, and give up what cannot be or could not be for too long."""
        if self._link.is_waiting:
            self._give_up_while_down()
        self._withdraw_late()
        if self._link.is_bound and time.monotonic() >= self._pause_until:
            while self._write_some():
                pass

    def expire(self) -> None:
        """Make UNKNOWN what was not answered in time; an answer that comes later still counts, see taken_late."""
        now = time.monotonic()
        while self._written:
            sequence, part = next(iter(self._written.items()))
            if now - part.at < self._settings.answer_timeout_seconds:
                break
            del self._written[sequence]
            self._late[sequence] = part
            self._finish(part.text, _doubt("answer-timeout"))
        while len(self._late) > _MOST_LATE:
            del self._late[next(iter(self._late))]
        for part in [p for p in self._rest if not self._has_lease(p, now)]:
            self._rest.remove(part)
            self._finish(part.text, _doubt("partial"))

    def next_timer(self) -> float:
        """The moment by the monotonic clock when expire() or pump() will have something to do."""
        oldest = next(iter(self._written.values()), None)
        moments = [oldest.at + self._settings.answer_timeout_seconds] if oldest else []
        moments += [part.text.request.lease_ends_at - self._needed_lease for part in self._rest]
        if self._fresh:
            moments.append(self._fresh[0].text.asked_at + self._settings.patience_seconds)
        if (self._fresh or self._rest) and self._pause_until > time.monotonic():
            moments.append(self._pause_until)
        return min(moments, default=float("inf"))

    def expects(self, phone: str) -> bool:
        """Whether an answer about a text to this phone is still out."""
        parts = (*self._written.values(), *self._late.values())
        return any(same_phone(part.text.request.to, phone) for part in parts)

    def answered(self, pdu: Pdu) -> None:
        """A submit_sm_resp, or a generic_nack to a submit_sm. One we wait for no longer, or never did, is ignored."""
        is_late = pdu.sequence in self._late
        part = self._written.pop(pdu.sequence, None) or self._late.pop(pdu.sequence, None)
        if part is None:
            return
        if pdu.status or pdu.command == Command.GENERIC_NACK:
            self._refused(part, rule_for(pdu.status))
            return
        try:
            message_id = decode_message_id(pdu.body)
        except CodecError:
            self._finish(part.text, _doubt("answer-unreadable"))
            return
        self._taken(part, spellings(message_id)[0] if message_id else "", is_late=is_late)

    def lost(self, loss: Loss) -> None:
        """The link is gone: what left whole is UNKNOWN, what did not is NOT_SENT or waits for the next session."""
        unfinished = self._written.pop(self._last_begun, None) if loss.is_last_unfinished else None
        if unfinished and unfinished.text.has_begun:
            self._rest.appendleft(unfinished)
        elif unfinished:
            self._finish(unfinished.text, self._down())
        for part in self._written.values():
            self._finish(part.text, _doubt("link-lost"))
        self._written.clear()
        self._late.clear()
        self._give_up_while_down()

    def _give_up_while_down(self) -> None:
        while self._fresh:
            self._finish(self._fresh.popleft().text, self._down())

    def _withdraw_late(self) -> None:
        """What was not begun within the time in which a stop must work does not begin any more."""
        now = time.monotonic()
        while self._fresh and now - self._fresh[0].text.asked_at >= self._settings.patience_seconds:
            self._finish(self._fresh.popleft().text, _KEPT_BACK)

    def _down(self) -> StatusRule:
        """A bind refused for good says so of the text; whatever else was said of the bind, the text did not leave."""
        refusal = self._link.refusal
        if refusal and refusal.outcome is SendOutcome.REFUSED:
            return refusal
        return StatusRule(refusal.name if refusal else "link-down", SendOutcome.NOT_SENT, FailureReason.PROVIDER_ERROR)

    def _write_some(self) -> bool:
        """Write one batch; whether another may follow at once."""
        room = min(self._settings.window - len(self._written), _FRAMES_AT_ONCE)
        batch = [(part, self._link.next_sequence()) for part in self._take(room)]
        frames = [frame_of(Command.SUBMIT_SM, sequence, part.text.bodies[part.index]) for part, sequence in batch]
        now = time.monotonic()
        begun = self._link.write(frames)
        for part, sequence in batch[:begun]:
            if not part.text.started_at:
                part.text.started_at = now
            self._written[sequence] = _Part(part.text, part.index, now)
            self._last_begun = sequence
        for part, _ in reversed(batch[begun:]):
            (self._rest if part.text.has_begun else self._fresh).appendleft(part)
        return bool(batch) and begun == len(batch)

    def _take(self, room: int) -> Iterator[_Part]:
        """The next parts whose texts go on and whose lease lasts; the others are finished."""
        now = time.monotonic()
        while room > 0 and (self._rest or self._fresh):
            part = (self._rest or self._fresh).popleft()
            if part.text.is_over:
                continue
            if not self._has_lease(part, now):
                is_begun = part.text.has_begun
                self._finish(part.text, _doubt("partial") if is_begun else _KEPT_BACK)
                continue
            room -= 1
            yield part

    def _has_lease(self, part: _Part, now: float) -> bool:
        return part.text.request.lease_ends_at - now >= self._needed_lease

    def _taken(self, part: _Part, message_id: str, *, is_late: bool) -> None:
        text = part.text
        text.ids[part.index] = message_id
        self._pause_seconds = 0.0
        if message_id:
            number, attempt_id = part.index + 1, text.request.attempt_id
            self._ledger.note(Entry(message_id, attempt_id, text.request.to, number, text.delivery))
        if text.is_taken:
            if is_late:
                self.taken_late.append(text)
            self._finish(text, _ACCEPTED)
        elif part.index == 0 and not text.is_over:
            self._rest.extend(_Part(text, index) for index in range(1, len(text.bodies)))

    def _refused(self, part: _Part, rule: StatusRule) -> None:
        is_throttled = rule.outcome is SendOutcome.NOT_SENT
        if is_throttled:
            self._pause()
        if rule.name == _NOT_BOUND:
            self._link.drop("not_bound")
        if not part.text.has_begun:
            self._finish(part.text, rule)
        elif is_throttled and not part.text.is_over:
            self._rest.append(_Part(part.text, part.index))
        elif rule.outcome is SendOutcome.REFUSED:
            self._finish(part.text, StatusRule(rule.name, SendOutcome.REFUSED, rule.reason, _NUMBER))
        else:
            self._finish(part.text, rule)

    def _pause(self) -> None:
        now = time.monotonic()
        if now >= self._pause_until:
            self._pause_seconds = min(LONGEST_PAUSE_SECONDS, self._pause_seconds * 2 or FIRST_PAUSE_SECONDS)
            self._pause_until = now + self._pause_seconds

    def _finish(self, text: Text, rule: StatusRule) -> None:
        if text.is_over:
            return
        text.is_over = True
        now = time.monotonic()
        is_taken = rule.outcome is SendOutcome.ACCEPTED
        self.done.append(
            SmsResult(
                text.request.attempt_id,
                rule.outcome,
                provider_message_id=(text.ids[-1] or None) if is_taken else None,
                provider_status="ACCEPTD" if is_taken else None,
                error_code=None if is_taken else rule.name,
                failure_reason=rule.reason if rule.outcome is SendOutcome.REFUSED else None,
                scope=rule.scope if rule.outcome is SendOutcome.REFUSED else None,
                retry_after_seconds=self._retry_after(rule, now),
                latency_seconds=now - text.started_at if text.started_at else 0.0,
            )
        )

    def _retry_after(self, rule: StatusRule, now: float) -> float | None:
        if rule.outcome is not SendOutcome.NOT_SENT or rule is _KEPT_BACK:
            return None
        return max(0.0, self._pause_until - now, self._link.retry_in)


_NUMBER = RefusalScope.NUMBER
_ACCEPTED = StatusRule("ESME_ROK", SendOutcome.ACCEPTED)
_KEPT_BACK = StatusRule("lease", SendOutcome.NOT_SENT)
"""It was we who did not write it: no reason to go more slowly."""


def _doubt(name: str) -> StatusRule:
    return StatusRule(name, SendOutcome.UNKNOWN)
