"""One function that knows whether everything promised is true: used after drills and tests, and by operators."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consular.domain.delivery import message_number
from consular.queries import counters, invariants
from consular.services.transactions import unit_of_work


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise. detail: its figures, or the rows that break it."""

    name: str
    ok: bool
    detail: str


def check_invariants(
    gateway_log: Iterable[Mapping[str, Any]] | None = None, gateway_texts: Iterable[str] | None = None
) -> list[Invariant]:
    """Check every promise against the database and, when given, against what the gateway itself saw.

    gateway_log: one mapping per accepted text with "sid" and "attempt" (uuid of the attempt). gateway_texts: the ids
    of texts
    from people that we acknowledged. Meant for a quiet moment: messages under way are reported as unsettled.
    """
    with unit_of_work():
        found = [_rows(name) for name in invariants.names()]
        found += list(_totals())
        if gateway_log is not None:
            found += list(_against_gateway(gateway_log))
        if gateway_texts is not None:
            found.append(_heard(set(gateway_texts)))
    return found


def _rows(name: str) -> Invariant:
    count, first = invariants.offenders(name)
    return Invariant(f"no_{name}", count == 0, f"{count} rows: {', '.join(first)}" if count else "0 rows")


def _totals() -> Iterator[Invariant]:
    crises, events = invariants.crises_and_events()
    wrong = [str(crisis) for crisis in crises if not _same(counters.read(crisis), counters.recount_crisis(crisis))]
    wrong += [str(event) for event in events if not _same(counters.read(event), counters.recount_event(event))]
    yield Invariant(
        "totals_equal_recount", not wrong, ", ".join(wrong) or f"{len(crises)} crises, {len(events)} events recounted"
    )
    people = {crisis: invariants.people_in(crisis) for crisis in crises}
    short = [
        f"{crisis}: {standing} of {selected}" for crisis, (standing, selected) in people.items() if standing != selected
    ]
    total = sum(standing for standing, _ in people.values())
    yield Invariant("everybody_selected_is_counted", not short, ", ".join(short) or f"{total} people")


def _same(kept: Mapping[str, int], counted: Mapping[str, int]) -> bool:
    return {key: value for key, value in kept.items() if value} == {
        key: value for key, value in counted.items() if value
    }


def _against_gateway(log: Iterable[Mapping[str, Any]]) -> Iterator[Invariant]:
    alerts = [row for row in log if row.get("attempt")]
    times = Tally(message_number(UUID(row["attempt"])) for row in alerts)
    ours = {row.id: (row.provider_message_id, row.possible_duplicate) for row in invariants.handed_over()}
    twice = [number for number, count in times.items() if count > 1 and not ours.get(number, ("", False))[1]]
    declared = sum(1 for number, count in times.items() if count > 1) - len(twice)
    yield Invariant(
        "nobody_texted_twice",
        not twice,
        _named(twice) or f"{len(times)} texts, {declared} declared possible duplicates",
    )
    lost = [number for number in times if number not in ours]
    yield Invariant("accepted_there_is_accepted_here", not lost, _named(lost) or f"{len(times)} texts")
    sids = {row["sid"] for row in alerts}
    invented = [number for number, (sid, _) in ours.items() if sid not in sids]
    yield Invariant("accepted_here_is_accepted_there", not invented, _named(invented) or f"{len(ours)} texts")


def _heard(acknowledged: set[str]) -> Invariant:
    missing = sorted(acknowledged - invariants.inbound_ids())
    return Invariant("no_text_from_people_lost", not missing, _named(missing) or f"{len(acknowledged)} texts")


def _named(rows: list[Any]) -> str:
    return f"{len(rows)} rows: {', '.join(str(row) for row in rows[: invariants.MOST_NAMED])}" if rows else ""
