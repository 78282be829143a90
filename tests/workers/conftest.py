"""Networks that answer as told, for services that post."""

from tests.providers.conftest import closed_port, serve

__all__ = ["closed_port", "serve"]
