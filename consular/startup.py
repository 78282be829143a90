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

UNUSABLE_SETTINGS = 3
"""gunicorn takes this status of a worker for a failed start and stops, instead of starting workers for ever."""


def start(config: Config | None = None) -> Flask:
    """The application, ready to serve.

    Exits with a sentence: status UNUSABLE_SETTINGS when settings, keys or a gateway's account are wrong, which only an
    operator can put right; status 1 when the database does not answer, which may pass.
    """
    from consular.services.keys import verify_keys

    try:
        application = create_app(config or Config.from_env())
        problems = application.extensions["consular"].problems()
        if problems:
            raise ConfigError("\n".join(problems))
        with application.app_context():
            verify_keys()
    except ConfigError as error:
        _fail(f"The configuration cannot be used:\n{error}", UNUSABLE_SETTINGS)
    except KeyUnavailableError as error:
        _fail(str(error), UNUSABLE_SETTINGS)
    except SQLAlchemyError:
        _fail("The database does not answer or has no schema: check DATABASE_URL and run `consular migrate`.", 1)
    return application


def _fail(sentence: str, status: int) -> NoReturn:
    print(sentence, file=sys.stderr)  # noqa: T201
    raise SystemExit(status)
