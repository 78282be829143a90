"""Who could be reached in a country now, and whether anything proves it; what to do about what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from consular.domain.canaries import UNPROVEN_AFTER


@dataclass(frozen=True, slots=True)
class Proof:
    """When a path last took a text, reported one as delivered (only where receipts can be believed), and brought a
    reply to one that went by it."""

    accepted_at: datetime | None = None
    delivered_at: datetime | None = None
    heard_at: datetime | None = None
    receipts_believable: bool = True

    @property
    def proven_at(self) -> datetime | None:
        """When a text last got through as far as can be known: delivered or answered; where receipts cannot be
        believed, taken or answered."""
        taken_at = self.delivered_at if self.receipts_believable else self.accepted_at
        return max((at for at in (taken_at, self.heard_at) if at is not None), default=None)

    @property
    def proven_by(self) -> str | None:
        """What became of the text that proved it: answered, delivered, taken; None when nothing did."""
        if self.proven_at is None:
            return None
        if self.proven_at == self.heard_at:
            return "answered"
        return "delivered" if self.receipts_believable else "taken"

    def is_fresh(self, now: datetime, max_age: timedelta = UNPROVEN_AFTER) -> bool:
        """Whether that is at most so long ago."""
        return self.proven_at is not None and now - self.proven_at <= max_age


class Standing(IntEnum):
    """How ready a country is, the worst first. UNPROVEN: nothing lately shows that texts get there. PARTLY: some people
    cannot be reached, or only by a path without a fresh proof."""

    NOBODY_REACHABLE = 0
    UNPROVEN = 1
    PARTLY = 2
    READY = 3


@dataclass(frozen=True, slots=True)
class LastTest:
    """How the newest test text of a path ended, in short words, and when it was made. failed_at: when it was known that
    it failed; None: it did not."""

    result: str
    at: datetime
    failed_at: datetime | None = None


def failed_since(proof: Proof, test: LastTest | None) -> datetime | None:
    """When a path's last test text failed, if nothing got through since."""
    failed_at = test.failed_at if test is not None else None
    return failed_at if failed_at is not None and (proof.proven_at is None or proof.proven_at < failed_at) else None


@dataclass(frozen=True, slots=True)
class Path:
    """One configured gateway to the phones of one country. is_right: it may carry texts there; is_open: and now.
    reason: why it is not the one that texts go by now; None for that one. has_handset: daily test texts go there.
    test: the last of them, if there was one in ninety days."""

    gateway: str
    is_right: bool
    is_open: bool
    reason: str | None
    proof: Proof
    takes_replies: bool
    has_handset: bool
    test: LastTest | None = None

    def is_proven(self, now: datetime, max_age: timedelta = UNPROVEN_AFTER) -> bool:
        """Whether it was proven at most so long ago, and its last test text did not fail since."""
        return self.proof.is_fresh(now, max_age) and failed_since(self.proof, self.test) is None


@dataclass(frozen=True, slots=True)
class Phones:
    """People whose phone has a number of one country ("" when we do not know it). paths: best first."""

    country: str
    people: int
    paths: Sequence[Path]

    @property
    def best(self) -> Path | None:
        """The path that texts go by; None when no gateway is right."""
        return next((path for path in self.paths if path.is_right), None)

    @property
    def way(self) -> Path | None:
        """The best path if it may send now."""
        best = self.best
        return best if best is not None and best.is_open else None


@dataclass(frozen=True, slots=True)
class CountryReadiness:
    """One country of stay. people: on record there now, each in one part: those of `phones`, or one of the others."""

    country: str
    phones: Sequence[Phones]
    no_phone: int
    unusable_phone: int
    opted_out: int

    @property
    def people(self) -> int:
        """Everybody on record there."""
        return sum(one.people for one in self.phones) + self.no_phone + self.unusable_phone + self.opted_out

    @property
    def reachable(self) -> int:
        """To whom a text could leave now."""
        return sum(one.people for one in self.phones if one.way is not None)

    @property
    def waiting(self) -> int:
        """Whose texts would wait, because the only gateways that are right stand still."""
        return sum(one.people for one in self.phones if one.best is not None and one.way is None)

    @property
    def no_gateway(self) -> int:
        """Whose number no gateway reaches."""
        return sum(one.people for one in self.phones if one.best is None)

    def proven(self, now: datetime, max_age: timedelta = UNPROVEN_AFTER) -> int:
        """Who could be reached now by a path that was proven at most so long ago, and failed no test since."""
        ways = [(one.people, one.way) for one in self.phones]
        return sum(people for people, way in ways if way is not None and way.is_proven(now, max_age))

    def standing(self, now: datetime, max_age: timedelta = UNPROVEN_AFTER) -> Standing:
        """How ready it is."""
        proven = self.proven(now, max_age)
        if self.people and not self.reachable:
            return Standing.NOBODY_REACHABLE
        if self.people and not proven:
            return Standing.UNPROVEN
        return Standing.READY if proven == self.people else Standing.PARTLY


@dataclass(frozen=True, slots=True)
class PublicAccount:
    """A public account that real alerts are posted to, for whoever reads it: it reaches nobody in particular, and no
    person is counted as reached by it.

    published_at: when a post last went out. failed_at, failure: of the newest post that failed or whose fate nobody
    knows, when its alert was approved and why. waiting: posts that are still to go out.
    """

    network: str
    account: str
    published_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = None
    waiting: int = 0


def worst_first(countries: Sequence[CountryReadiness], now: datetime, max_age: timedelta) -> list[CountryReadiness]:
    """By standing, then by how many people are not reached by a proven path."""
    return sorted(
        countries,
        key=lambda one: (one.standing(now, max_age), one.proven(now, max_age) - one.people, one.country),
    )
