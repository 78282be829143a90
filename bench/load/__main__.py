"""The load scenarios of the catalogue, one table: `python -m bench.load [--small] [--only L4,L9]`.

Full size needs about half an hour of a machine that does nothing else. Everything runs on it: PostgreSQL, web,
workers, the practice gateway and the load itself. The mixed hour is 3 minutes long instead of the catalogue's 20
(--mixed-minutes 20). docs/load.md tells what each scenario does.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bench.load import crowd_on_stage, faults, hosts, mixed, restart
from bench.load.outcome import Line, Sizes
from bench.load.table import FILE, as_json, keep, machine, table

Scenario = Callable[[Sizes], Iterator[Line]]
SCENARIOS: list[tuple[tuple[str, ...], Scenario]] = [
    (crowd_on_stage.NAMES, crowd_on_stage.run),
    (faults.NAMES, faults.run),
    (mixed.NAMES, mixed.run),
    (restart.NAMES, restart.run),
    (hosts.NAMES, hosts.run),
]


def main() -> int:
    """Run what was asked for; 1 when a figure was missed."""
    options = _options()
    sizes = Sizes.small() if options.small else Sizes()
    sizes = replace(sizes, **_chosen(options))
    lines = _run(options, sizes)
    return 1 if any(line.ok is False for line in lines) else 0


def _run(options: argparse.Namespace, sizes: Sizes) -> list[Line]:
    began, started = machine(), time.monotonic()
    lines: list[Line] = []
    for names, scenario in SCENARIOS:
        if options.only and not set(names) & options.only:
            continue
        for line in scenario(sizes):
            lines.append(line)
            seconds = time.monotonic() - started
            print(f"[{seconds:5.0f} s] {line.verdict:>6}  {line.scenario}: {line.measured}", flush=True)
            keep(f"{began};\n{_about(seconds, options)}", lines)
    seconds = time.monotonic() - started
    print(f"\n{began};\n{_about(seconds, options)}\n{table(lines)}\n\nThe table is kept in {FILE}.")
    print(as_json(lines, began=began, cores=os.cpu_count(), seconds=round(seconds), is_small=options.small))
    return lines


def _about(seconds: float, options: argparse.Namespace) -> str:
    chosen = [f"--{name.replace('_', '-')} {value:g}" for name, value in _chosen(options).items()]
    chosen += [f"--only {','.join(sorted(options.only))}"] if options.only else []
    chosen += ["--small: shows that it works, not how fast"] if options.small else []
    told = f"gateway, database, web, workers and load together on it; {seconds / 60:.0f} min"
    return f"{told} ({'; '.join(chosen)})" if chosen else told


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name in _SIZES and value}


_SIZES = ("crowd", "people", "replies", "storm_seconds", "officers", "faulty", "mixed_minutes")


def _options() -> argparse.Namespace:
    known = [name for names, _ in SCENARIOS for name in names]
    parser = argparse.ArgumentParser("bench.load", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few minutes, also on a busy machine")
    parser.add_argument("--only", type=lambda text: set(text.split(",")), help=f"some of {', '.join(known)}")
    parser.add_argument("--crowd", type=int, help="people of the big alert (1,000,000)")
    parser.add_argument("--people", type=int, help="people of the alert that is answered (18,000)")
    parser.add_argument("--officers", type=int, help="who look at the board (50)")
    parser.add_argument("--replies", type=int, help="how many they send (one each)")
    parser.add_argument("--storm-seconds", type=float, help="in how long they send them (60)")
    parser.add_argument("--faulty", type=int, help="people of the alert sent by a failing gateway (18,000)")
    parser.add_argument("--mixed-minutes", type=float, help="length of the mixed hour (3; the catalogue's: 20)")
    options = parser.parse_args()
    if options.only and (unknown := options.only - set(known)):
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
