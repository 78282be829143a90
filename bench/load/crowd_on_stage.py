"""L2, L9, L4, L5, L6: a million people in one crisis, and what happens meanwhile."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench import crowd, webhooks
from bench.load.outcome import Line, Sizes, paced, promises
from bench.officers import Polls
from bench.open_loop import Heard, blow
from bench.stage import Stage, stage
from consular.clock import utc_now
from consular.extensions import db
from consular.queries import drills
from consular.services.transactions import unit_of_work

NAMES = ("L2", "L9", "L4", "L5", "L6")
RATE = 100.0
QUICK_RATE = 20_000.0
"""Of the first alert: its 18,000 texts only have to be there before the rest begins."""
URGENT = 500
RUNNING_SECONDS = 90
"""Longer than a fan-out takes on any machine; what is left is stopped."""
RECEIPT_CONNECTIONS = 16
WINDOW_SECONDS = 5.0
"""Looked at from the press of the button on, also when the answer comes sooner."""


def run(sizes: Sizes) -> Iterator[Line]:
    """One world for all five: filling it takes longer than measuring."""
    running_alert = int(RATE * RUNNING_SECONDS)
    people = {"EG": sizes.crowd, "LY": sizes.people, "TN": running_alert, "DZ": URGENT}
    with stage("crowd", people, rate=QUICK_RATE) as world:
        crisis = world.open_crisis("The whole region", "EG", "LY")
        yield _approved(world, crisis, sizes)
        world.reset_workers(EXERCISE_GATEWAY_RATE=RATE)
        since = utc_now()
        big = yield from _fan_out(world, crisis, sizes)
        yield from _urgent(world, sizes)
        acknowledged = yield from _storm(world, crisis, sizes)
        yield from _corrected(world, big, sizes)
        world.halt("worker-exercise")
        yield paced("L2-L9", world, since, RATE)
        yield from promises("L2-L9", world, acknowledged, rates={"exercise": QUICK_RATE}, is_busy=True)


def _approved(world: Stage, crisis: str, sizes: Sizes) -> Line:
    """The alert that will be answered; all its texts have left."""
    event, pressed, answered = world.approve(world.submit(crisis, "LY", asks=True))
    took = answered - pressed
    world.wait(lambda: not _unsent(event))
    return Line("L2", f"approve to {sizes.people:,}, from button to page", "<= 1 s", f"{took:.2f} s", took <= 1)


def _fan_out(world: Stage, crisis: str, sizes: Sizes) -> Generator[Line, None, str]:
    """The path of the big alert."""
    other = world.open_crisis("Next door", "TN")
    alert = world.submit(crisis, "EG", "normal")
    running = world.submit(other, "TN")
    with world.polled(f"{crisis}/board/fragment", 10) as board, world.polled("/officer/", 5) as home:
        before, _, _ = world.approve(running)
        world.wait(lambda: _accepted(before) > RATE)
        big, pressed, answered = world.approve(alert)
        took = answered - pressed
        time.sleep(max(0.0, WINDOW_SECONDS - took))
    yield Line("L2", f"approve to {sizes.crowd:,}, from button to page", "<= 15 s", f"{took:.1f} s", took <= 15)
    yield _pages(board, home, pressed, pressed + max(took, WINDOW_SECONDS))
    yield _other(before, big, max(took, WINDOW_SECONDS))
    world.stop(running)
    world.wait(lambda: not _unsent(before))
    return alert


def _pages(board: Polls, home: Polls, since: float, until: float) -> Line:
    """Each page by itself: that of fewer looks must not hide behind the other."""
    p95 = max(board.ms(95, since, until), home.ms(95, since, until))
    slowest = max(board.ms(100, since, until), home.ms(100, since, until))
    failed = len(board.failures) + len(home.failures)
    looks = min(board.looks(since, until), home.looks(since, until))
    told = f"p95 {p95:,.0f} ms, slowest {slowest:,.0f} ms, {failed} failed"
    is_ok = bool(looks) and p95 < 1500 and not failed
    return Line("L2", "15 officers look at board and home page meanwhile", "p95 < 1.5 s, 0 failed", told, is_ok)


def _other(before: UUID, big: UUID, took: float) -> Line:
    """How the alert under way went on between the officer's press of the button and the answer."""
    with unit_of_work() as session:
        row = session.execute(
            text("""
            with during as (
                select a.recorded_at from message_attempts a join messages m on m.id = a.message_id
                join alert_events e on e.id = :big
                where m.event_id = :before and a.outcome = 'accepted'
                and a.recorded_at between e.approved_at and e.approved_at + :took * interval '1 second'
            ), gaps as (select recorded_at - lag(recorded_at) over (order by recorded_at) as gap from during)
            select (select count(*) from during) as texts, coalesce(extract(epoch from max(gap)), 0) as gap from gaps
            """),
            {"before": before, "big": big, "took": took},
        ).one()
    rate, gap = row.texts / took, float(row.gap)
    measured = f"{rate:.0f} texts/s, longest pause {gap:.2f} s"
    return Line(
        "L2",
        f"another alert under way at {RATE:.0f} texts/s meanwhile",
        ">= 90 % of its rate",
        measured,
        rate >= 0.9 * RATE,
    )


