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
import time

from bench import delivery, webhooks
from bench.officers import polling
from bench.open_loop import Heard, blow
from consular import create_app
from consular.drill import desk, enrolment, scenario, world
from consular.extensions import cipher
from consular.models.people import ContactPoint
from consular.queries import drills
from consular.services.transactions import unit_of_work


def main() -> int:
    """Measure and print."""
    options = _options()
    chosen = scenario.load("libya-2011")
    officers = []
    plan = world.Plan("lean", 7, 1.0, rate=1_000_000.0)
    with world.running(plan, lambda config: officers.append(delivery._prepare(config))) as running:
        app = create_app(running.config)
        with app.app_context():
            by_form, listed = enrolment.split(options.replies, 0, 7, chosen)
            enrolment.take_over([*by_form, *listed], "bench", lambda _: None)
            released = desk.issue(running.web_url, officers[0], chosen)
            delivery._measure(running)
            calls = webhooks.replies(running, _phones(options.replies), options.replies, options.duplicates)
            visitor = desk._signed_in(running.web_url, officers[0][0])
            board = f"{running.web_url}{released.crisis_path}/board/fragment"
            with polling(board, visitor._session.cookies.get_dict(), options.officers) as polls:
                storm = blow(webhooks.address(running), calls, options.seconds).result()
                figures = _wait(storm, len(calls))
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


def _wait(storm: Heard, sent: int) -> dict[str, object]:
    while True:
        with unit_of_work():
            heard = drills.replies()
        if heard.received == heard.processed:
            break
        time.sleep(0.1)
    return {
        "sent": sent,
        "failures": storm.failures,
        "acknowledged": len(storm.taken),
        "stored": int(heard.received),
        "lost": len(storm.taken) - int(heard.received),
        "reply_to_counters_p99_s": round(float(heard.p99), 3),
        "reply_to_board_p99_s": round(float(heard.p99) + 2.0, 3),
    }


def _phones(number: int) -> list[str]:
    """Phones of people who were asked."""
    with unit_of_work() as session:
        points = session.query(ContactPoint).filter(ContactPoint.channel == "sms").limit(number)
        return [cipher.open(point.value_sealed, "contact_points.value", point.id) for point in points]


def _print(figures: dict[str, object]) -> None:
    print(f"{os.cpu_count()} cores, load, database, web and workers together")
    for name, value in figures.items():
        print(f"  {name:>24}  {value:>12,}")
    print(json.dumps({"bench": "replies", **figures}))


if __name__ == "__main__":
    sys.exit(main())
