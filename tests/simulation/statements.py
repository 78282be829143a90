"""One random statement at a time, in PostgreSQL and in memory, with what came back compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import text

from consular.domain.delivery import RANK, MessageState, Verdict
from consular.queries import receipts
from consular.queries.receipts import Report
from consular.services.receipts import new_row
from tests.simulation.compared import GATEWAYS, OUTCOMES, REPORTED, SECONDS, SOME, VERDICTS, WORKERS, Compared, outcome
from tests.simulation.rows import Receipt


class Sending(Compared):
    """The statements of queries.delivery."""

    @rule(gateway=st.sampled_from(GATEWAYS))
    def open_line(self, gateway: str) -> None:
        theirs, ours = self.each(lambda rows: rows.open_line(gateway))
        assert abs(theirs[0] - ours[0]) < 0.01
        assert theirs[1] == ours[1]

    @rule(gateway=st.sampled_from(GATEWAYS))
    def refusals(self, gateway: str) -> None:
        theirs, ours = self.each(lambda rows: rows.refusals(gateway))
        assert theirs == ours

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

    @rule(gateway=st.sampled_from(GATEWAYS), worker=st.sampled_from(WORKERS))
    def hand_over(self, gateway: str, worker: str) -> None:
        before = len(self.tried)
        self.claim(gateway, worker, 6, 30)
        self.mark(list(range(before, len(self.tried))), 30)

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
            gone = self.session.execute(text("select extract(epoch from clock_timestamp() - now())")).scalar_one()
            assert abs(theirs.starts_in - (ours.starts_in - float(gone))) < 0.5
            assert abs(theirs.unused - ours.unused) < 0.5

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
            with store.begin() as rows:
                for pair in pairs:
                    before = self.memory.messages[pair[0]].event_id
                    rows.cancel_claimed(*pair)
                    assert before is not None
        self.recount()

    @rule(gateway=st.sampled_from(GATEWAYS), country=st.sampled_from(("LY", "FR")), seconds=st.sampled_from((5, 300)))
    def pause_country(self, gateway: str, country: str, seconds: int) -> None:
        self.each(lambda rows: rows.pause_country(gateway, country, "21408", seconds))

    @rule(
        gateway=st.sampled_from(GATEWAYS),
        seconds=st.sampled_from((2, 60)),
        reason=st.sampled_from(("throttled", "no_answer", "account_refused:20003")),
    )
    def pause_sender(self, gateway: str, seconds: int, reason: str) -> None:
        self.each(lambda rows: rows.pause_sender(gateway, seconds, reason))

    @rule(gateway=st.sampled_from(GATEWAYS))
    def trust_line(self, gateway: str) -> None:
        self.each(lambda rows: rows.trust_line(gateway))

    @rule(places=SOME)
    def note_stops(self, places: list[int]) -> None:
        self.each(lambda rows: rows.note_stops([self.numbers[place] for place in places[:1]]))


class Both(Sending):
    """All statements: those of queries.sweeping and queries.receipts, too."""

    @rule(seconds=SECONDS)
    def die(self, seconds: int) -> None:
        self.time_passes(seconds)
        self.lapse(6)

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

    @rule(place=st.integers(0, 200), state=st.sampled_from(VERDICTS))
    def settle_too_late(self, place: int, state: str) -> None:
        """Of a look that took long: the row may be in any state and of another attempt by now."""
        theirs, ours = self.pairs([place])
        for (number, attempt), (_, mine) in zip(theirs, ours, strict=True):
            verdict = Verdict(MessageState(state))
            with self.sql.begin() as rows:
                found = self.noted(rows, rows.settle(SimpleNamespace(id=number, attempt_id=attempt), verdict))
            with self.memory.begin() as memory:
                late = SimpleNamespace(id=number, attempt_id=mine)
                assert self.noted(memory, memory.settle(late, verdict)) == found

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
            with store.begin() as rows:
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
        self.take(5, None)

    @rule(limit=st.integers(1, 7), result=st.sampled_from((None, "applied", "wait0 1", "wait4 9999999999")))
    def take(self, limit: int, result: str | None) -> None:
        theirs, ours = self.each(lambda rows: [row.id for row in rows.take_receipts(limit)])
        assert theirs == ours
        if result is not None:
            self.each(lambda rows: rows.finish_receipts(dict.fromkeys(theirs, result)))

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
