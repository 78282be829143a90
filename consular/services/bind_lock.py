"""Who may hold the bind: one process of the whole installation, known by a lock that ends with its connection."""

from __future__ import annotations

from enum import Enum, auto

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

_LOCK = 7_206_913
_PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""A database host that vanished must be noticed within seconds: until then nobody knows who holds the lock."""
_SERVERS_PATIENCE = text(
    "select set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
"""And the server must notice that our machine vanished, or the lock would outlive it by hours."""


class Hold(Enum):
    """What is known of the lock now. AWAY: the database does not answer."""

    MINE = auto()
    TAKEN = auto()
    AWAY = auto()


class BindLock:
    """A PostgreSQL advisory lock on a connection of its own, which no pooler may share between sessions."""

    def __init__(self, database_url: URL) -> None:
        self._engine = create_engine(
            database_url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=_PATIENCE,
        )
        self._connection: Connection | None = None
        self._is_mine = False

    def look(self) -> Hold:
        """Take the lock if it is free, or see that it is still held."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._connection.execute(_SERVERS_PATIENCE)
                self._is_mine = False
            if self._is_mine:
                self._connection.execute(text("select 1"))
            else:
                taken = self._connection.execute(text("select pg_try_advisory_lock(:lock)"), {"lock": _LOCK})
                self._is_mine = bool(taken.scalar_one())
        except SQLAlchemyError:
            self.release()
            return Hold.AWAY
        return Hold.MINE if self._is_mine else Hold.TAKEN

    def release(self) -> None:
        """Let another process have it."""
        connection, self._connection, self._is_mine = self._connection, None, False
        if connection is not None:
            connection.invalidate()
            connection.close()
