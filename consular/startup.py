"""How a long-lived process starts: settings read once, keys proven against the database, or a plain sentence and exit
1."""

from __future__ import annotations

import sys
from typing import NoReturn

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from config import Config, ConfigError
from consular import create_app
from consular.security.fields import KeyUnavailableError


def start(config: Config | None = None) -> Flask:
    """The application, ready to serve. Exits with a sentence when settings, keys or the database are not usable."""
    from consular.services.keys import verify_keys

    try:
        application = create_app(config or Config.from_env())
        with application.app_context():
            verify_keys()
    except ConfigError as error:
        _fail(f"The configuration cannot be used:\n{error}")
    except KeyUnavailableError as error:
        _fail(str(error))
    except SQLAlchemyError:
        _fail("The database does not answer or has no schema: check DATABASE_URL and run `consular migrate`.")
    return application


def _fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)  # noqa: T201
    raise SystemExit(1)
