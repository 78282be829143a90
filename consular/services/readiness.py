"""Readiness: who could be reached now in each country, by which gateway, who not and why, and what proves it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from consular.domain.gateways import ACTUAL_GATEWAYS, SMPP
from consular.domain.readiness import CountryReadiness, Path, Phones, PublicAccount
from consular.domain.routing import Choice, Needs
from consular.models.readiness import PhonePart
from consular.queries import operations, readiness
from consular.services.canaries import Plan
from consular.services.operations import BindSeen
from consular.services.proofs import PathSeen, seen_paths
from consular.services.routing import Chooser
from consular.services.social import Publishers
from consular.services.transactions import unit_of_work

if TYPE_CHECKING:
    from config import Config

TASK = "readiness"
EVERY = timedelta(minutes=10)
STALE = timedelta(minutes=30)
"""Counts this old are made anew before they are shown: the clock, which renews them, may stand still."""

_ANSWERED = Needs(asks_for_reply=True)
_TOLD = Needs()
_NO_CONNECTION = "there is no connection to the operator"


@dataclass(frozen=True, slots=True)
class Means:
    """What an installation can send with: its real gateways with their senders, and the paths its handsets test."""

    senders: Mapping[str, str] = field(repr=False)
    tested: Collection[tuple[str, str]]

    @classmethod
    def of(cls, config: Config) -> Means:
        """What the settings name."""
        senders = {name: config.gateways[name].sender for name in ACTUAL_GATEWAYS if name in config.gateways}
        return cls(senders, Plan.of(config).paths)


@dataclass(frozen=True, slots=True)
class Counted:
    """countries: those with people, or the one that was asked for. counted_at: when the people were counted."""

    countries: list[CountryReadiness]
    counted_at: datetime | None


def refresh(now: datetime, max_age: timedelta = EVERY) -> bool:
    """Count people anew unless that was done within max_age, or another process does it; whether it was done."""
    with unit_of_work() as session:
        run = operations.begin(session, TASK, now, now - max_age)
    if run is None:
        return False
    with unit_of_work() as session:
        readiness.recount(session, now.date())
        operations.succeed(session, TASK, now)
    return True


def look(means: Means, now: datetime, country: str | None = None) -> Counted:
    """How ready each country with people is, or the one that is asked for; from the last count of people."""
    with unit_of_work() as session:
        beats = operations.heartbeats()
        rows = sorted(readiness.counts(country), key=lambda row: row.country)
        paths = _Paths(Chooser(session, means.senders), seen_paths(), means, _cut_off(beats.get(SMPP), now))
        found = [_country(code, list(mine), paths) for code, mine in groupby(rows, key=lambda row: row.country)]
        if country is not None:
            found = [_with_own_numbers(next(iter(found), CountryReadiness(country, [], 0, 0, 0)), paths)]
    return Counted(found, beats[TASK].done_at if TASK in beats else None)


def public_accounts(publishers: Publishers) -> list[PublicAccount]:
    """The accounts that real alerts are posted to, with what became of the last posts; none where none is set up."""
    with unit_of_work():
        known = {(row.network, row.account): row for row in readiness.posts()}
    return [
        _account(one.network, one.account, known.get((one.network, one.account)))
        for one in publishers(is_exercise=False)
    ]


def _account(network: str, account: str, row: Row[Any] | None) -> PublicAccount:
    if row is None:
        return PublicAccount(network, account)
    return PublicAccount(network, account, row.published_at, row.failed_at, row.failure, row.waiting)


def _cut_off(beat: Row[Any] | None, now: datetime) -> frozenset[str]:
    """Gateways whose one connection does not stand: what is queued there waits."""
    bind = BindSeen(beat.ran_at, beat.done_at, beat.failure) if beat is not None else BindSeen()
    return frozenset() if bind.stands(now) else frozenset({SMPP})


class _Paths:
    """The ways to the phones of each country, looked up once."""

    def __init__(
        self, chooser: Chooser, seen: Mapping[tuple[str, str], PathSeen], means: Means, cut_off: frozenset[str]
    ) -> None:
        self._chooser = chooser
        self._seen = seen
        self._means = means
        self._cut_off = cut_off
        self._known: dict[str, list[Path]] = {}

    def to(self, country: str) -> list[Path]:
        if country not in self._known:
            self._known[country] = list(self._look(country))
        return self._known[country]

    def _look(self, country: str) -> Iterable[Path]:
        choice = self._choose(country)
        able = choice.open + choice.stopped
        for name in [*able, *(one for one in ACTUAL_GATEWAYS if one in self._means.senders and one not in able)]:
            seen = self._seen.get((name, country), PathSeen(name, country))
            yield Path(
                gateway=name,
                is_right=name in able,
                is_open=name in choice.open and name not in self._cut_off,
                reason=self._reason(name, choice),
                proof=seen.proof,
                takes_replies=self._chooser.table.of(name, country or None).is_two_way,
                has_handset=(name, country) in self._means.tested,
                test=seen.test,
            )

    def _reason(self, name: str, choice: Choice) -> str | None:
        if name in choice.open and name in self._cut_off:
            return _NO_CONNECTION
        return None if name == choice.best and name in choice.open else choice.reasons.get(name)

    def _choose(self, country: str) -> Choice:
        """As for an alert that asks for a reply; where nobody could answer, as for one that only tells."""
        choice = self._chooser.choose(ACTUAL_GATEWAYS, _ANSWERED, country or None)
        if choice.best is None and choice.lacks_answer:
            return self._chooser.choose(ACTUAL_GATEWAYS, _TOLD, country or None)
        return choice


def _with_own_numbers(one: CountryReadiness, paths: _Paths) -> CountryReadiness:
    """With the ways to numbers of the country itself, also when nobody there has one."""
    if any(phones.country == one.country for phones in one.phones):
        return one
    return replace(one, phones=[*one.phones, Phones(one.country, 0, paths.to(one.country))])


def _country(code: str, rows: list[Row[Any]], paths: _Paths) -> CountryReadiness:
    parts = {part: sum(row.people for row in rows if row.part == part.value) for part in PhonePart}
    usable = sorted(
        (row for row in rows if row.part == PhonePart.USABLE), key=lambda row: (-row.people, row.phone_country)
    )
    return CountryReadiness(
        country=code,
        phones=[Phones(row.phone_country, row.people, paths.to(row.phone_country)) for row in usable],
        no_phone=parts[PhonePart.NO_PHONE],
        unusable_phone=parts[PhonePart.UNUSABLE_PHONE],
        opted_out=parts[PhonePart.OPTED_OUT],
    )
