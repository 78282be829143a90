"""One function that knows whether everything promised is true: after drills, faults and loads, and for operators."""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from consular.domain.delivery import message_number
from consular.domain.triage import fold
from consular.extensions import cipher
from consular.queries import counters, invariants, statuses
from consular.queries.counters import AnySession
from consular.security.fields import KeyUnavailableError
from consular.services.transactions import unit_of_work

LONGEST_RECOVERY = timedelta(seconds=150)
"""I8: lease 30 s, sweep 5 s, reconciliation 60 s, backoff 30 s, and a margin."""

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

    gateway_log: one mapping per text that the gateway accepted, with "sid" and "attempt" (uuid of the attempt).
    gateway_texts: the ids of texts from people that we acknowledged. rates: parts per second by gateway.
    """

    gateway_log: Iterable[Mapping[str, Any]] | None = None
    gateway_texts: Iterable[str] | None = None
    rates: Mapping[str, float] | None = None


def check_invariants(
    gateway_log: Iterable[Mapping[str, Any]] | None = None,
    gateway_texts: Iterable[str] | None = None,
    *,
    rates: Mapping[str, float] | None = None,
    quiet_since: datetime | None = None,
    is_busy: bool = False,
) -> list[Invariant]:
    """Check every promise against the database and, when given, against what others saw (the arguments as in Seen).

    Three ways to judge what is under way. By default nothing may be: the work is over. quiet_since: the moment of the
    last fault or act; nothing may be under way LONGEST_RECOVERY after it, unless a row has a reason to wait. is_busy:
    the service is running; one moment of it is looked at, and nothing may stand still for LONGEST_RECOVERY without a
    reason.
    """
    seen = Seen(gateway_log, gateway_texts, rates)
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
    yield _kept_exactly()
    if seen.rates is not None:
        yield _paced(seen.rates)
    if seen.gateway_log is not None:
        yield from _against_gateway(seen.gateway_log)
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


def _kept_exactly() -> Invariant:
    changed: list[str] = []
    number = 0
    for batch in invariants.stored_texts():
        changed += [str(row.id) for row in batch if not _is_exact(row)]
        number += len(batch)
    return Invariant("texts_kept_exactly", not changed, _named(changed) or f"{number} texts", "I4")


def _is_exact(row: Any) -> bool:
    try:
        sender = cipher.open(row.sender_sealed, "inbound_messages.sender", row.id)
        body = cipher.open(row.body_sealed, "inbound_messages.body", row.id)
        raw = dict(json.loads(cipher.open(row.raw_sealed, "inbound_messages.raw", row.id)))
    except (KeyUnavailableError, ValueError):
        return False
    return bool(raw.get("Body", body) == body and raw.get("From", sender) == sender)


def _paced(rates: Mapping[str, float]) -> Invariant:
    fullest = invariants.fastest_windows()
    told = [f"{row.gateway}: {row.texts} in {_WINDOW_SECONDS} s until {row.at:%H:%M:%S}" for row in fullest]
    is_kept = all(row.texts <= _allowed(rates[row.gateway]) for row in fullest if row.gateway in rates)
    return Invariant("senders_keep_their_rate", is_kept, ", ".join(told) or "0 texts", "I11")


def _allowed(rate: float) -> float:
    return rate * _WINDOW_SECONDS * _TOLERANCE + 1


def _against_gateway(log: Iterable[Mapping[str, Any]]) -> Iterator[Invariant]:
    alerts = [row for row in log if row.get("attempt")]
    times = Tally(message_number(UUID(row["attempt"])) for row in alerts)
    ours = {row.id: row for row in invariants.handed_over()}
    more = {number: count for number, count in times.items() if count > 1}
    twice = [number for number, count in more.items() if count > 1 + _excused(ours.get(number))]
    figures = f"{len(times)} texts, {len(more)} declared possible duplicates arrived twice"
    yield Invariant("nobody_texted_twice", not twice, _named(twice) or figures, "I2")
    lost = [number for number in times if number not in ours]
    yield Invariant("accepted_there_is_accepted_here", not lost, _named(lost) or f"{len(times)} texts", "I3")
    sids = {row["sid"] for row in alerts}
    invented = [number for number, row in ours.items() if row.provider_message_id not in sids]
    yield Invariant("accepted_here_is_accepted_there", not invented, _named(invented) or f"{len(ours)} texts", "I3")


def _excused(row: Any) -> int:
    return int(row.unknowns) if row is not None and row.possible_duplicate else 0


def _heard(acknowledged: set[str]) -> Invariant:
    missing = sorted(acknowledged - invariants.inbound_ids())
    return Invariant("no_text_from_people_lost", not missing, _named(missing) or f"{len(acknowledged)} texts", "I4")


def _named(rows: list[Any]) -> str:
    return _list(len(rows), [str(row) for row in rows[: invariants.MOST_NAMED]])


def _list(count: int, first: list[str]) -> str:
    return f"{count} rows: {', '.join(first)}" if count else ""
