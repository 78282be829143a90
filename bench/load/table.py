"""The table of a run, with the conditions under which it was measured: printed, and kept in var/load/table.txt."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.load.outcome import Line
from bench.stage import FOLDER, ROOT

FILE = FOLDER / "table.txt"
_WIDTHS = (9, 50, 30, 48, 7)


def machine() -> str:
    """When, on which code and on what, and how busy it was before."""
    now = datetime.now(UTC)
    about = [f"{now:%Y-%m-%d %H:%M} UTC", *_commit(), f"{os.cpu_count()} cores{_model()}", f"{_gigabytes():.0f} GB"]
    return f"{', '.join(about)}; load average {os.getloadavg()[0]:.1f} before"


def table(lines: Sequence[Line]) -> str:
    """The lines as a table."""
    return "\n".join(_table(lines))


def keep(about: str, lines: Sequence[Line]) -> None:
    """Write the table to FILE; what was measured so far survives a run that is broken off."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(f"{about}\n{table(lines)}\n", "utf-8")


def as_json(lines: Sequence[Line], **about: Any) -> str:
    """One line with everything."""
    return json.dumps({"bench": "load", **about, "lines": [asdict(one) for one in lines]})


def _table(lines: Sequence[Line]) -> Iterator[str]:
    rows = [("", "conditions", "wanted", "measured", "verdict")]
    rows += [(one.scenario, one.conditions, one.wanted, one.measured, one.verdict) for one in lines]
    before = ""
    for number, row in enumerate(rows):
        if row[0] != before:
            yield "-" * (sum(_WIDTHS) + 2 * len(_WIDTHS))
        before = row[0] if number else ""
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, _WIDTHS, strict=True)]
        for line in range(max(map(len, cells))):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            yield "  ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip()


def _commit() -> list[str]:
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except OSError:
        return []
    return [f"commit {told}"] if told else []


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f" ({names[0]})" if names else ""


def _gigabytes() -> float:
    return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES")) / 2**30
