"""What a scenario found: lines of the table, and the promises of the whole service checked after it."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.stage import Stage
from consular.services.verification import check_invariants

_WIDTHS = (9, 50, 30, 48, 7)


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
    """How much load. seconds: of the reply storm and of the receipts; minutes: of the mixed hour."""

    crowd: int = 1_000_000
    people: int = 18_000
    officers: int = 50
    storm_seconds: float = 60.0
    receipts_seconds: float = 300.0
    faulty: int = 6_000
    mixed_minutes: float = 3.0
    restart_people: int = 6_000
    shared: int = 6_000
    plain: int = 60_000

    @classmethod
    def small(cls) -> Sizes:
        """A few minutes on a busy machine: shows that everything works, not how fast."""
        return cls(30_000, 2_000, 10, 10.0, 20.0, 1_500, 1.0, 1_500, 2_000, 10_000)


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


_TOLD = ("nobody_texted_twice", "no_text_from_people_lost")


def show(lines: Sequence[Line]) -> None:
    """The table."""
    rows = [("", "conditions", "wanted", "measured", "verdict")]
    rows += [(one.scenario, one.conditions, one.wanted, one.measured, one.verdict) for one in lines]
    before = ""
    for number, row in enumerate(rows):
        if row[0] != before:
            print("-" * (sum(_WIDTHS) + 2 * len(_WIDTHS)))
        before = row[0]
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, _WIDTHS, strict=True)]
        for line in range(max(map(len, cells))):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            print("  ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip())
        if not number:
            before = ""


def as_json(lines: Sequence[Line], **about: Any) -> str:
    """One line with everything."""
    return json.dumps({"bench": "load", **about, "lines": [asdict(one) for one in lines]})