def _urgent(world: Stage, sizes: Sizes) -> Iterator[Line]:
    event, _, _ = world.approve(world.submit(world.open_crisis("Shelling", "DZ"), "DZ"))
    world.wait(lambda: not _unsent(event), 120)
    with unit_of_work():
        times = drills.handover_times(event)
    first, last = _seconds(times.first), _seconds(times.last)
    conditions = f"life-safety alert to {URGENT} while {sizes.crowd:,} normal rows wait, {RATE:.0f} texts/s"
    yield Line("L9", conditions, "first <= 10 s", f"first after {first:.2f} s", first <= 10)
    is_kept = times.number == URGENT and last <= 10
    yield Line("L9", "", f"all {URGENT} <= 10 s", f"{times.number} after {last:.1f} s", is_kept)


def _corrected(world: Stage, big: str, sizes: Sizes) -> Iterator[Line]:
    """The big alert was wrong: it is stopped, and a correction of the same class must not wait behind its rows."""
    took = world.stop(big)
    yield Line(
        "L9", f"stop the alert of {sizes.crowd:,}, from button to page", "<= 5 s (I9)", f"{took:.2f} s", took <= 5
    )
    event, _, _ = world.approve(world.submit(world.open_crisis("Correction", "DZ"), "DZ", "normal"))
    world.wait(lambda: not _unsent(event), 240)
    with unit_of_work():
        times = drills.handover_times(event)
    first, last = _seconds(times.first), _seconds(times.last)
    told = f"first after {first:.2f} s, {times.number} after {last:.1f} s"
    conditions = f"correction of the same class to {URGENT} right after that"
    is_ok = first <= 10 and times.number == URGENT
    yield Line("L9", conditions, f"first <= 10 s, all {URGENT}", told, is_ok)


def _seconds(waited: Any) -> float:
    """For ever when nobody was texted."""
    return float("inf") if waited is None else float(waited)


def _storm(world: Stage, crisis: str, sizes: Sizes) -> Generator[Line, None, set[str]]:
    number = sizes.replies or sizes.people
    replies = webhooks.replies(world.running, crowd.phones("LY", sizes.people), number, duplicates=0.1)
    receipts = webhooks.receipts(world.running, sizes.people)
    where = webhooks.address(world.running)
    with world.polled(f"{crisis}/board/fragment", sizes.officers) as polls:
        said = blow(where, replies, sizes.storm_seconds)
        reported: Future[Heard] = blow(where, receipts, sizes.receipts_seconds, RECEIPT_CONNECTIONS)
        said.result()
        is_read = world.wait(_all_heard, sizes.receipts_seconds + 120)
        reported.result()
        is_applied = world.wait(_all_applied, 120)
    yield from _heard(said.result(), sizes, len(replies), is_read)
    yield from _reported(reported.result(), sizes, len(receipts), is_applied)
    yield _polled(polls, sizes)
    return said.result().taken


