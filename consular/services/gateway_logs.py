"""Holding a gateway's own log against our rows: nothing arrived twice, nothing is known only there or only here."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from consular.domain.delivery import message_number
from consular.domain.ports import SmsGateway
from consular.queries import invariants
from consular.services.restoring import number_in

Line = Mapping[str, Any]
Period = tuple[datetime, datetime]

CLOCKS_APART = timedelta(seconds=5)
"""A gateway's clock may differ from ours by so much: nearer to an end of a log it is not told what belongs in it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """texts: how many the log has; declared: how many of them it has twice or more. Numbers of messages: twice, without
    an attempt that excuses it; lost, taken there and not known here; invented, the other way round.

    ours: how many rows were looked for in the log, and which they were, in words.
    """

    texts: int
    declared: int
    twice: Sequence[int]
    lost: Sequence[int]
    invented: Sequence[int]
    ours: str


def compare(
    log: Iterable[Line], gateways: Collection[str], *, period: Period | None = None, before: datetime | None = None
) -> Compared:
    """Every text of the log is known here; every text that its gateway took by our account is in the log.

    A line has "sid" and "attempt" (an attempt's uuid). gateways: whose log it is; none named: those that gave us its
    ids. period: only what was handed over then is looked for in it, else everything. before: a text whose row changed
    since then may still be under way.
    """
    lines = list(log)
    inside = (period[0] + CLOCKS_APART, period[1] - CLOCKS_APART) if period else None
    rows = {row.id: row for row in invariants.handed_over(inside)}
    sids = {line["sid"] for line in lines}
    times = Tally(message_number(UUID(line["attempt"])) for line in lines if line.get("attempt"))
    more = {number: count for number, count in times.items() if count > 1}
    lost = [number for number in times if number not in rows]
    excused = invariants.under_way(lost, before) if before and lost else set()
    of = set(gateways) or {row.gateway for row in rows.values() if row.provider_message_id in sids}
    if inside is None and not of:
        of = {row.gateway for row in rows.values()}
    ours = [row for row in rows.values() if row.gateway in of and row.is_covered]
    return Compared(
        texts=len(times),
        declared=len(more),
        twice=[number for number, count in more.items() if count > 1 + _excused(rows.get(number))],
        lost=[number for number in lost if number not in excused],
        invented=[row.id for row in ours if row.provider_message_id not in sids],
        ours=_told(len(ours), of, inside),
    )


def period_of(lines: Sequence[Line]) -> Period | None:
    """From the first moment in a log to the last; None: a line has no moment."""
    moments = [moment for line in lines if (moment := moment_of(line))]
    return (min(moments), max(moments)) if moments and len(moments) == len(lines) else None


def read_list(gateway: SmsGateway, since: datetime, until: datetime) -> list[Line]:
    """What a gateway's own list shows of the period, as compare() takes it. A list may be behind: see LIST_LAG.

    A text is ours by the reference in it, so the account must carry no other installation's. Raises GatewayError
    (NoListError: it has no list).
    """
    return [
        {
            "sid": one.provider_message_id,
            "attempt": str(UUID(int=number << 64)) if (number := number_in(one)) else None,
            "created_at": one.created_at.isoformat(),
        }
        for one in gateway.list_sent(since)
        if since <= one.created_at <= until
    ]


def check_line(line: Line) -> None:
    """Raises ValueError, TypeError or KeyError for a line that compare() could not read."""
    moment_of(dict(line))
    if line["sid"] and line.get("attempt"):
        UUID(line["attempt"])


def moment_of(line: Line) -> datetime | None:
    """When the gateway took the text: "created_at" in seconds since 1970, or as ISO 8601 (UTC unless it says another
    zone). None: the line does not say. Raises ValueError."""
    given = line.get("created_at")
    if given is None:
        return None
    if isinstance(given, (int, float)):
        return datetime.fromtimestamp(given, UTC)
    moment = datetime.fromisoformat(str(given))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _excused(row: Any) -> int:
    return int(row.unknowns) if row is not None and row.possible_duplicate else 0


def _told(number: int, gateways: Collection[str], period: Period | None) -> str:
    texts = f"{number} texts of {', '.join(sorted(gateways)) or 'no gateway'}"
    if period is None:
        return texts
    first, last = (moment.astimezone(UTC) for moment in period)
    if last < first:
        return f"{texts}: the log covers too short a time"
    return f"{texts}, handed over from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
