"""Which errors a command ends with in one sentence instead of a traceback. Imported modules only: a light command
stays light."""

from __future__ import annotations

import sys


def EXPECTED() -> tuple[type[Exception], ...]:
    """The error types that are loaded by now."""
    wanted = (
        ("config", "ConfigError"),
        ("consular.errors", "ConsularError"),
        ("consular.security.fields", "KeyUnavailableError"),
        ("consular.embedded.errors", "EmbeddedError"),
        ("consular.processes", "ProcessError"),
        ("sqlalchemy.exc", "OperationalError"),
        ("redis.exceptions", "ConnectionError"),
    )
    return tuple(getattr(sys.modules[module], name) for module, name in wanted if module in sys.modules)


def sentence(error: Exception) -> str:
    """What to tell the operator; never an address, a secret or a statement with its values."""
    module = type(error).__module__
    if module.startswith("sqlalchemy"):
        return "PostgreSQL does not answer. Check DATABASE_URL; `consular check-config` tells more."
    if module.startswith("redis"):
        return "Redis does not answer. Check REDIS_URL; `consular drain` still sends what is queued."
    return str(error)
