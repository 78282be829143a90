"""The application for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask


@contextmanager
def application(*, check_keys: bool = True) -> Iterator[Flask]:
    """The application in its context, from the environment. Raises ConfigError, KeyUnavailableError."""
    from config import Config
    from consular import create_app
    from consular.extensions import db
    from consular.services.keys import verify_keys

    app = create_app(Config.from_env())
    with app.app_context():
        try:
            if check_keys:
                verify_keys()
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()
