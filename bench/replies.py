"""A storm of signed replies: how fast they are stored, that none is lost, and how soon the board shows them.

    python bench/replies.py [--replies 18000] [--seconds 60] [--duplicates 0.1]

Open loop: requests leave at their appointed time whether or not earlier ones were answered, and the latency counts from
that time. The board is polled meanwhile by officers' sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from bench import crowd, webhooks
from bench.open_loop import Heard, blow
from bench.stage import Stage, stage
from consular.queries import drills
from consular.services.transactions import unit_of_work


def main() -> int:
    """Measure and print; 1 when a reply was lost or refused."""
    options = _options()
    with stage("replies", {"LY": options.replies}, rate=1_000_000.0) as on_stage:
        crisis = on_stage.open_crisis("Libya 2011", "LY")
        on_stage.approve(on_stage.submit(crisis, "LY", asks=True))
        on_stage.wait(lambda: not _waiting("messages"))
        phones = crowd.phones("LY", options.replies)
        calls = webhooks.replies(on_stage.running, phones, options.replies, options.duplicates)
        with on_stage.polled(f"{crisis}/board/fragment", options.officers) as polls:
            storm = blow(webhooks.address(on_stage.running), calls, options.seconds).result()
            figures = _wait(on_stage, storm, len(calls))
    _print(
        {
            **figures,
            "webhook_p50_ms": storm.ms(50),
            "webhook_p99_ms": storm.ms(99),
            "board_p50_ms": polls.ms(50),
            "board_p99_ms": polls.ms(99),
            "officers": options.officers,
        }
    )
    return 0 if figures["lost"] == 0 and not storm.failures else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replies", type=int, default=18_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--duplicates", type=float, default=0.1)
    parser.add_argument("--officers", type=int, default=5, help="sessions that poll the board every two seconds")
    return parser.parse_args()


def _waiting(what: str) -> int:
    with unit_of_work():
        return drills.waiting()[what]


def _wait(on_stage: Stage, storm: Heard, sent: int) -> dict[str, object]:
    on_stage.wait(lambda: not _waiting("texts"))
    with unit_of_work():
        heard = drills.replies()
    return {
        "sent": sent,
        "failures": storm.failures,
        "acknowledged": len(storm.taken),
        "stored": int(heard.received),
        "lost": len(storm.taken) - int(heard.received),
        "reply_to_counters_p99_s": round(float(heard.p99), 3),
        "reply_to_board_p99_s": round(float(heard.p99) + 2.0, 3),
    }


def _print(figures: dict[str, object]) -> None:
    print(f"{os.cpu_count()} cores, load, database, web and workers together")
    for name, value in figures.items():
        print(f"  {name:>24}  {value:>12,}")
    print(json.dumps({"bench": "replies", **figures}))


if __name__ == "__main__":
    sys.exit(main())
