"""Whether the database is there and migrated."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from consular.extensions import db

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def database_problem() -> str | None:
    """None when the database answers with a schema that this code can use, else a sentence without addresses or
    secrets.

    A revision that this code does not know is a later one: migrations only add, so an older process goes on beside it.
    """
    try:
        revision = db.session.execute(text("select version_num from alembic_version")).scalar()
    except SQLAlchemyError:
        db.session.rollback()
        return "The database does not answer or has no schema: check DATABASE_URL and run `consular migrate`."
    if not revision:
        return "The database has no schema: run `consular migrate`."
    is_behind = revision in _revisions()[1:]
    return "The database's schema is older than this program: run `consular migrate`." if is_behind else None


@cache
def _revisions() -> tuple[str, ...]:
    """Newest first."""
    from alembic.script import ScriptDirectory

    return tuple(script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions())
