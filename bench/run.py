"""All benchmarks, one after the other: `python bench/run.py [name ...]`. Each prints one table and one JSON line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ORDER = ("http_clients", "fanout", "delivery", "replies", "board", "smpp")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the number of those that failed."""
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        print(f"No benchmark is called {', '.join(unknown)}; there are {', '.join(ORDER)}.", file=sys.stderr)
        return 2
    failed = 0
    for name in names or ORDER:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
