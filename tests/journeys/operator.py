"""An operator for the journeys: node-smpp as its SMSC, which may die and come back, and what phones were sent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

from consular.domain.references import number_of
from tests.counterparts import free_port
from tests.providers.smpp.node_smsc import NodeSmsc

OUR_NUMBER = "+218910000000"
_REFERENCE = re.compile(r"Ref ([0-9A-Z]{6,7})")


@dataclass(frozen=True, slots=True)
class Sent:
    """One text that the SMSC took whole. ids: of its parts, as we write them."""

    to: str
    text: str
    ids: tuple[str, ...]

    @property
    def number(self) -> int:
        """The message's number, by the reference in the text."""
        found = _REFERENCE.search(self.text)
        assert found
        number = number_of(found[1])
        assert number is not None
        return number


class Operator:
    """SMSCs on one port, one after the other."""

    def __init__(self, node: str, **manner: Any) -> None:
        self._node = node
        self._manner = {"keep": True, **manner}
        self.port = free_port()
        self._past: list[list[dict[str, Any]]] = []
        self._first_id = 0x1A2B3C00
        self.smsc = self._start()

    def settings(self, **changes: str) -> dict[str, str]:
        """What Consular's processes need to know of it."""
        named = {"HOST": "127.0.0.1", "PORT": str(self.port), "SYSTEM_ID": "consular", "PASSWORD": "secret"}
        all_named = {**named, "FROM": OUR_NUMBER, "RATE": "1000", "WINDOW": "10", **changes}
        return {f"SMPP_{name}": value for name, value in all_named.items()}

    def kill(self) -> None:
        """The SMSC dies, and with it every receipt that it had not delivered."""
        self.smsc.stop()
        self._past.append(self.smsc.heard)

    def revive(self, **manner: Any) -> None:
        """Another one, which counts its ids on."""
        self._manner |= manner
        self._first_id += 0x10000
        self.smsc = self._start()

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """What all of them heard of one kind."""
        return [one for heard in (*self._past, list(self.smsc.heard)) for one in heard if one["heard"] == kind]

    def says(self, sender: str, *parts: str, reference: int = 1) -> None:
        """Somebody texts us; in several parts when several are given, in that order."""
        for number, words in enumerate(parts, 1):
            self.says_part(sender, words, number, len(parts), reference)

    def says_part(self, sender: str, words: str, number: int, total: int, reference: int) -> None:
        """One part of somebody's text."""
        fields: dict[str, Any] = {
            **{"source_addr_ton": 1, "source_addr_npi": 1, "source_addr": sender.removeprefix("+")},
            **{"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": OUR_NUMBER.removeprefix("+")},
        }
        if total == 1:
            self.smsc.order(deliver={**fields, "short_message": words})
            return
        header = bytes((5, 0, 3, reference, total, number)).hex()
        body = words.encode("utf-16-be").hex()
        self.smsc.order(deliver={**fields, "esm_class": 0x40, "data_coding": 8, "udh": header, "hex": body})

    def sent(self) -> list[Sent]:
        """Every text that was taken whole, in order; parts without the rest are left out."""
        return [one for heard in (*self._past, list(self.smsc.heard)) for one in _whole(heard)]

    def times(self) -> Counter[int]:
        """How often each message was taken whole."""
        return Counter(one.number for one in self.sent())

    def log(self, stored: Collection[str]) -> list[dict[str, str]]:
        """The same as check_invariants takes it: an attempt's upper half is its message's number. stored: the ids by
        which we know texts; each text is known by that of one of its parts."""
        return [
            {
                "sid": next((part for part in one.ids if part in stored), one.ids[-1]),
                "attempt": str(UUID(int=one.number << 64)),
            }
            for one in self.sent()
        ]

    def _start(self) -> NodeSmsc:
        smsc = NodeSmsc(self._node, self.port)
        smsc.order(first_id=self._first_id, **self._manner)
        return smsc


def _whole(heard: list[dict[str, Any]]) -> Iterator[Sent]:
    begun: dict[tuple[str, int], dict[int, tuple[str, str]]] = {}
    for submit, after in pairwise(heard):
        if submit["heard"] != "submit" or after["heard"] != "taken":
            continue
        to, message_id = f"+{submit['to']}", f"{after['id']:x}"
        header = bytes.fromhex("".join(submit["udh"] or ("000101",)))
        reference, total, number = header[-3:]
        parts = begun.setdefault((to, reference), {})
        parts[number] = (submit["text"], message_id)
        if len(parts) == total:
            whole = [part for _, part in sorted(begun.pop((to, reference)).items())]
            yield Sent(to, "".join(words for words, _ in whole), tuple(part_id for _, part_id in whole))
