"""Every benchmark still runs to its table and its JSON line; how fast it is, is not asked here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "command",
    [
        "fanout.py 2000",
        "http_clients.py --messages 500 --at-once 50",
        "delivery.py --people 300 --rounds 1 --naive 20 --concurrency 50",
        "board.py --people 3000 --officers 3 --seconds 3 --replies 10",
        "smpp.py --count 500",
    ],
    ids=lambda command: command.split(".")[0],
)
def test_a_small_run_ends_with_its_figures(command):
    name, *options = command.split()
    ran = subprocess.run(
        [sys.executable, ROOT / "bench" / name, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.stdout, ran.stderr
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert figures["bench"] == name.removesuffix(".py")
