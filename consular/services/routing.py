"""Which gateway texts leave by: chosen at fan-out, chosen anew while they wait at one that refuses them
(docs/adr/0008)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog

from consular.domain.cap import AlertStatus
from consular.domain.gateways import ACTUAL_GATEWAYS, gateways_for
from consular.domain.routing import Candidate, CapabilityTable, Choice, Health, Needs, choose
from consular.models.alerts import AlertEvent
from consular.queries import routing as queries
from consular.queries.routing import AnySession, Detour, Stops
from consular.queueing import EVERY_WORKER, QUEUES, Wakeups
from consular.services.texts import EventUnreadableError, freeze, is_list_of_countries, needs_of
from consular.services.transactions import unit_of_work
from consular.services.ways import Gateways, table_for

log = structlog.get_logger(__name__)

_LATELY = timedelta(minutes=10)
"""A gateway that refused so lately, and was not proven since, comes after those that did not."""
_BATCH = 5000
_FRONT = 5000
_MOST_BATCHES = 4
_QUIET_SECONDS = 10.0
_FOR_RECEIPTS = Needs(by_reply_only=True)

Country = str | None
Quiet = dict[tuple[Detour, Needs], float]
"""Until when (time.monotonic()) a detour on which nothing moved is left alone."""
Move = Callable[..., Mapping[str, int]]


class Chooser:
    """Chooses gateways by what is in the database now."""

    def __init__(self, session: AnySession, gateways: Gateways) -> None:
        self._gateways = frozenset(gateways)
        self.table: CapabilityTable = table_for(session, gateways)
        self.stops: Stops = queries.stops(session, _LATELY)

    def choose(self, names: Collection[str], needs: Needs, country: Country) -> Choice:
        """The gateways of these for a country, the best first."""
        candidates = [
            Candidate(self.table.of(name, country), self._health(name, country), name in self._gateways)
            for name in names
        ]
        return choose(candidates, needs, self.stops.at, accepts_no_answer=country in needs.accepts_no_answer_from)

    def detour(self, source: str, needs: Needs) -> Detour:
        """Where texts that wait at a real gateway go instead, if it cannot send them now and another can."""
        accepted = needs.accepts_no_answer_from - {None}
        refused = {country for _, country in self.stops.countries}
        countries = sorted(self.table.countries.union(refused, filter(None, accepted)))
        return Detour(
            gateway=source,
            targets=tuple((country, self._instead(source, needs, country)) for country in countries),
            rest=self._instead(source, needs, None),
            is_gone=source not in self._gateways,
        )

    def detour_of_receipts(self, source: str) -> Detour:
        """Where receipts for replies that wait at a real gateway go instead: all of them when it is gone, else only
        those into a country that it refuses. Whatever else stops it, they stay in the thread they belong to."""
        if source not in self._gateways:
            return self.detour(source, _FOR_RECEIPTS)
        refused = (
            where
            for (gateway, where), until in self.stops.countries.items()
            if gateway == source and until > self.stops.at
        )
        targets = tuple((country, self._instead(source, _FOR_RECEIPTS, country)) for country in sorted(refused))
        return Detour(source, targets, rest=None)

    def _instead(self, source: str, needs: Needs, country: Country) -> str | None:
        able = self.choose(ACTUAL_GATEWAYS, needs, country).open
        return next(iter(able), None) if source not in able else None

    def _health(self, gateway: str, country: Country) -> Health:
        line, refused = self.stops.lines.get(gateway), self.stops.countries.get((gateway, country or ""))
        is_failing = line is not None or refused is not None
        return Health(line, refused, is_failing, is_cut_off=gateway in self.stops.cut_off)


def routes_for(
    session: AnySession, status: AlertStatus, gateways: Gateways, needs: Needs, countries: Iterable[Country]
) -> dict[Country, Choice]:
    """For each country (None: phones of which we do not know it) the gateways for an alert, the best first."""
    chooser = Chooser(session, gateways)
    return {country: chooser.choose(gateways_for(status), needs, country) for country in countries}


def reroute(gateways: Gateways, wakeups: Wakeups, quiet: Quiet | None = None) -> dict[str, int]:
    """Move texts that wait where they are refused, or at a gateway that is not configured any more, to the next best
    gateway; how many went to which.

    Only real ones, only what certainly was not sent (from a gateway that is gone also what is to be sent again), only
    to a gateway that may send now: whatever has none stays.
    Receipts for replies leave their gateway only when it is gone or refuses their country, and only for one that takes
    replies there. quiet: a memory of the caller's; a detour on which nothing moved is tried again after seconds,
    because looking costs as much as the queue is long.
    """
    quiet = {} if quiet is None else quiet
    moved: Counter[str] = Counter()
    with unit_of_work() as session:
        moves = list(_moves(session, gateways))
    for detour, needs, move in moves:
        if time.monotonic() < quiet.get((detour, needs), 0.0):
            continue
        found = _move(detour, move)
        moved.update(found)
        if not found:
            quiet[detour, needs] = time.monotonic() + _QUIET_SECONDS
    for gateway in sorted(moved):
        if gateway in QUEUES:
            wakeups.kick(gateway, EVERY_WORKER)
    return dict(moved)


def stranded(session: AnySession, gateways: Gateways) -> list[tuple[str, Country]]:
    """Where texts of real alerts wait although they are refused, and none of the gateways can take them instead, or
    where they wait at a gateway that is gone: gateway and country, None for those of which we do not know it."""
    waiting = {name: queries.countries_in_front(session, name, _FRONT) for name in ACTUAL_GATEWAYS}
    if not any(waiting.values()):
        return []
    chooser = Chooser(session, gateways)
    found = []
    for source, countries in waiting.items():
        for country in countries:
            able = chooser.choose(ACTUAL_GATEWAYS, Needs(), country).open
            if not able or source not in gateways:
                found.append((source, country))
    return found


def _moves(session: AnySession, gateways: Gateways) -> Iterable[tuple[Detour, Needs, Move]]:
    waiting = [name for name in ACTUAL_GATEWAYS if queries.has_waiting(session, name)]
    if not waiting:
        return
    chooser = Chooser(session, gateways)
    events: dict[Needs, list[UUID]] = {}
    for event_id in queries.running_events(session):
        events.setdefault(_needs(session, event_id), []).append(event_id)
    for source in waiting:
        for needs, ids in events.items():
            yield chooser.detour(source, needs), needs, partial(queries.move_alerts, events=ids)
        yield chooser.detour_of_receipts(source), _FOR_RECEIPTS, queries.move_receipts


def _needs(session: AnySession, event_id: UUID) -> Needs:
    event = session.get_one(AlertEvent, event_id)
    try:
        return freeze(event).needs
    except EventUnreadableError:
        accepted = event.accepts_no_answer_from if is_list_of_countries(event.accepts_no_answer_from) else ()
        needs = needs_of((), asks_for_reply=event.asks_for_reply, accepts_no_answer_from=accepted)
        return replace(needs, has_link=True)


def _move(detour: Detour, move: Move) -> Counter[str]:
    moved: Counter[str] = Counter()
    for _ in range(_MOST_BATCHES if detour.leads_anywhere else 0):
        with unit_of_work() as session:
            found = move(session, detour, limit=_BATCH) if queries.try_lock(session) else {}
        moved.update(found)
        if sum(found.values()) < _BATCH:
            break
    if moved:
        log.warning("texts_rerouted", source=detour.gateway, targets=dict(moved))
    return moved
