"""Run seeds: `python -m tests.simulation --seeds 20000`, or one of them told step by step: `--seed 1234 --trace`."""

from __future__ import annotations

import argparse
import os
import sys

from tests.simulation.running import quiet, replay, simulate, table


def main() -> int:
    """0 when no invariant was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="tell what happens in it")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    quiet()
    if options.seed is not None:
        lines, found = replay(options.seed)
        told = [*(lines if options.trace else ()), *found, f"seed {options.seed}: {len(found)} violations"]
        print("\n".join(told))  # noqa: T201
        return 1 if found else 0
    summary = simulate(options.first, options.seeds, options.processes)
    print(table(summary))  # noqa: T201
    return 1 if summary.violations else 0


if __name__ == "__main__":
    sys.exit(main())
