"""Officers who look at the board every two seconds, as their browsers do, in a process of their own."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import requests

EVERY_SECONDS = 2.0


@dataclass(slots=True)
class Polls:
    """What the officers' browsers measured. seen: (time.monotonic(), milliseconds, status or 0) of every look."""

    seen: list[tuple[float, float, int]] = field(default_factory=list)
    unchanged: int = 0
    largest: int = 0

    def ms(self, percent: float, since: float = 0.0, until: float = float("inf")) -> float:
        """A percentile of the looks begun between two moments, in milliseconds; 0 when there were none."""
        ranked = sorted(ms for at, ms, _ in self.seen if since <= at <= until)
        return round(ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))], 1) if ranked else 0.0

    def looks(self, since: float, until: float) -> int:
        """How many were begun between two moments."""
        return sum(1 for at, _, _ in self.seen if since <= at <= until)

    @property
    def failures(self) -> list[tuple[float, int]]:
        """When a look was answered by neither 200 nor 304, and by what (0: not at all)."""
        return [(at, status) for at, _, status in self.seen if status not in (200, 304)]

    @property
    def longest_outage(self) -> float:
        """Seconds between the first and the last of failed looks that no good answer parts, at its longest."""
        longest, first = 0.0, None
        for at, _, status in sorted(self.seen):
            if status in (200, 304):
                first = None
            else:
                first = at if first is None else first
                longest = max(longest, at - first)
        return longest


@contextmanager
def polling(url: str, cookies: dict[str, str], officers: int) -> Iterator[Polls]:
    """That many officers look at `url` meanwhile; the polls are there when the block is over."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_look, args=(url, cookies, officers, theirs), daemon=True)
    process.start()
    theirs.close()
    polls = Polls()
    ours.recv()
    try:
        yield polls
    finally:
        ours.send("stop")
        polls.seen, polls.unchanged, polls.largest = ours.recv()
        process.join()


def _look(url: str, cookies: dict[str, str], officers: int, pipe: Connection) -> None:
    stop, polls, lock = threading.Event(), Polls(), threading.Lock()
    threads = [
        threading.Thread(target=_one, args=(url, cookies, EVERY_SECONDS * number / officers, polls, lock, stop))
        for number in range(officers)
    ]
    for thread in threads:
        thread.start()
    pipe.send("looking")
    pipe.recv()
    stop.set()
    for thread in threads:
        thread.join()
    pipe.send((polls.seen, polls.unchanged, polls.largest))


def _one(
    url: str, cookies: dict[str, str], pause: float, polls: Polls, lock: threading.Lock, stop: threading.Event
) -> None:
    session = requests.Session()
    session.trust_env = False
    session.cookies.update(cookies)
    etag = ""
    stop.wait(pause)
    while not stop.is_set():
        started = time.monotonic()
        answer = _answer(session, url, etag)
        with lock:
            polls.seen.append((started, (time.monotonic() - started) * 1000, getattr(answer, "status_code", 0)))
            if answer is not None and answer.status_code in (200, 304):
                etag = answer.headers.get("ETag", "")
                polls.unchanged += answer.status_code == 304
                polls.largest = max(polls.largest, int(answer.headers.get("Content-Length", 0)))
        stop.wait(max(0.0, EVERY_SECONDS - (time.monotonic() - started)))


def _answer(session: requests.Session, url: str, etag: str) -> Any:
    """As a browser: a kept connection that the server closes meanwhile is opened anew once."""
    headers = {"If-None-Match": etag, "X-Requested-With": "fetch"}
    for tries_left in (1, 0):
        try:
            return session.get(url, headers=headers, timeout=30, allow_redirects=False)
        except requests.ConnectionError:
            if not tries_left:
                return None
        except requests.RequestException:
            return None
    return None
