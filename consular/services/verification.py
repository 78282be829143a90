"""One function that knows whether everything promised is true: after drills, faults and loads, and for operators."""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from consular.domain.triage import fold
from consular.extensions import cipher
from consular.queries import counters, invariants, statuses
from consular.queries.counters import AnySession
from consular.security.fields import KeyUnavailableError
from consular.services import gateway_logs
from consular.services.transactions import unit_of_work

LONGEST_RECOVERY = timedelta(seconds=150)
"""I8: lease 30 s, sweep 5 s, reconciliation 60 s, backoff 30 s, and a margin."""

IsKept = Callable[[Sequence[tuple[str, str]], str, str], bool | None]
"""Whether the raw form of a text says what was stored: raw fields, sender, body. None: nobody can tell."""

_WINDOW_SECONDS = 10
_TOLERANCE = 1.05


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise. detail: its figures, or the rows that break it. code: its number in the catalogue."""

    name: str
    ok: bool
    detail: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What others saw, when it is known.

    gateway_log, log_of, log_period: see gateway_logs.compare. gateway_texts: the ids of texts from people that we
    acknowledged. rates: parts per second by gateway. readers: how the raw form of a gateway's texts is read again;
    without one it is read as a form with Body and From.
    """

    gateway_log: Iterable[Mapping[str, Any]] | None = None
    gateway_texts: Iterable[str] | None = None
    rates: Mapping[str, float] | None = None
    log_of: Collection[str] = ()
    log_period: tuple[datetime, datetime] | None = None
    readers: Mapping[str, IsKept] = field(default_factory=dict)


def check_invariants(
    gateway_log: Iterable[Mapping[str, Any]] | None = None,
    gateway_texts: Iterable[str] | None = None,
    *,
    rates: Mapping[str, float] | None = None,
    quiet_since: datetime | None = None,
    is_busy: bool = False,
) -> list[Invariant]:
    """check() with what drills, faults and loads see: a gateway's whole log. The arguments as in Seen."""
    return check(Seen(gateway_log, gateway_texts, rates), quiet_since=quiet_since, is_busy=is_busy)


def check(seen: Seen, *, quiet_since: datetime | None = None, is_busy: bool = False) -> list[Invariant]:
    """Check every promise against the database and, when given, against what others saw.

    Three ways to judge what is under way. By default nothing may be: the work is over. quiet_since: the moment of the
    last fault or act; nothing may be under way LONGEST_RECOVERY after it, unless a row has a reason to wait. is_busy:
    the service is running; one moment of it is looked at, and nothing may stand still for LONGEST_RECOVERY without a
    reason.
    """
    with unit_of_work() as session:
        if is_busy:
            invariants.hold_still()
        return list(_all(session, seen, quiet_since, is_busy=is_busy))


def _all(session: AnySession, seen: Seen, quiet_since: datetime | None, *, is_busy: bool) -> Iterator[Invariant]:
    before = invariants.database_now() - LONGEST_RECOVERY if is_busy or quiet_since else None
    yield _settled(before, quiet_since)
    for name in invariants.names():
        yield _rows(name, before if is_busy else None)
    yield from _totals()
    yield _refolded(session)
    yield _kept_exactly(seen.readers)
    if seen.rates is not None:
        yield _paced(seen.rates)
    if seen.gateway_log is not None:
        yield from _against_gateway(seen, before if is_busy else None)
    if seen.gateway_texts is not None:
        yield _heard(set(seen.gateway_texts))


def _settled(before: datetime | None, quiet_since: datetime | None) -> Invariant:
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(invariants.reasons().items()))
    if quiet_since is not None and before is not None and quiet_since > before:
        seconds = (quiet_since - before).total_seconds()
        return Invariant("no_unsettled_messages", True, f"judged in {seconds:.0f} s; now: {why or '0 rows'}", "I8")
    standing_still = None if quiet_since is not None else before
    count, first = invariants.unsettled(standing_still, even_with_reason=before is None)
    waiting = f" (under way: {why})" if why else ""
    return Invariant("no_unsettled_messages", count == 0, (_list(count, first) or "0 rows") + waiting, "I8")


def _rows(name: str, before: datetime | None) -> Invariant:
    count, first = invariants.offenders(name, before)
    return Invariant(f"no_{name}", count == 0, _list(count, first) or "0 rows", invariants.code(name))


