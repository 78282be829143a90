"""A storm of signed replies: how fast they are stored, that none is lost, and how soon the board shows them.

    python bench/replies.py [--replies 18000] [--seconds 60] [--duplicates 0.1]

Open loop: requests leave at their appointed time whether or not earlier ones were answered, and the latency counts from
that time. The board is polled meanwhile by officers' sessions.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from statistics import quantiles
from urllib.parse import urlencode, urlsplit

import delivery
from twilio.request_validator import RequestValidator

from consular import create_app
from consular.drill import desk, enrolment, scenario, world
from consular.extensions import cipher
from consular.models.people import ContactPoint
from consular.queries import drills
from consular.services.transactions import unit_of_work

SENDERS = 48
_TEXTS = ("1", "2", "3", "I am safe", "मैं ठीक हूँ", "need help", "safe 4", "who is this", "أنا بخير", "pas en sécurité")


@dataclass(slots=True)
class Storm:
    """What the senders saw."""

    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    stored: set[str] = field(default_factory=set)


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
            requests = _requests(running, options)
            stop = threading.Event()
            board: list[float] = []
            watchers = [_watcher(running, officers[0][0], released, board, stop) for _ in range(options.officers)]
            storm = _blow(running, requests, options.seconds)
            figures = _wait(storm, len(requests))
            stop.set()
            for watcher in watchers:
                watcher.join()
    _print(
        {
            **figures,
            **_quantiles("webhook", storm.latencies),
            **_quantiles("board", board),
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


def _requests(running: world.World, options: argparse.Namespace) -> list[tuple[str, bytes, str]]:
    """(sid, body, signature) in the order of sending; phones of people who were asked."""
    with unit_of_work() as session:
        points = session.query(ContactPoint).filter(ContactPoint.channel == "sms").limit(options.replies)
        phones = [cipher.open(point.value_sealed, "contact_points.value", point.id) for point in points]
    url = f"{running.env['WEBHOOK_BASE_URL']}/webhooks/twilio/inbound"
    validator = RequestValidator(running.env["EXERCISE_GATEWAY_AUTH_TOKEN"])
    dice = random.Random(7)
    made = []
    for number in range(options.replies):
        sid = f"SM{number:032x}"
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "AccountSid": running.env["EXERCISE_GATEWAY_ACCOUNT_SID"],
            "From": phones[number % len(phones)],
            "To": running.env["EXERCISE_GATEWAY_FROM"],
            "Body": dice.choice(_TEXTS),
            "NumMedia": "0",
            "NumSegments": "1",
            "ApiVersion": "2010-04-01",
        }
        made.append((sid, urlencode(form).encode(), validator.compute_signature(url, form)))
    made += dice.sample(made, int(len(made) * options.duplicates))
    dice.shuffle(made)
    return made


def _blow(running: world.World, requests: list[tuple[str, bytes, str]], seconds: float) -> Storm:
    storm, lock = Storm(), threading.Lock()
    address = urlsplit(running.env["WEBHOOK_BASE_URL"]).netloc
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    started = time.monotonic() + 1.0
    step = seconds / len(requests)

    def send() -> None:
        connection = http.client.HTTPConnection(address, timeout=30)
        while (number := waiting.get()) is not None:
            sid, body, signature = requests[number]
            headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
            try:
                connection.request("POST", "/webhooks/twilio/inbound", body, headers)
                answer = connection.getresponse()
                answer.read()
                is_stored = answer.status == 200
            except (OSError, http.client.HTTPException):
                connection.close()
                is_stored = False
            late = time.monotonic() - (started + number * step)
            with lock:
                storm.latencies.append(late)
                storm.failures += not is_stored
                if is_stored:
                    storm.stored.add(sid)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for number in count():
        if number == len(requests):
            break
        pause = started + number * step - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        waiting.put(number)
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        thread.join()
    return storm


def _watcher(
    running: world.World, officer: desk.SignIn, released: desk.Released, times: list[float], stop: threading.Event
) -> threading.Thread:
    visitor = desk._signed_in(running.web_url, officer)

    def watch() -> None:
        while not stop.wait(2.0):
            started = time.monotonic()
            visitor.open(f"{released.crisis_path}/board/fragment")
            times.append(time.monotonic() - started)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def _wait(storm: Storm, sent: int) -> dict[str, object]:
    while True:
        with unit_of_work():
            heard = drills.replies()
        if heard.received == heard.processed:
            break
        time.sleep(0.1)
    return {
        "sent": sent,
        "failures": storm.failures,
        "acknowledged": len(storm.stored),
        "stored": int(heard.received),
        "lost": len(storm.stored) - int(heard.received),
        "reply_to_counters_p99_s": round(float(heard.p99), 3),
        "reply_to_board_p99_s": round(float(heard.p99) + 2.0, 3),
    }


def _quantiles(name: str, values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {f"{name}_p50_ms": round(cuts[49] * 1000, 1), f"{name}_p99_ms": round(cuts[98] * 1000, 1)}


def _print(figures: dict[str, object]) -> None:
    print(f"{os.cpu_count()} cores, load, database, web and workers together")
    for name, value in figures.items():
        print(f"  {name:>24}  {value:>12,}")
    print(json.dumps({"bench": "replies", **figures}))


if __name__ == "__main__":
    sys.exit(main())
