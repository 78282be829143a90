"""How many texts may be on their way into a country of which nobody knows yet whether the gateway takes them there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from consular.domain.ports import RefusalScope, SendOutcome, SmsResult

MOST_UNPROVEN = 10
"""Of a country that the gateway refuses, no more texts than this are tried before all others wait: two workers together
stop after twenty."""


class Probation:
    """One worker's knowledge of the countries it sends to. A country is proven by the first text taken there."""

    def __init__(self) -> None:
        self._proven: set[str | None] = set()
        self._refused: set[str | None] = set()
        self._open: Counter[str | None] = Counter()

    def admits(self, country: str | None) -> bool:
        """Whether one more text may go there now; it then counts until settled() or withdrawn()."""
        if country not in self._proven and self._open[country] >= MOST_UNPROVEN:
            return False
        self._open[country] += 1
        return True

    def withdrawn(self, country: str | None) -> None:
        """A text that was admitted is not sent after all."""
        self._open[country] -= 1

    def settled(self, country: str | None, result: SmsResult) -> None:
        """What became of a text that was admitted is known and written down."""
        self._open[country] -= 1
        if country in self._refused:
            return
        if result.outcome is SendOutcome.ACCEPTED or result.scope is RefusalScope.NUMBER:
            self._proven.add(country)

    def refused(self, countries: Collection[str | None]) -> None:
        """The gateway refuses these countries, as this worker or another one has heard."""
        self._refused.update(countries)
        self._proven.difference_update(countries)

    def is_refused(self, country: str | None) -> bool:
        """Whether the gateway refused the country."""
        return country in self._refused

    def reopened(self, countries: Collection[str | None]) -> None:
        """Rows of these countries could be claimed: whatever paused them is over, and they must be proven anew."""
        self._refused.difference_update(country for country in countries if country is not None)
