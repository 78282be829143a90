"""Two stores side by side: rows put into both, time that passes in both, and what they hold compared."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text

from consular.domain.cap import AlertStatus
from consular.queries.delivery import OutcomeRow
from consular.services import dispatch
from consular.services.sql_store import SqlStore
from tests.factories import issue, make_crisis, make_people, phone
from tests.simulation.memory import MemoryStore
from tests.simulation.rows import Message

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
STATES = (
    "queued",
    "queued",
    "claimed",
    "claimed",
    "sending",
    "sending",
    "unknown",
    "held",
    "accepted",
    "sent",
    "failed",
    "delivered",
    "delivered",
)
VERDICTS = ("unknown", "queued", "held", "accepted", "failed")
NUMBERS = st.integers(0, 5)
SOME = st.lists(NUMBERS, min_size=1, max_size=4, unique=True)
SECONDS = st.sampled_from((0, 1, 10, 29, 31, 61, 400))


class Compared(RuleBasedStateMachine):
    """Every rule does one statement in both stores and compares what came back; every invariant compares the rows.

    Time passes by moving every moment in PostgreSQL into the past and the clock in memory into the future.
    """

    session: Any

    @initialize(
        placed=st.lists(
            st.tuples(st.sampled_from(STATES), st.integers(0, 2), st.sampled_from((None, "no_trace", "21211"))),
            min_size=6,
            max_size=6,
        )
    )
    def begin(self, placed: list[tuple[str, int, str | None]]) -> None:
        self.session.execute(text(f"truncate {EMPTIED} cascade"))
        self.sql = SqlStore()
        self.now: datetime = self.session.execute(text("select now()")).scalar_one()
        self.passed = timedelta(0)
        self.memory = MemoryStore(lambda: self.now + self.passed, random.Random(1))
        self.attempts: dict[UUID, UUID] = {}
        self.tried: list[tuple[int, UUID]] = []
        self._people()
        for number, values in zip(self.numbers, placed, strict=True):
            self._place(number, *values)
        self.session.commit()
        self.recount()

    def _place(self, number: int, state: str, deaths: int, error: str | None) -> None:
        """Put one row where a run might have brought it."""
        attempt = UUID(int=number << 64 | 7)
        lease = self.now + timedelta(seconds=20) if state in ("claimed", "sending") else None
        values = {"state": state, "deaths": deaths, "error_code": error, "lease_until": lease}
        if state != "queued":
            values |= {"attempt_id": attempt, "worker": "one", "tries": 1, "sending_at": self.now}
            self.attempts[attempt] = attempt
            self.tried.append((number, attempt))
        names = ", ".join(f"{name} = :{name}" for name in values)
        self.session.execute(text(f"update messages set {names} where id = :id"), {**values, "id": number})
        for name, value in values.items():
            setattr(self.memory.messages[number], name, value)

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
            ("alert_events", "expires_at stopped_at"),
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
        self.memory.counters = counts
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
        theirs = {
            row.gateway: (self.lifted(row.next_free_at), self.lifted(row.paused_until), row.pause_reason)
            for row in found
        }
        ours = {
            name: (self.shown(one.next_free_at), self.shown(one.paused_until), one.pause_reason)
            for name, one in self.memory.senders.items()
        }
        assert theirs == ours

    @invariant()
    def attempts_are_the_same(self) -> None:
        query = "select id, outcome, worker, provider_message_id, parts from message_attempts"
        found = self.session.execute(text(query))
        theirs = {row.id: (row.outcome, row.worker, row.provider_message_id, row.parts) for row in found}
        ours = {
            self.attempts[one.id]: (one.outcome, one.worker, one.provider_message_id, one.parts)
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
    return OutcomeRow(
        number, attempt, state, OUTCOMES[state], sid, error, None, 200, 0.1, wait, 0.2, 1 + len(state) % 3
    )
