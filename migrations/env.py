"""Alembic's environment: the models' metadata against DATABASE_URL, under a lock and with a lock time-out."""

from alembic import context
from sqlalchemy import create_engine, text

from config import Config
from consular import models  # noqa: F401
from consular.extensions import Base
from consular.models.columns import UtcDateTime

_LOCK = 7_206_911


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Our column types are written as what they are in the database, so that old migrations need no code of ours."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run() -> None:
    """Migrate in one transaction; a second migration at the same time waits for the first."""
    url = context.config.attributes.get("database_url") or Config.from_env().database_url
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("set lock_timeout = '10s'"))
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        context.configure(
            connection=connection, target_metadata=Base.metadata, compare_type=True, render_item=render_item
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
