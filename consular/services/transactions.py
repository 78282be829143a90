"""The one way to commit: a unit of work that is rolled back whole when anything in it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy.orm import Session, scoped_session

from consular.extensions import db


@contextmanager
def unit_of_work() -> Iterator[Session | scoped_session[Session]]:
    """The session of one use case. Commits at the end, rolls back on any error, then gives the connection back."""
    try:
        yield cast("scoped_session[Session]", db.session)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        db.session.remove()
