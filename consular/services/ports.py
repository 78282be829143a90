"""What sending, settling and hearing run on: a store of rows, texts, a clock and chance (docs/adr/0007).

Each transaction is `with store.begin() as rows:`. The product's store is PostgreSQL (services.sql_store); the
simulation has one in memory that must do the same, statement by statement.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from consular.domain.alerts import MessageClass
from consular.domain.delivery import Verdict
from consular.domain.routing import EVERY_WAY, Way
from consular.queries.delivery import OutcomeRow, Slot
from consular.queries.receipts import Report
from consular.services.texts import FrozenText

Rows = Sequence[Any]
"""Rows with named columns, as the queries return them."""


class Point(NamedTuple):
    """A place between two steps where a worker may be interrupted, frozen or killed.

    wait: it is idle so long. due: until then (monotonic) it has nothing to do but to hear answers.
    """

    name: str
    wait: float = 0.0
    due: float | None = None


Steps = Generator[Point, None, None]
"""Work that stops at every point; whoever drives it decides when it goes on."""


class Transaction(Protocol):
    """The statements of queries.delivery, .sweeping and .receipts, inside one transaction."""

    def open_line(self, gateway: str) -> tuple[float, str | None]: ...
    def claim(self, gateway: str, worker: str, limit: int, lease_seconds: float) -> Rows: ...
    def mark_sending(self, pairs: Sequence[tuple[int, UUID]], lease_seconds: float) -> set[int]: ...
    def drop(self, pairs: Sequence[tuple[int, UUID]]) -> Rows: ...
    def reserve_slot(self, gateway: str, seconds: float, longest_wait: float) -> Slot | None: ...
    def record(self, gateway: str, worker: str, outcomes: Sequence[OutcomeRow]) -> Rows: ...
    def release(self, worker: str, ids: Sequence[int], seconds: float = 0.0, error: str | None = None) -> None: ...
    def cancel_claimed(self, message_id: int, attempt_id: UUID) -> None: ...
    def pause_country(self, gateway: str, country: str, error_code: str, seconds: float) -> None: ...
    def pause_sender(self, gateway: str, seconds: float, reason: str) -> None: ...
    def refusals(self, gateway: str) -> tuple[str | None, frozenset[str]]: ...
    def trust_line(self, gateway: str) -> None: ...
    def note_stops(self, ids: Sequence[int]) -> None: ...
    def note_changes(self, changed: Rows) -> None: ...

    def try_lock(self) -> bool: ...
    def lapse(self, limit: int) -> Rows: ...
    def end(self, limit: int) -> Rows: ...
    def end_receipts(self, limit: int) -> None: ...
    def unknowns(self, gateway: str, limit: int) -> Rows: ...
    def settle(self, row: Any, verdict: Verdict) -> Rows: ...
    def now(self) -> datetime: ...

    def take_receipts(self, limit: int) -> Rows: ...
    def existing(self, gateways: Sequence[str], numbers: Sequence[int]) -> set[int]: ...
    def find_numbers(self, gateway: str, provider_ids: Sequence[str]) -> dict[str, tuple[int, UUID | None]]: ...
    def apply_reports(self, reports: Sequence[Report]) -> Rows: ...
    def finish_receipts(self, results: dict[UUID, str]) -> None: ...


class Store(Protocol):
    """Where the rows are. A transaction commits at the end of the block; any error in it undoes all of it."""

    def begin(self) -> AbstractContextManager[Transaction]: ...


class Book(Protocol):
    """The texts of events; services.texts.TextBook."""

    def event(self, event_id: UUID) -> FrozenText: ...
    def rule(self, event_id: UUID) -> tuple[MessageClass, timedelta]: ...
    def way(self, gateway: str, country: str | None) -> Way: ...
    def alert(self, event_id: UUID, language: str, number: int, way: Way = EVERY_WAY) -> str: ...
    def acknowledgement(self, template: str, language: str, number: int, *, is_exercise: bool) -> str | None: ...


class Clock(Protocol):
    """monotonic(): for leases and waits of this process only; the rows' times are the database's."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def __init__(self) -> None:
        self._idle = threading.Event()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Do nothing so long."""
        self._idle.wait(seconds)


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything the core needs beside a gateway. address_of: the phone of a row."""

    store: Store
    book: Book
    address_of: Callable[[Any], str]
    clock: Clock = field(default_factory=SystemClock)
    rng: random.Random = field(default_factory=random.Random)
