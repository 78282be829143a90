"""Whether the database is there and migrated."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from consular.extensions import db


def database_problem() -> str | None:
    """None when the database answers with a migrated schema, else a sentence without addresses or secrets."""
    try:
        revision = db.session.execute(text("select version_num from alembic_version")).scalar()
    except SQLAlchemyError:
        db.session.rollback()
        return "The database does not answer or has no schema: check DATABASE_URL and run `consular migrate`."
    return None if revision else "The database has no schema: run `consular migrate`."
