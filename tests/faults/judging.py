"""After the faults: wait until all has come to rest, then count what arrived twice, what is lost, what is broken."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

import psycopg

from consular.domain.delivery import message_number
from consular.extensions import db
from consular.queries.promises import UNSETTLED
from consular.services.verification import Invariant, check_invariants
from tests.faults.desk import Alert
from tests.faults.play import LONGEST_RECOVERY, OPEN, Play, Stage
from tests.faults.world import SENDERS

_UNREAD = """
select (select count(*) from inbound_messages where processed_at is null)
     + (select count(*) from receipt_events where processed_at is null and result is null)
     + (select count(*) from messages m
        where m.event_id is null and m.state in ('queued', 'claimed', 'sending', 'unknown')
        and not exists (select 1 from senders s where s.gateway = m.gateway and s.paused_until > now())
        and not exists (select 1 from country_pauses p
                        where p.gateway = m.gateway and p.country = m.country and p.paused_until > now()))
"""
"""Not read yet, or an answer to a citizen that is about to leave; one for which a refused line stands still is not."""
_QUIET_SECONDS = 3.0
"""The receipts of the last answers to citizens are on their way so long."""
_ROWS = "select id, possible_duplicate from messages where event_id = %s"
_UNEXPLAINED = (
    f"select split_part(row, ':', 1)::bigint from ({UNSETTLED.replace(':before', 'now()')}) q where reason is null"
)
_LOOK_SECONDS = 0.5


class Watch:
    """Notes for each case when nothing of it is under way any more, while the next ones are played already."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._plays: list[Play] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def add(self, play: Play) -> None:
        """The fault of this case is over."""
        self._plays.append(play)

    def settle(self) -> None:
        """Wait until all have come to rest, at most LONGEST_RECOVERY after the fault of the last."""
        until = max((play.ended_at for play in self._plays), default=0.0) + LONGEST_RECOVERY
        quiet_since = time.time()
        while time.time() < min(until, quiet_since + _QUIET_SECONDS):
            time.sleep(_LOOK_SECONDS)
            if not (all(play.rested_at for play in self._plays) and self._all_read()):
                quiet_since = time.time()

    def _run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for play in [play for play in self._plays if not play.rested_at]:
                with suppress(psycopg.OperationalError):
                    if self._rests(play):
                        play.rested_at = time.time()

    def _rests(self, play: Play) -> bool:
        leaving = [alert.event_id for alert in play.alerts if alert.leaves]
        query = "select id from messages where event_id = any(%s) and state = any(%s)"
        exempt = {number for alert in play.alerts for number in alert.exempt}
        return not {int(row[0]) for row in self._stage.site.rows(query, leaving, OPEN)} - exempt

    def _all_read(self) -> bool:
        with suppress(psycopg.OperationalError):
            return bool(self._stage.site.rows(_UNREAD)[0][0] == 0)
        return False


def judge(stage: Stage, plays: Sequence[Play], *, strictly: bool = False) -> None:
    """Write into each verdict what became of its alerts and which promises are broken.

    strictly: nothing may be under way any more, for whatever reason.
    """
    for play in plays:
        if play.case.check is not None and not play.verdict.skipped and not play.is_broken_off:
            try:
                play.case.check(play)
            except Exception as error:  # noqa: BLE001 - one case that cannot be checked must not cost the verdicts of all
                play.must(False, f"its check broke off: {error!r}")
    for name in SENDERS:  # people go on answering: nothing may leave between the gateway's log and the database
        stage.site.stop(name)
    log = stage.log()
    for play in plays:
        _count(stage, play, log)
    exempt = {number for play in plays for alert in play.alerts for number in alert.exempt}
    known = [row for row in log if not row["attempt"] or message_number(UUID(row["attempt"])) not in exempt]
    broken = [one for one in promises(stage, known, strictly=strictly) if not one.ok]
    for one in broken:
        _blame(stage, plays, one)


def promises(stage: Stage, log: list[dict[str, Any]], *, strictly: bool) -> list[Invariant]:
    """Every promise of the product against its database and what the gateway saw."""
    texts = stage.simulator.acknowledged_texts()
    with stage.site.app.app_context():
        try:
            return check_invariants(log, texts, rates=stage.site.settings.rates, is_busy=not strictly)
        finally:
            db.session.remove()
            db.engine.dispose()


def _count(stage: Stage, play: Play, log: list[dict[str, Any]]) -> None:
    verdict = play.verdict
    accepted = Counter(message_number(UUID(row["attempt"])) for row in log if row["attempt"])
    unexplained = {int(row[0]) for row in stage.site.rows(_UNEXPLAINED)}
    for alert in play.alerts:
        if alert.event_id is None:
            continue
        rows = stage.site.rows(_ROWS, alert.event_id)
        play.must(len(rows) == alert.people, f"{alert.title}: {len(rows)} rows for {alert.people} phones")
        for number, is_declared in rows:
            more = accepted[number] - 1
            verdict.declared += more if is_declared and more > 0 else 0
            verdict.duplicates += more if not is_declared and more > 0 else 0
        verdict.lost += _lost(alert, rows, accepted, unexplained)
        if play.keeps_receipts:
            verdict.lost += _lost_receipts(stage, {row[0] for row in rows}, log)
    if any(alert.leaves for alert in play.alerts):
        verdict.recovered = (play.rested_at or time.time()) - play.ended_at
        play.must(verdict.recovered <= LONGEST_RECOVERY, f"not at rest {LONGEST_RECOVERY:.0f} s after the fault")
    verdict.lost += _lost_texts(stage, play.taken)


def _lost(alert: Alert, rows: list[tuple[Any, ...]], accepted: Counter[int], unexplained: set[int]) -> int:
    """Rows of which nobody at the gateway knows, or that stand still without a reason."""
    if alert.leaves:
        return sum(
            1 for number, *_ in rows if number not in alert.exempt and (not accepted[number] or number in unexplained)
        )
    return sum(1 for number, *_ in rows if number in unexplained)


def _lost_texts(stage: Stage, taken: list[str]) -> int:
    """Texts that were answered with 2xx and are not stored."""
    query = "select count(*) from inbound_messages where provider_message_id = any(%s)"
    return len(set(taken)) - int(stage.site.rows(query, taken)[0][0]) if taken else 0


def _lost_receipts(stage: Stage, numbers: set[int], log: list[dict[str, Any]]) -> int:
    """Receipts that were answered with 2xx and are not stored."""
    ours = [row for row in log if row["attempt"] and message_number(UUID(row["attempt"])) in numbers]
    sids = [row["sid"] for row in ours]
    query = "select provider_message_id, status from receipt_events where provider_message_id = any(%s)"
    stored = {(str(sid), str(status)) for sid, status in stage.site.rows(query, sids)}
    return sum(1 for row in ours for status in row["acknowledged"] if (row["sid"], status) not in stored)


def _blame(stage: Stage, plays: Sequence[Play], one: Invariant) -> None:
    """A broken promise belongs to the cases whose messages it names, to all of the group when it names none."""
    named = {int(word) for word in re.findall(r"(?<![\w-])\d{1,18}(?![\w-])", one.detail.partition("rows: ")[2])}
    guilty = []
    for play in plays:
        events = [alert.event_id for alert in play.alerts]
        ids = stage.site.rows("select id from messages where event_id = any(%s)", events)
        if named & {int(row[0]) for row in ids}:
            guilty.append(play)
    for play in guilty or plays:
        play.must(False, f"{one.code} {one.name.replace('_', ' ')}: {one.detail}")
