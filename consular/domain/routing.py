"""Which gateway carries a text into a country, and what the text may ask for on that way (docs/adr/0008)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from consular.domain.gateways import GATEWAYS, HTTP, SMPP

EVERYWHERE = "*"
"""The country of a capability that holds wherever a gateway has no own one."""

_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_.-]{1,11}")


class SenderKind(StrEnum):
    """What people see as the sender of our texts in a country. NONE: no sender of ours gets through."""

    NUMBER = "number"
    SHORT_CODE = "short_code"
    ALPHANUMERIC = "alphanumeric"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Capability:
    """What a gateway can do in a country. is_usable: texts may go by it at all. is_two_way: replies reach us.

    allows_links: texts with links pass. receipts_believable: "delivered" means delivered. rate: parts per second into
    this country, for previews (sending keeps the gateway's), None: as the gateway's. cost_cents: of one part, in
    hundredths of `currency`; None: not known.
    """

    gateway: str
    country: str = EVERYWHERE
    is_usable: bool = True
    sender_kind: SenderKind = SenderKind.NUMBER
    is_two_way: bool = True
    allows_links: bool = True
    receipts_believable: bool = True
    rate: float | None = None
    cost_cents: Decimal | None = None
    currency: str | None = None

    def sent_from(self, sender: str) -> Capability:
        """The same with the sender that is configured: a name takes no replies, a short code only in countries that
        have an own capability."""
        if _NAME.fullmatch(sender):
            return replace(self, sender_kind=SenderKind.ALPHANUMERIC, is_two_way=False)
        if _SHORT_CODE.fullmatch(sender) and self.country == EVERYWHERE:
            return replace(self, sender_kind=SenderKind.SHORT_CODE, is_two_way=False)
        return self

    @property
    def way(self) -> Way:
        """What a text may ask for."""
        return Way(self.is_two_way, self.allows_links)


DEFAULTS: Mapping[str, Capability] = {
    gateway: Capability(gateway, receipts_believable=gateway not in (SMPP, HTTP)) for gateway in GATEWAYS
}
"""What we take for granted of a gateway that has no row at all; what an operator's receipts are worth, nobody knows."""


@dataclass(frozen=True, slots=True)
class CapabilityTable:
    """Rows by gateway and country, and the senders that are configured, by gateway."""

    rows: Mapping[tuple[str, str], Capability] = field(default_factory=dict)
    senders: Mapping[str, str] = field(default_factory=dict)

    def of(self, gateway: str, country: str | None) -> Capability:
        """What the gateway can do in a country (None: we do not know in which): its own row, else that for
        everywhere."""
        own = self.rows.get((gateway, country or EVERYWHERE))
        found = own or self.rows.get((gateway, EVERYWHERE)) or DEFAULTS[gateway]
        return found.sent_from(self.senders.get(gateway, ""))

    @property
    def countries(self) -> frozenset[str]:
        """Countries with a row of their own at any gateway."""
        return frozenset(country for _, country in self.rows if country != EVERYWHERE)


@dataclass(frozen=True, slots=True)
class Way:
    """How people can answer a text: by a reply, by the link in it."""

    takes_replies: bool = True
    carries_links: bool = True


EVERY_WAY = Way()


@dataclass(frozen=True, slots=True)
class Health:
    """How a gateway is doing now. line_stopped_until: it refuses our account, or does not answer.
    country_refused_until: it refuses the country. is_failing: it was tried lately without success. is_cut_off: it is
    one lasting connection, and that does not stand."""

    line_stopped_until: datetime | None = None
    country_refused_until: datetime | None = None
    is_failing: bool = False
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One gateway that a text into a country may go by. is_configured: this installation has it."""

    capability: Capability
    health: Health = field(default_factory=Health)
    is_configured: bool = True

    @property
    def gateway(self) -> str:
        """Its name."""
        return self.capability.gateway


@dataclass(frozen=True, slots=True)
class Needs:
    """What an alert asks of the way. has_link: the officers' own words hold an address. by_reply_only: only a reply is
    an answer (the receipts for replies say "text 2").

    accepts_no_answer_from: countries of phones (None: unknown) where officers would rather send the text without its
    question than not at all.
    """

    asks_for_reply: bool = False
    has_link: bool = False
    by_reply_only: bool = False
    accepts_no_answer_from: frozenset[str | None] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """Gateways for one country, the best first. open: may send now. stopped: could, but stand still now.

    reasons: in words, why each other is not the best, and why a best one that stands still does. lacks_answer: texts
    get there, but nobody could answer. lacks_link: they do, but without an address that is in the officers' words.
    """

    open: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    lacks_answer: bool = False
    lacks_link: bool = False

    @property
    def best(self) -> str | None:
        """Where texts are queued: what may send now, else what will again; None when no gateway is right."""
        return next(iter(self.open + self.stopped), None)


def choose(candidates: Iterable[Candidate], needs: Needs, now: datetime, *, accepts_no_answer: bool = False) -> Choice:
    """The gateways for one country, of which all candidates are.

    Never one that is not configured, not usable there, or on which a needed answer or link is impossible. A line that
    stands still comes after all that do not. Then: replies (when one is asked for), believable receipts, no recent
    failures, the lower cost (when all known costs are in one currency; unknown last), the order of GATEWAYS.
    accepts_no_answer: where no gateway could bring an answer, choose as if the alert asked for none. One that could,
    but stands still now, is waited for: nobody is left unasked who can answer.
    """
    given = list(candidates)
    strict = _choose(given, needs, now)
    if not (accepts_no_answer and strict.lacks_answer):
        return strict
    return _choose(given, replace(needs, asks_for_reply=False), now)


def _choose(candidates: Iterable[Candidate], needs: Needs, now: datetime) -> Choice:
    given = sorted(candidates, key=lambda one: GATEWAYS.index(one.gateway))
    unfit = {one.gateway: words for one in given if (words := _unfitness(one, needs)) is not None}
    fit = [one for one in given if one.gateway not in unfit]
    halts = {one.gateway: words for one in fit if (words := _halt(one.health, now)) is not None}
    are_costs_alike = len({one.capability.currency for one in fit} - {None}) == 1
    ranks = {one.gateway: (one.gateway in halts, *_rank(one, needs, are_costs_alike)) for one in fit}
    order = sorted(fit, key=lambda one: ranks[one.gateway])
    behind = {one.gateway: _behind(ranks[order[0].gateway], ranks[one.gateway]) for one in order[1:]}
    lost = [one.capability for one in given if one.is_configured and one.capability.is_usable and not fit]
    return Choice(
        open=tuple(one.gateway for one in order if one.gateway not in halts),
        stopped=tuple(one.gateway for one in order if one.gateway in halts),
        reasons=unfit | behind | halts,
        lacks_answer=any(not _is_answerable(one, needs) for one in lost),
        lacks_link=any(not _passes(one, needs) for one in lost),
    )


_BEHIND = (
    "it stands still now",
    "people cannot reply to it",
    "its receipts are not believable",
    "it failed lately",
    "it costs more, or its cost is not known",
    "all else being equal, the other comes first",
)
"""By place in a rank: why a gateway comes after the best one."""


def _rank(one: Candidate, needs: Needs, are_costs_alike: bool) -> tuple[bool, bool, bool, Decimal, int]:
    capability = one.capability
    cost = capability.cost_cents if are_costs_alike else Decimal(0)
    return (
        needs.asks_for_reply and not capability.is_two_way,
        not capability.receipts_believable,
        one.health.is_failing,
        Decimal("Infinity") if cost is None else cost,
        GATEWAYS.index(one.gateway),
    )


def _behind(best: tuple[object, ...], rank: tuple[object, ...]) -> str:
    return _BEHIND[next(place for place, both in enumerate(zip(best, rank, strict=True)) if both[0] != both[1])]


def _unfitness(one: Candidate, needs: Needs) -> str | None:
    if not one.is_configured:
        return "it is not set up"
    if not one.capability.is_usable:
        return "texts to this country do not go by it"
    if not _is_answerable(one.capability, needs):
        return "people can neither reply to it nor get a link by it"
    return None if _passes(one.capability, needs) else "texts with an address are filtered out"


def _is_answerable(capability: Capability, needs: Needs) -> bool:
    if needs.by_reply_only:
        return capability.is_two_way
    return not needs.asks_for_reply or capability.is_two_way or capability.allows_links


def _passes(capability: Capability, needs: Needs) -> bool:
    return capability.allows_links or not needs.has_link


def _halt(health: Health, now: datetime) -> str | None:
    if health.is_cut_off:
        return "there is no connection to the operator"
    if health.line_stopped_until is not None and health.line_stopped_until > now:
        return f"it refuses our account or does not answer (tried again at {health.line_stopped_until:%H:%M:%S} UTC)"
    if health.country_refused_until is not None and health.country_refused_until > now:
        return f"it refuses this country (tried again at {health.country_refused_until:%H:%M:%S} UTC)"
    return None
