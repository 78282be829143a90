"""The load scenarios of the catalogue, one table: `python -m bench.load [--small] [--only L4,L9]`.

Full size needs about 25 minutes of a machine that does nothing else. Everything runs on it: PostgreSQL, web, workers,
the practice gateway and the load itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench.load import crowd_on_stage, faults, hosts, mixed, restart
from bench.load.outcome import Line, Sizes, as_json, show

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
    sizes = replace(sizes, **{name: value for name, value in vars(options).items() if name in _SIZES and value})
    started, lines = time.monotonic(), []
    for names, scenario in SCENARIOS:
        if options.only and not set(names) & options.only:
            continue
        for line in scenario(sizes):
            lines.append(line)
            print(
                f"[{time.monotonic() - started:5.0f} s] {line.verdict:>6}  {line.scenario}: {line.measured}", flush=True
            )
    seconds = time.monotonic() - started
    about = f"{os.cpu_count()} cores, gateway, database, web, workers and load together; {seconds:.0f} s"
    print(f"\n{about}{' (small: shows that it works, not how fast)' if options.small else ''}")
    show(lines)
    print(as_json(lines, cores=os.cpu_count(), seconds=round(seconds), is_small=options.small))
    return 1 if any(line.ok is False for line in lines) else 0


_SIZES = ("crowd", "people", "officers", "mixed_minutes")


def _options() -> argparse.Namespace:
    known = [name for names, _ in SCENARIOS for name in names]
    parser = argparse.ArgumentParser("bench.load", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few minutes, also on a busy machine")
    parser.add_argument("--only", type=lambda text: set(text.split(",")), help=f"some of {', '.join(known)}")
    parser.add_argument("--crowd", type=int, help="people of the big alert (1,000,000)")
    parser.add_argument("--people", type=int, help="people of the alert that is answered (18,000)")
    parser.add_argument("--officers", type=int, help="who look at the board (50)")
    parser.add_argument("--mixed-minutes", type=float, help="length of the shortened mixed hour (3)")
    options = parser.parse_args()
    if options.only and (unknown := options.only - set(known)):
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
