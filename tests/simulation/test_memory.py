"""The store in memory does what PostgreSQL does: the same random statements, the same rows after each of them.

Without this the simulation would prove something about itself only.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from consular.domain.cap import AlertStatus
from consular.domain.delivery import RANK, MessageState, Verdict
from consular.extensions import db
from consular.queries import receipts
from consular.queries.delivery import OutcomeRow
from consular.queries.receipts import Report
from consular.services import dispatch
from consular.services.receipts import new_row
from consular.services.sql_store import SqlStore
from tests.factories import issue, make_crisis, make_people, phone
from tests.simulation.memory import MemoryStore
from tests.simulation.rows import Message, Receipt

GATEWAYS = ("twilio", "http")
WORKERS = ("one", "two")
COLUMNS = (
    "state",
    "gateway",
    "tries",
    "deaths",
    "worker",
    "possible_duplicate",
    "provider_message_id",
    "error_code",
    "failure_reason",
    "not_before",
    "expires_at",
    "lease_until",
    "not_found_at",
    "accepted_at",
    "delivered_at",
)
EMPTIED = """messages, message_attempts, alert_events, senders, country_pauses, opt_outs, counters, receipt_events,
    recipients, person_statuses, people"""
OUTCOMES = {
    "accepted": "accepted",
    "unknown": "unknown",
    "queued": "not_sent",
    "refused": "refused",
}
REPORTED = ("accepted", "sent", "failed", "undelivered", "delivered", "read")
VERDICTS = ("unknown", "queued", "held", "accepted", "failed")
NUMBERS = st.integers(0, 5)
SOME = st.lists(NUMBERS, min_size=1, max_size=4, unique=True)
SECONDS = st.sampled_from((0, 1, 10, 29, 31, 61, 400))


class Both(RuleBasedStateMachine):
    """Every rule does one statement in both stores and compares what came back; every invariant compares the rows.

    Time passes by moving every moment in PostgreSQL into the past and the clock in memory into the future.
    """

    session: Any

    @initialize()
    def begin(self) -> None:
        self.session.execute(text(f"truncate {EMPTIED} cascade"))
        self.sql = SqlStore()
        self.now: datetime = self.session.execute(text("select now()")).scalar_one()
        self.passed = timedelta(0)
        self.memory = MemoryStore(lambda: self.now + self.passed, random.Random(1))
        self._people()
        self.attempts: dict[UUID, UUID] = {}
        self.tried: list[tuple[int, UUID]] = []
        self.receipts: dict[UUID, UUID] = {}

    def _people(self) -> None:
        make_people(self.session, [phone(1), phone(2), phone(3)])
        crisis = make_crisis(self.session, AlertStatus.ACTUAL)
        for _ in range(2):
            issue(self.session, crisis, status=AlertStatus.ACTUAL, validity=timedelta(seconds=600))
        self.session.commit()
        rows = self.session.execute(text("select * from messages order by id")).all()
        for event in self.session.execute(text("select id, expires_at from alert_events")):
            self.memory.add_event(event.id, event.expires_at)
        self.numbers = [row.id for row in rows]
        for row in rows:
            shared = {name: getattr(row, name) for name in ("gateway", "priority", "not_before", "expires_at")}
            self.memory.add_message(Message(row.id, row.event_id, row.endpoint_index, row.country, **shared))

    # what only time, fan-out and officers do

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.passed += timedelta(seconds=seconds)
        step = f"interval '{seconds} seconds'"
        for table, columns in (
            ("messages", "not_before expires_at lease_until sending_at not_found_at accepted_at delivered_at"),
            ("alert_events", "expires_at"),
            ("senders", "next_free_at paused_until"),
            ("country_pauses", "paused_until"),
            ("message_attempts", "recorded_at"),
        ):
            moves = ", ".join(f"{column} = {column} - {step}" for column in columns.split())
            self.session.execute(text(f"update {table} set {moves}"))
        self.session.commit()

    @rule(place=NUMBERS, gateway=st.sampled_from(GATEWAYS))
    def change_gateway(self, place: int, gateway: str) -> None:
        number = self.numbers[place]
        self.session.execute(
            text("update messages set gateway = :g where id = :id and state = 'queued'"), {"g": gateway, "id": number}
        )
        self.session.commit()
        if self.memory.messages[number].state == "queued":
            self.memory.messages[number].gateway = gateway

    @rule(place=NUMBERS)
    def stop(self, place: int) -> None:
        event_id = self.memory.messages[self.numbers[place]].event_id
        assert event_id is not None
        if self.memory.events[event_id].stopped_at is None and place % 2:
            self.session.execute(text("update alert_events set stopped_at = now() where id = :id"), {"id": event_id})
            dispatch.cancel_unsent(self.session, event_id, self.now)
            self.session.commit()
            self.memory.stop(event_id)

    @rule(place=NUMBERS, is_ended=st.booleans())
    def opt_out(self, place: int, is_ended: bool) -> None:
        index = self.memory.messages[self.numbers[place]].endpoint_index
        self.session.execute(
            text("""
            insert into opt_outs (value_index, gateway, opted_out_at, ended_at) values (:index, 'actual', now(), :ended)
            on conflict (value_index, gateway) do update set ended_at = :ended
            """),
            {"index": index, "ended": self.now if is_ended else None},
        )
        self.session.commit()
        self.memory.opt_out(index, "twilio")
        self.memory.opt_outs[index, "actual"].ended_at = self.now if is_ended else None

    # queries.delivery

    @rule(gateway=st.sampled_from(GATEWAYS))
    def open_line(self, gateway: str) -> None:
        theirs, ours = self.each(lambda rows: rows.open_line(gateway))
        assert abs(theirs[0] - ours[0]) < 0.01
        assert theirs[1] == ours[1]

    @rule(
        gateway=st.sampled_from(GATEWAYS),
        worker=st.sampled_from(WORKERS),
        limit=st.integers(1, 6),
        lease=st.sampled_from((5, 30)),
    )
    def claim(self, gateway: str, worker: str, limit: int, lease: int) -> None:
        theirs, ours = self.each(lambda rows: rows.claim(gateway, worker, limit, lease))
        names = ("id", "event_id", "country", "tries", "deaths", "canary_id")
        assert [[getattr(row, name) for name in names] for row in theirs] == [
            [getattr(row, name) for name in names] for row in ours
        ]
        for row, mine in zip(theirs, ours, strict=True):
            self.attempts[mine.attempt_id] = row.attempt_id
            self.tried.append((mine.id, mine.attempt_id))

    def pairs(self, places: list[int]) -> tuple[list[tuple[int, UUID]], list[tuple[int, UUID]]]:
        """Attempts, old or new, as PostgreSQL and as the memory knows them."""
        ours = [self.tried[place % len(self.tried)] for place in places] if self.tried else []
        last = dict(ours)
        return [(number, self.attempts[attempt]) for number, attempt in last.items()], list(last.items())

    @rule(places=st.lists(st.integers(0, 200), max_size=5), lease=st.sampled_from((5, 30)))
    def mark(self, places: list[int], lease: int) -> None:
        theirs, ours = self.pairs(places)
        with self.sql.begin() as rows:
            marked = rows.mark_sending(theirs, lease)
        with self.memory.begin() as memory:
            assert memory.mark_sending(ours, lease) == marked
        self.session.execute(text("update messages set sending_at = now() where sending_at > now()"))
        self.session.commit()

    @rule(places=st.lists(st.integers(0, 200), max_size=5))
    def drop(self, places: list[int]) -> None:
        theirs, ours = self.pairs(places)
        with self.sql.begin() as rows:
            self.noted(rows, rows.drop(theirs))
        with self.memory.begin() as memory:
            self.noted(memory, memory.drop(ours))

    @rule(
        gateway=st.sampled_from(GATEWAYS), seconds=st.sampled_from((0.5, 4.0, 500.0)), longest=st.sampled_from((1, 5))
    )
    def reserve(self, gateway: str, seconds: float, longest: int) -> None:
        self.open_line(gateway)
        theirs, ours = self.each(lambda rows: rows.reserve_slot(gateway, seconds, longest))
        assert (theirs is None) == (ours is None)
        if theirs is not None and ours is not None:
            assert abs(theirs - ours) < 5.0

    @rule(
        places=st.lists(st.integers(0, 200), max_size=4),
        state=st.sampled_from(sorted(OUTCOMES)),
        error=st.sampled_from((None, "20429")),
        wait=st.sampled_from((0.0, 20.0)),
        worker=st.sampled_from(WORKERS),
    )
    def record(self, places: list[int], state: str, error: str | None, wait: float, worker: str) -> None:
        theirs, ours = self.pairs(places)
        with self.sql.begin() as rows:
            lines = [outcome(number, attempt, state, error, wait) for number, attempt in theirs]
            found = self.noted(rows, rows.record("twilio", worker, lines))
        with self.memory.begin() as memory:
            lines = [outcome(number, attempt, state, error, wait) for number, attempt in ours]
            assert self.noted(memory, memory.record("twilio", worker, lines)) == found

    @rule(
        places=SOME,
        worker=st.sampled_from(WORKERS),
        seconds=st.sampled_from((0.0, 600.0)),
        error=st.sampled_from((None, "unreadable")),
    )
    def release(self, places: list[int], worker: str, seconds: float, error: str | None) -> None:
        ids = [self.numbers[place] for place in places]
        self.each(lambda rows: rows.release(worker, ids, seconds, error))

    @rule(place=st.integers(0, 200))
    def cancel_claimed(self, place: int) -> None:
        theirs, ours = self.pairs([place])
        for store, pairs in ((self.sql, theirs), (self.memory, ours)):
            with store.begin() as rows:  # type: ignore[attr-defined]
                for pair in pairs:
                    before = self.memory.messages[pair[0]].event_id
                    rows.cancel_claimed(*pair)
                    assert before is not None
        self.recount()

    @rule(gateway=st.sampled_from(GATEWAYS), country=st.sampled_from(("LY", "FR")), seconds=st.sampled_from((5, 300)))
    def pause_country(self, gateway: str, country: str, seconds: int) -> None:
        self.each(lambda rows: rows.pause_country(gateway, country, "21408", seconds))

    @rule(gateway=st.sampled_from(GATEWAYS), seconds=st.sampled_from((2, 60)), reason=st.sampled_from(("a", "b")))
    def pause_sender(self, gateway: str, seconds: int, reason: str) -> None:
        self.each(lambda rows: rows.pause_sender(gateway, seconds, reason))

    @rule(gateway=st.sampled_from(GATEWAYS))
    def trust_line(self, gateway: str) -> None:
        self.each(lambda rows: rows.trust_line(gateway))

    @rule(places=SOME)
    def note_stops(self, places: list[int]) -> None:
        self.each(lambda rows: rows.note_stops([self.numbers[place] for place in places[:1]]))

    # queries.sweeping

    @rule(limit=st.integers(1, 6))
    def lapse(self, limit: int) -> None:
        theirs, ours = self.each(lambda rows: self.noted(rows, rows.lapse(limit)))
        assert theirs == ours

    @rule()
    def end(self) -> None:
        theirs, ours = self.each(lambda rows: self.noted(rows, rows.end(100)))
        assert theirs == ours

    @rule()
    def end_receipts(self) -> None:
        self.each(lambda rows: rows.end_receipts(100))

    @rule(
        gateway=st.sampled_from(GATEWAYS),
        state=st.sampled_from(VERDICTS),
        wait=st.sampled_from((0.0, 30.0)),
        is_absent=st.booleans(),
        error=st.sampled_from((None, "no_trace")),
        sid=st.sampled_from((None, "SMfound")),
    )
    def settle(
        self, gateway: str, state: str, wait: float, is_absent: bool, error: str | None, sid: str | None
    ) -> None:
        theirs, ours = self.each(lambda rows: rows.unknowns(gateway, 10))
        names = ("id", "event_id", "not_found_at", "expires_at", "stopped_at", "unknowns", "canary_id")
        mine = {row.id: [self.shown(getattr(row, name)) for name in names] for row in ours}
        assert {row.id: [self.lifted(getattr(row, name)) for name in names] for row in theirs} == mine
        for row, other in zip(sorted(theirs), sorted(ours), strict=True):
            verdict = Verdict(MessageState(state), wait, None, sid, error, is_absent)
            with self.sql.begin() as rows:
                found = self.noted(rows, rows.settle(row, verdict))
            with self.memory.begin() as memory:
                assert self.noted(memory, memory.settle(other, verdict)) == found

    # queries.receipts

    @rule(
        place=st.integers(0, 200),
        state=st.sampled_from(REPORTED),
        error=st.sampled_from((None, "30003")),
        is_named=st.booleans(),
    )
    def apply(self, place: int, state: str, error: str | None, is_named: bool) -> None:
        theirs, ours = self.pairs([place])
        at = self.now + self.passed
        for store, pairs, moment in ((self.sql, theirs, self.now), (self.memory, ours, at)):
            with store.begin() as rows:  # type: ignore[attr-defined]
                for number, attempt in pairs:
                    named = attempt if is_named else None
                    report = Report(number, state, RANK[MessageState(state)], "SMr", error, None, moment, named)
                    self.noted(rows, rows.apply_reports([report]))

    @rule(
        place=st.integers(0, 200),
        status=st.sampled_from(("sent", "delivered")),
        gateway=st.sampled_from(("twilio", "http", "smpp")),
        sid=st.sampled_from(("SM1", "SM2")),
        is_named=st.booleans(),
    )
    def receive(self, place: int, status: str, gateway: str, sid: str, is_named: bool) -> None:
        theirs, ours = self.pairs([place])
        named = (theirs[0][1], ours[0][1]) if is_named and ours else (None, None)
        self.serial = getattr(self, "serial", 0) + 1
        at = datetime(2011, 2, 20, tzinfo=UTC) + timedelta(seconds=self.serial)
        row = new_row(gateway, sid, named[0], status, None, [], at)
        receipts.store(self.session, [row])
        self.session.commit()
        self.memory.store_receipt(Receipt(row["id"], gateway, sid, named[1], status, "", at))

    @rule(limit=st.integers(1, 5), is_finished=st.booleans())
    def take(self, limit: int, is_finished: bool) -> None:
        theirs, ours = self.each(lambda rows: [row.id for row in rows.take_receipts(limit)])
        assert theirs == ours
        if is_finished:
            self.each(lambda rows: rows.finish_receipts(dict.fromkeys(theirs, "applied")))

    @rule(
        gateway=st.sampled_from(("twilio", "http")),
        sids=st.lists(st.sampled_from(("SMr", "SMfound", "SM0")), max_size=3),
    )
    def find(self, gateway: str, sids: list[str]) -> None:
        theirs, ours = self.each(lambda rows: rows.find_numbers(gateway, sids))
        assert set(theirs) == set(ours)
        assert self.each(lambda rows: rows.existing([gateway], [*self.numbers, 10**9]))[0] == {
            n for n in self.numbers if self.memory.messages[n].gateway == gateway
        }

    # comparing

    def each(self, do: Any) -> tuple[Any, Any]:
        """The same in both."""
        with self.sql.begin() as rows:
            theirs = do(rows)
        with self.memory.begin() as memory:
            return theirs, do(memory)

    def noted(self, rows: Any, changed: Any) -> list[tuple[Any, ...]]:
        rows.note_changes(changed)
        return sorted((row.id, row.event_id, str(row.before), str(row.after)) for row in changed)

    def recount(self) -> None:
        """cancel_claimed leaves counters to receipts of replies, which have none."""
        counts: dict[tuple[UUID, str], int] = {}
        for message in self.memory.messages.values():
            name = "queued" if message.state in ("claimed", "sending") else message.state
            key = (message.event_id, f"message:{name}")
            counts[key] = counts.get(key, 0) + 1  # type: ignore[index,arg-type]
        self.memory.counters = counts  # type: ignore[assignment]
        self.session.execute(text("delete from counters where key like 'message:%'"))
        for (event_id, name), value in counts.items():
            self.session.execute(
                text("insert into counters (scope_id, key, value) values (:e, :k, :v)"),
                {"e": event_id, "k": name, "v": value},
            )
        self.session.commit()

    def lifted(self, value: Any) -> Any:
        """PostgreSQL's moment, moved back to where the memory's clock is."""
        return self.shown(value + self.passed) if isinstance(value, datetime) else value

    def shown(self, value: Any) -> Any:
        """To the tenth of a second: an interval of floating seconds is rounded to microseconds in PostgreSQL."""
        return round(value.timestamp(), 1) if isinstance(value, datetime) else value

    @invariant()
    def rows_are_the_same(self) -> None:
        found = self.session.execute(text(f"select id, {', '.join(COLUMNS)} from messages")).all()
        theirs = {row.id: {name: self.lifted(getattr(row, name)) for name in COLUMNS} for row in found}
        ours = {
            number: {name: self.shown(getattr(message, name)) for name in COLUMNS}
            for number, message in self.memory.messages.items()
        }
        assert theirs == ours

    @invariant()
    def lines_are_the_same(self) -> None:
        found = self.session.execute(text("select gateway, next_free_at, paused_until, pause_reason from senders"))
        theirs = {row.gateway: (self.lifted(row.paused_until), row.pause_reason) for row in found}
        ours = {name: (self.shown(one.paused_until), one.pause_reason) for name, one in self.memory.senders.items()}
        assert theirs == ours

    @invariant()
    def attempts_are_the_same(self) -> None:
        found = self.session.execute(text("select id, outcome, worker, provider_message_id from message_attempts"))
        theirs = {row.id: (row.outcome, row.worker, row.provider_message_id) for row in found}
        ours = {
            self.attempts[one.id]: (one.outcome, one.worker, one.provider_message_id)
            for one in self.memory.attempts.values()
        }
        assert theirs == ours

    @invariant()
    def counters_are_the_same(self) -> None:
        found = self.session.execute(text("select scope_id, key, value from counters where key like 'message:%'"))
        theirs = {(row.scope_id, row.key): row.value for row in found if row.value}
        assert theirs == {key: value for key, value in self.memory.counters.items() if value}

    def teardown(self) -> None:
        self.session.rollback()
        self.session.remove()


def outcome(number: int, attempt: UUID, state: str, error: str | None, wait: float) -> OutcomeRow:
    sid = f"SM{number}" if state == "accepted" else None
    return OutcomeRow(number, attempt, state, OUTCOMES[state], sid, error, None, 200, 0.1, wait, 0.2)


def test_memory_does_what_postgresql_does(session):
    """The outer transaction of `session` is rolled back at the end; each example starts from empty tables."""

    class Machine(Both):
        session = db.session

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
