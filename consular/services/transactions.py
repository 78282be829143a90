"""The one way to commit: a unit of work that is rolled back whole when anything in it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, scoped_session

from consular.extensions import db

AfterCommit = list[Callable[[], None]]


@contextmanager
def unit_of_work() -> Iterator[scoped_session[Session]]:
    """The session of one use case. Commits at the end, rolls back on any error, then gives the connection back."""
    try:
        yield db.session
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        db.session.remove()
