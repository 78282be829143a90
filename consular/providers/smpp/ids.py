"""Which part of which text a receipt is about, for the parts that this process handed over itself."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

from consular.domain.delivery import MessageState
from consular.domain.smsc_ids import same_phone, spellings
from consular.providers.smpp.codes import PARTIAL, map_status


@dataclass(slots=True)
class Delivery:
    """What receipts have said so far about the parts of one text."""

    parts: int
    delivered: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Entry:
    """One part that the SMSC took."""

    message_id: str
    attempt_id: UUID
    to: str = field(repr=False)
    part: int
    delivery: Delivery


class Ledger:
    """The parts this process handed over, found again by what a receipt calls them. Forgets the oldest beyond `most`.

    What is forgotten, or was sent before a restart, is found by the service through the id of the text's last part.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, entry: Entry) -> None:
        """Remember a part."""
        key = spellings(entry.message_id)[0]
        self._entries.pop(key, None)
        self._entries[key] = entry
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def find(self, message_id: str, *phones: str) -> Entry | None:
        """The part a receipt is about: by any spelling of its id, and only when one of the receipt's addresses is the
        phone that part went to. Nothing is guessed when it is not."""
        for spelling in spellings(message_id):
            entry = self._entries.get(spelling)
            if entry is not None and any(same_phone(entry.to, phone) for phone in phones):
                return entry
        return None


def whole_status(entry: Entry, stat: str) -> str:
    """What a receipt of one part says about the whole text: delivered only when every part is, failed when one is.

    Until then a delivered part is PARTIAL. Saying the same twice changes nothing; a failed part that is reported
    delivered after all counts, as everywhere.
    """
    if map_status(stat) is not MessageState.DELIVERED:
        return stat
    entry.delivery.delivered.add(entry.part)
    return stat if len(entry.delivery.delivered) == entry.delivery.parts else PARTIAL