def _heard(heard: Heard, sizes: Sizes, sent: int, is_read: bool) -> Iterator[Line]:
    with unit_of_work() as session:
        row = session.execute(
            text("""
            select count(*) as stored, coalesce(extract(epoch from max(processed_at - received_at)), 0) as lag
            from inbound_messages
            """)
        ).one()
    lost, per_second = len(heard.taken) - int(row.stored), sent / sizes.storm_seconds
    number = sizes.replies or sizes.people
    conditions = f"{number:,} replies and 10 % duplicates in {sizes.storm_seconds:g} s ({per_second:.0f}/s)"
    told = f"{lost} lost, {heard.failures} failed, {row.stored:,} stored"
    yield Line("L4", conditions, "0 lost", told, lost == 0 and not heard.failures)
    p99 = heard.ms(99)
    yield Line("L4", "answer, from the appointed time", "p99 < 1 s", f"p50 {heard.ms(50):,} p99 {p99:,} ms", p99 < 1000)
    told = f"at most {float(row.lag):.1f} s" + ("" if is_read else ", NOT ALL READ")
    yield Line("L4", "from stored to read and counted", "< 30 s", told, is_read and row.lag < 30)


def _reported(heard: Heard, sizes: Sizes, sent: int, is_applied: bool) -> Iterator[Line]:
    per_second = sent / sizes.receipts_seconds
    conditions = f"{sent:,} receipts in any order in {sizes.receipts_seconds:g} s ({per_second:.0f}/s), with L4"
    with unit_of_work() as session:
        row = session.execute(
            text("""
            select count(*) as stored, coalesce(extract(epoch from max(processed_at - received_at)), 0) as lag,
                   (select count(*) from messages where state = 'delivered') as delivered from receipt_events
            """)
        ).one()
    lost = len(heard.taken) - int(row.stored)
    told = f"{lost} lost, {heard.failures} failed, {row.delivered:,} delivered, lag at most {float(row.lag):.1f} s"
    is_ok = is_applied and lost == 0 and not heard.failures and row.lag < 30
    yield Line("L5", conditions, "0 lost, lag < 30 s", told, is_ok)
    p99 = heard.ms(99)
    yield Line("L5", "answer, from the appointed time", "p99 < 1 s", f"p50 {heard.ms(50):,} p99 {p99:,} ms", p99 < 1000)


def _polled(polls: Polls, sizes: Sizes) -> Line:
    with unit_of_work() as session:
        rows = int(session.execute(text("select count(*) from person_statuses")).scalar_one())
    conditions = f"{sizes.officers} officers look every 2 s at a board of {rows:,} people, with L4 and L5"
    measured = (
        f"p50 {polls.ms(50):,.0f} p95 {polls.ms(95):,.0f} ms, {len(polls.seen):,} looks, {len(polls.failures)} failed"
    )
    return Line("L6", conditions, "p95 < 500 ms, 0 failed", measured, polls.ms(95) < 500 and not polls.failures)


def _unsent(event: UUID) -> int:
    return _count("messages where event_id = :event and state in ('queued', 'claimed', 'sending', 'unknown')", event)


def _accepted(event: UUID) -> int:
    return _count("messages where event_id = :event and state not in ('queued', 'claimed', 'sending')", event)


def _count(what: str, event: UUID) -> int:
    with unit_of_work() as session:
        return int(session.execute(text(f"select count(*) from {what}"), {"event": event}).scalar_one())


def _all_heard() -> bool:
    return not _any("inbound_messages")


def _all_applied() -> bool:
    return not _any("receipt_events")


def _any(table: str) -> bool:
    with unit_of_work():
        return bool(db.session.scalar(text(f"select exists (select 1 from {table} where processed_at is null)")))
