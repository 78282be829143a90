"""Owning the one bind: send while it stands, listen always, and let it go as soon as another process may have it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from consular.clock import utc_now
from consular.domain.ports import SmsGateway
from consular.queries import binds
from consular.services import delivery, sweeping
from consular.services.bind_lock import Hold
from consular.services.delivery import Pace
from consular.services.texts import TextBook
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 3.0
POLL_SECONDS = 0.5
LOOK_SECONDS = 2.0
RECONCILE_SECONDS = 5.0
STANDBY_SECONDS = 1.0
AWAY_SECONDS = 120.0
"""So long a bind is kept while the database, and with it the lock, is away: nothing can be stored, so nothing is
confirmed. Then it is let go, in case another process still reaches the database."""


class BoundGateway(SmsGateway, Protocol):
    """A gateway that is one lasting connection. poll() keeps it alive and hands over what was heard."""

    @property
    def is_bound(self) -> bool: ...

    @property
    def trouble(self) -> str: ...


class Lock(Protocol):
    """What says which process may have the bind; see services.bind_lock."""

    def look(self) -> Hold: ...

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a process works with. worker: its name on claimed rows. wait(seconds): ends early when it shall stop."""

    book: TextBook
    pace: Pace
    worker: str
    wait: Callable[[float], object]
    should_stop: Callable[[], bool]


class Bind:
    """The bind of this process, if it may have one. round() does a little of everything that is due."""

    def __init__(
        self, lock: Lock, open_gateway: Callable[[], BoundGateway], means: Means, away_seconds: float = AWAY_SECONDS
    ) -> None:
        self._lock = lock
        self._open = open_gateway
        self._means = means
        self._away_seconds = away_seconds
        self._gateway: BoundGateway | None = None
        self._hold: Hold | None = None
        self._look_at = 0.0
        self._away_since = 0.0
        self._reconcile_at = 0.0
        self._tell_at = 0.0
        self._bound_since: datetime | None = None

    @property
    def hold(self) -> Hold | None:
        """Whether this process may have the bind; None before the first round."""
        return self._hold

    @property
    def is_bound(self) -> bool:
        """Whether texts can leave by this process now."""
        return self._gateway is not None and self._gateway.is_bound

    def round(self) -> int:
        """One round of a few seconds; the number of outcomes recorded. A database that is away is waited for."""
        self._see_lock()
        if self._hold is Hold.MINE and self._gateway is None:
            self._gateway = self._open()
        if self._hold is Hold.TAKEN or self._gateway is None:
            self._means.wait(STANDBY_SECONDS)
            return 0
        done = 0
        if self._hold is Hold.MINE:
            try:
                done = self._work(self._gateway)
            except SQLAlchemyError as error:
                log.warning("bind_without_database", error=type(error).__name__)
                self._look_at = 0.0
        self._gateway.poll(0.0 if done else POLL_SECONDS)
        return done

    def close(self) -> None:
        """Say goodbye to the SMSC, then let the next process have the lock."""
        self._let_go()
        self._lock.release()

    def _see_lock(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        before, self._hold = self._hold, self._lock.look()
        if self._hold is Hold.AWAY:
            self._look_at = now + POLL_SECONDS
            self._away_since = self._away_since if before is Hold.AWAY else now
            if now - self._away_since > self._away_seconds:
                self._let_go()
        elif self._hold is Hold.TAKEN:
            self._look_at = now + STANDBY_SECONDS
            self._let_go()
        if self._hold is not before:
            log.info("bind_lock", hold=_WORDS[self._hold])

    def _let_go(self) -> None:
        gateway, self._gateway, self._bound_since = self._gateway, None, None
        if gateway is not None:
            gateway.close()

    def _work(self, gateway: BoundGateway) -> int:
        self._tell(gateway)
        done = 0
        if gateway.is_bound and not self._means.should_stop():
            with unit_of_work() as session:
                is_waiting = binds.is_waiting(session, gateway.name)
            if is_waiting:
                done = self._drain(gateway)
        if time.monotonic() >= self._reconcile_at:
            self._reconcile_at = time.monotonic() + RECONCILE_SECONDS
            sweeping.reconcile(gateway, self._means.book, POLL_SECONDS)
        return done

    def _drain(self, gateway: BoundGateway) -> int:
        means = self._means

        def must_pause() -> bool:
            return means.should_stop() or not gateway.is_bound

        return delivery.drain(gateway, means.book, means.pace, means.worker, DRAIN_SECONDS, must_pause)

    def _tell(self, gateway: BoundGateway) -> None:
        """Keep the row by which officers and the alarm see whether the bind stands."""
        now = utc_now()
        is_news = gateway.is_bound != (self._bound_since is not None)
        if not is_news and time.monotonic() < self._tell_at:
            return
        self._tell_at = time.monotonic() + LOOK_SECONDS
        self._bound_since = (self._bound_since or now) if gateway.is_bound else None
        with unit_of_work() as session:
            if self._bound_since is not None:
                binds.stands(session, gateway.name, self._bound_since, now)
            else:
                binds.is_down(session, gateway.name, now, gateway.trouble)


_WORDS = {
    Hold.MINE: "mine: this process has the bind",
    Hold.TAKEN: "taken: another process has the bind, this one stands by",
    Hold.AWAY: "not known: the database does not answer",
}