def _totals() -> Iterator[Invariant]:
    crises, events = invariants.crises_and_events()
    wrong = [str(crisis) for crisis in crises if not _same(counters.read(crisis), counters.recount_crisis(crisis))]
    wrong += [str(event) for event in events if not _same(counters.read(event), counters.recount_event(event))]
    figures = f"{len(crises)} crises, {len(events)} events recounted"
    yield Invariant("totals_equal_recount", not wrong, _named(wrong) or figures, "I1")
    people = {crisis: invariants.people_in(crisis) for crisis in crises}
    short = [
        f"{crisis}: {standing} of {selected}" for crisis, (standing, selected) in people.items() if standing < selected
    ]
    total = sum(standing for standing, _ in people.values())
    yield Invariant("everybody_selected_is_counted", not short, _named(short) or f"{total} people", "I1")


def _same(kept: Mapping[str, int], counted: Mapping[str, int]) -> bool:
    return {key: value for key, value in kept.items() if value} == {
        key: value for key, value in counted.items() if value
    }


def _refolded(session: AnySession) -> Invariant:
    wrong: list[str] = []
    number = 0
    for stored in invariants.standings():
        said = statuses.statements(session, stored.keys())
        wrong += [str(key[1]) for key, standing in stored.items() if standing != fold(said[key])]
        number += len(stored)
    return Invariant("statuses_follow_from_statements", not wrong, _named(wrong) or f"{number} people", "I5")


def _kept_exactly(readers: Mapping[str, IsKept]) -> Invariant:
    changed: list[str] = []
    compared: Tally[str] = Tally()
    unread: Tally[str] = Tally()
    for batch in invariants.stored_texts():
        for row in batch:
            is_exact = _is_exact(row, readers.get(row.gateway, _says_in_form))
            (unread if is_exact is None else compared)[row.gateway] += 1
            if is_exact is False:
                changed.append(str(row.id))
    told = _by_gateway(compared) + (f"; not compared: {_by_gateway(unread)}" if unread else "")
    return Invariant("texts_kept_exactly", not changed, _named(changed) or told, "I4")


def _by_gateway(texts: Tally[str]) -> str:
    return ", ".join(f"{number} texts of {gateway}" for gateway, number in sorted(texts.items())) or "0 texts"


def _is_exact(row: Any, is_kept: IsKept) -> bool | None:
    try:
        sender = cipher.open(row.sender_sealed, "inbound_messages.sender", row.id)
        body = cipher.open(row.body_sealed, "inbound_messages.body", row.id)
        raw = json.loads(cipher.open(row.raw_sealed, "inbound_messages.raw", row.id))
        return is_kept([(str(name), str(value)) for name, value in raw], sender, body)
    except (KeyUnavailableError, ValueError):
        return False


def _says_in_form(raw: Sequence[tuple[str, str]], sender: str, body: str) -> bool | None:
    fields = dict(raw)
    return (fields["From"], fields["Body"]) == (sender, body) if {"From", "Body"} <= fields.keys() else None


def _paced(rates: Mapping[str, float]) -> Invariant:
    fullest = invariants.fastest_windows()
    too_full = [row for row in fullest if row.gateway in rates and row.parts > _allowed(rates[row.gateway], row)]
    told = [f"{row.gateway}: {row.parts} parts in {_WINDOW_SECONDS} s until {row.at:%H:%M:%S}" for row in fullest]
    named = [_list(*invariants.left_in(row.gateway, row.at)) for row in too_full]
    return Invariant("senders_keep_their_rate", not too_full, "; ".join([", ".join(told) or "0 parts", *named]), "I11")


def _allowed(rate: float, row: Any) -> float:
    return rate * _WINDOW_SECONDS * _TOLERANCE + int(row.longest)


def _against_gateway(seen: Seen, before: datetime | None) -> Iterator[Invariant]:
    found = gateway_logs.compare(seen.gateway_log or (), seen.log_of, period=seen.log_period, before=before)
    figures = f"{found.texts} texts, {found.declared} declared possible duplicates arrived twice"
    yield Invariant("nobody_texted_twice", not found.twice, _named(found.twice) or figures, "I2")
    taken = _named(found.lost) or f"{found.texts} texts"
    yield Invariant("accepted_there_is_accepted_here", not found.lost, taken, "I3")
    yield Invariant("accepted_here_is_accepted_there", not found.invented, _named(found.invented) or found.ours, "I3")


def _heard(acknowledged: set[str]) -> Invariant:
    missing = sorted(acknowledged - invariants.inbound_ids())
    return Invariant("no_text_from_people_lost", not missing, _named(missing) or f"{len(acknowledged)} texts", "I4")


def _named(rows: Sequence[Any]) -> str:
    return _list(len(rows), [str(row) for row in rows[: invariants.MOST_NAMED]])


def _list(count: int, first: list[str]) -> str:
    return f"{count} rows: {', '.join(first)}" if count else ""
