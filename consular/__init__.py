"""Consular: registers citizens abroad, warns them, asks whether they are safe, hears them, and shows officers who
needs help."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config import Config

__all__ = ["create_app"]

_PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 20_000, "keepalives_idle": 10, "keepalives_interval": 3}
"""A database host that vanished without a word must not hold a process for the quarter of an hour that TCP would."""
_ENGINE = {
    "pool_size": 12,
    "max_overflow": 20,
    "pool_timeout": 10,
    "pool_pre_ping": True,
    "hide_parameters": True,
    "connect_args": _PATIENCE,
}


def create_app(config: Config, *, testing: bool = False) -> Flask:
    """The one factory. Raises KeyUnavailableError when the encryption keys are missing or malformed."""
    from flask import Flask

    from consular import models  # noqa: F401
    from consular.extensions import cipher, db
    from consular.providers.registry import Adapters
    from consular.queueing import wakeups
    from consular.security.links import links
    from consular.web import register_web

    cipher.configure(config.keys)
    links.configure(config.secret_key)
    wakeups.configure(config.redis_url)
    app = Flask("consular")
    app.config.update(
        TESTING=testing,
        SECRET_KEY=config.secret_key,
        SQLALCHEMY_DATABASE_URI=config.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_ENGINE,
        MAX_CONTENT_LENGTH=config.max_request_bytes,
        MAX_FORM_MEMORY_SIZE=config.max_request_bytes,
        MAX_FORM_PARTS=200,
        CONSULAR=config,
    )
    db.init_app(app)
    app.extensions["consular"] = Adapters(config)
    register_web(app, config)
    return app
