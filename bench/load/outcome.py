"""What a scenario found: lines of the table, and the promises of the whole service checked after it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from bench.stage import Stage
from consular.services.transactions import unit_of_work
from consular.services.verification import check_invariants


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. ok None: told for information, nothing was promised."""

    scenario: str
    conditions: str
    wanted: str
    measured: str
    ok: bool | None = None

    @property
    def verdict(self) -> str:
        """In a word."""
        return "-" if self.ok is None else "ok" if self.ok else "MISSED"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much load. replies: 0: as many as people. seconds: of the reply storm and of the receipts; minutes: of the
    mixed hour. The figures are the catalogue's but for the mixed hour's."""

    crowd: int = 1_000_000
    people: int = 18_000
    officers: int = 50
    replies: int = 0
    storm_seconds: float = 60.0
    receipts_seconds: float = 300.0
    faulty: int = 18_000
    mixed_minutes: float = 3.0
    restart_people: int = 6_000
    shared: int = 6_000
    plain: int = 60_000

    @classmethod
    def small(cls) -> Sizes:
        """A few minutes on a busy machine: shows that everything works, not how fast."""
        return cls(
            crowd=30_000,
            people=2_000,
            officers=10,
            storm_seconds=10.0,
            receipts_seconds=20.0,
            faulty=1_500,
            mixed_minutes=1.0,
            restart_people=1_500,
            shared=2_000,
            plain=10_000,
        )


def promises(
    name: str,
    stage: Stage,
    acknowledged: Collection[str] | None = None,
    rates: Mapping[str, float] | None = None,
    *,
    is_busy: bool = False,
) -> Iterator[Line]:
    """Everything promised, against the database, the gateway's log, and the texts whose receipt was acknowledged."""
    started = time.monotonic()
    log = stage.gateway("log")
    found = check_invariants(log, acknowledged, rates=rates, is_busy=is_busy)
    broken = [f"{one.code} {one.name}: {one.detail}" for one in found if not one.ok]
    told = "; ".join(broken) or f"all {len(found)} kept ({time.monotonic() - started:.0f} s); " + "; ".join(
        one.detail for one in found if one.name in _TOLD
    )
    yield Line(name, f"check_invariants, {len(log):,} texts in the gateway's log", "0 broken", told, not broken)


_TOLD = ("nobody_texted_twice", "no_text_from_people_lost", "senders_keep_their_rate")

_FULLEST = """
select coalesce(max(parts), 0) as parts, coalesce(max(longest), 1) as longest from (
    select sum(parts) over (order by at range between interval '10 seconds' preceding and current row) as parts,
           parts as longest
    from (select started_at as at, coalesce(parts, 1) as parts from message_attempts
          where gateway = 'exercise' and started_at >= :since and error_code is distinct from 'lease') tries
) windows
"""


def paced(name: str, stage: Stage, since: datetime, rate: float) -> Line:
    """I11 from a moment on: the fullest ten seconds of what we tried by our clock, in parts, and of what the gateway
    accepted by its own, in texts."""
    with unit_of_work() as session:
        row = session.execute(text(_FULLEST), {"since": since}).one()
    accepted = fullest([row["created_at"] for row in stage.gateway("log") if row["created_at"] >= since.timestamp()])
    allowed = rate * 10 * 1.05 + row.longest
    conditions = f"in any 10 s at {rate:g} parts/s, by our log and the gateway's"
    told = f"at most {row.parts:,} parts tried, {accepted:,} texts accepted"
    return Line(name, conditions, f"<= {allowed:,.0f}", told, 0 < row.parts <= allowed and accepted <= allowed)


def fullest(moments: Sequence[float], seconds: float = 10.0) -> int:
    """The most of these moments that lie within so many seconds of each other."""
    times = sorted(moments)
    last, most = 0, 0
    for first, begins in enumerate(times):
        while last < len(times) and times[last] < begins + seconds:
            last += 1
        most = max(most, last - first)
    return most
