"""What a worker knows of the countries it sends to: how many texts may be on their way into one of which nobody knows
yet whether the gateway takes them there, and what a refusal means that may be the number's fault or the country's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from consular.domain.ports import RefusalScope, SendOutcome, SmsResult

MOST_UNPROVEN = 10
"""Of a country that the gateway refuses, no more texts than this are tried before all others wait: two workers together
stop after twenty."""

MOST_IN_A_ROW = 5
"""So many refusals one after the other that may each mean the number, and no text taken between: it is the country."""

MOST_TRIES = 3
"""What is refused so often in a country that takes others has a number that cannot be reached."""


class Probation:
    """One worker's knowledge of the countries it sends to. A country is proven by the first text taken there."""

    def __init__(self) -> None:
        self._proven: set[str | None] = set()
        self._refused: set[str | None] = set()
        self._open: Counter[str | None] = Counter()
        self._taken: set[str | None] = set()
        self._in_a_row: Counter[str | None] = Counter()

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

    def taken(self, country: str | None) -> None:
        """The gateway has just taken a text there."""
        self._taken.add(country)
        self._in_a_row[country] = 0

    def judge(self, country: str | None, tries: int, *, is_alert: bool, is_alone: bool) -> RefusalScope:
        """What a refusal means that may be the number's fault or the country's (ROUTE: still unknown, so try again).

        tries: how often this text was tried. is_alone: no other text of this worker is on its way there. A stranger
        may have sent us any number to answer, so only refused alerts speak of a country.
        """
        if not is_alert:
            return RefusalScope.ROUTE
        self._in_a_row[country] += 1
        is_first = is_alone and tries == 1 and country not in self._taken
        if is_first or self._in_a_row[country] >= MOST_IN_A_ROW:
            return RefusalScope.COUNTRY
        is_known = country in self._taken and tries >= MOST_TRIES
        return RefusalScope.NUMBER if is_known else RefusalScope.ROUTE

    def refused(self, countries: Collection[str | None]) -> None:
        """The gateway refuses these countries, as this worker or another one has heard."""
        self._refused.update(countries)
        self._proven.difference_update(countries)
        self._taken.difference_update(countries)
        for country in countries:
            self._in_a_row[country] = 0

    def is_refused(self, country: str | None) -> bool:
        """Whether the gateway refused the country."""
        return country in self._refused

    def reopened(self, countries: Collection[str | None]) -> None:
        """Rows of these countries could be claimed: whatever paused them is over, and they must be proven anew."""
        self._refused.difference_update(country for country in countries if country is not None)
