"""Texts from phones, long ones put together from their parts, without ever answering for a part nobody has stored.

A part is held, unanswered, while the others are on their way. When they do not come in time (some SMSCs send the next
one only after an answer), what is there is handed over as an incomplete text, so that it can be stored and answered;
the whole follows as a further text as soon as the missing parts come.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from consular.providers.smpp.received import Raw, SmppText, TextPart

REPEAT_SECONDS = 300.0
SLOW_ANSWER_SECONDS = 5.0
JOIN_SECONDS = 3600.0
_MOST_KEPT = 50_000
GAP = "…"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which deliver_sm waits for an answer: its sequence number and the session it came in."""

    session: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """One deliver_sm read as a text."""

    part: TextPart
    sender: str = field(repr=False)
    to: str
    raw: Raw = field(repr=False)
    ticket: Ticket


Key = tuple[str, str, int, int]


@dataclass(slots=True, eq=False)
class _Group:
    key: Key = field(repr=False)
    begun_at: float
    due_at: float
    pieces: dict[int, str] = field(default_factory=dict, repr=False)
    raws: dict[int, Raw] = field(default_factory=dict, repr=False)
    cut: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)
    tickets: dict[int, list[Ticket]] = field(default_factory=dict)

    def is_another(self, part: TextPart, now: float) -> bool:
        """Whether the part belongs to a later text: the reference is only an octet and comes round."""
        return now - self.begun_at > JOIN_SECONDS or self.pieces.get(part.number, part.text) != part.text

    def forget(self, number: int) -> None:
        """Drop a part that will come again, unless it was stored before."""
        self.tickets.pop(number, None)
        if number not in self.stored:
            self.pieces.pop(number, None)
            self.raws.pop(number, None)


@dataclass(frozen=True, slots=True)
class Ready:
    """A text to store, and the deliver_sm to answer when that is done; group: whose parts `numbers` those brought."""

    text: SmppText
    tickets: tuple[Ticket, ...]
    group: _Group | None = field(default=None, repr=False)
    numbers: tuple[int, ...] = ()


class Reassembly:
    """Parts by sender, receiver, reference and number of parts. Moments are seconds of a monotonic clock."""

    def __init__(self, hold_seconds: float) -> None:
        self._hold = hold_seconds
        self._groups: OrderedDict[Key, _Group] = OrderedDict()
        self._displaced: list[_Group] = []
        self._repeats = _Repeats()

    def add(self, arrived: Arrived, now: float) -> Ready | None:
        """The text this completes, if any; a text of one part at once."""
        part = arrived.part
        key = (arrived.sender, arrived.to, part.reference, part.total)
        if part.total == 1:
            cut = {1} if part.may_lack_words else set[int]()
            text = self._text(key, {1: part.text}, cut, arrived.raw, now, arrived.ticket.session)
            return Ready(text, (arrived.ticket,))
        group = self._groups.get(key)
        if group is None or group.is_another(part, now):
            if group is not None and group.tickets:
                self._displaced.append(group)
            group = self._groups[key] = _Group(key, now, now + self._hold)
        if not group.tickets:
            group.due_at = now + self._hold
        group.pieces[part.number] = part.text
        group.raws[part.number] = arrived.raw
        (group.cut.add if part.may_lack_words else group.cut.discard)(part.number)
        group.tickets.setdefault(part.number, []).append(arrived.ticket)
        return self._ready(group, now) if len(group.pieces) == part.total else None

    def due(self, now: float) -> Iterator[Ready]:
        """The incomplete texts whose parts were held long enough, or whose reference a later text has taken."""
        displaced, self._displaced = self._displaced, []
        for group in displaced:
            yield self._ready(group, now)
        for key, group in list(self._groups.items()):
            if group.tickets and now >= group.due_at:
                yield self._ready(group, now)
            elif not group.tickets and (now - group.begun_at > JOIN_SECONDS or len(self._groups) > _MOST_KEPT):
                del self._groups[key]

    def next_due(self) -> float | None:
        """When due() will have something, if parts are held."""
        return min((group.due_at for group in self._groups.values() if group.tickets), default=None)

    def settle(self, ready: Ready, now: float, *, is_stored: bool) -> None:
        """What became of a text handed out. Parts that were not stored are forgotten: the SMSC sends them again."""
        if is_stored:
            self._repeats.stored(ready.text, now)
        group = ready.group
        if group is None or self._groups.get(group.key) is not group:
            return
        for number in ready.numbers:
            if is_stored:
                group.stored.add(number)
            group.forget(number)
        if not group.pieces or (is_stored and len(group.pieces) == ready.text.parts):
            del self._groups[group.key]

    def drop_session(self) -> None:
        """The link is gone: parts that were held and not handed over come again in the next session."""
        self._displaced.clear()
        for key, group in list(self._groups.items()):
            for number in list(group.tickets):
                group.forget(number)
            if not group.pieces:
                del self._groups[key]

    def _ready(self, group: _Group, now: float) -> Ready:
        raw = tuple(pair for number in sorted(group.raws) for pair in group.raws[number])
        numbers, tickets = tuple(group.tickets), tuple(ticket for held in group.tickets.values() for ticket in held)
        group.tickets.clear()
        text = self._text(group.key, group.pieces, group.cut, raw, now, tickets[-1].session)
        return Ready(text, tickets, group, numbers)

    def _text(
        self, key: Key, pieces: Mapping[int, str], cut: Collection[int], raw: Raw, now: float, session: int
    ) -> SmppText:
        sender, to, _, total = key
        missing = tuple(number for number in range(1, total + 1) if number not in pieces or number in cut)
        body = "".join(pieces.get(number, GAP) for number in range(1, total + 1))
        message_id = self._repeats.id_of(sender, (to, body, raw), now, session)
        return SmppText(message_id, sender, to, body, total, missing, raw)


@dataclass(slots=True)
class _Last:
    content: tuple[str, str, Raw]
    message_id: str
    at: float
    session: int
    stored_at: float | None = None

    def is_doubtful(self, session: int) -> bool:
        """Whether the SMSC may not have had our answer in time."""
        return self.stored_at is None or session != self.session or self.stored_at - self.at > SLOW_ANSWER_SECONDS


class _Repeats:
    """deliver_sm has neither a time nor an id. One that comes again is the same text only while the SMSC may have
    missed our answer and its sender wrote nothing else since: a second "2" from a person in need is a second text."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, _Last] = OrderedDict()

    def id_of(self, sender: str, content: tuple[str, str, Raw], now: float, session: int) -> str:
        last = self._last.get(sender)
        if last and last.content == content and now - last.at <= REPEAT_SECONDS and last.is_doubtful(session):
            return last.message_id
        message_id = f"mo-{uuid4().hex}"
        self._last[sender] = _Last(content, message_id, now, session)
        self._last.move_to_end(sender)
        if len(self._last) > _MOST_KEPT:
            self._last.popitem(last=False)
        return message_id

    def stored(self, text: SmppText, now: float) -> None:
        last = self._last.get(text.sender)
        if last and last.message_id == text.message_id:
            last.stored_at = now
