"""Operators' interfaces that answer as told, for commands that send."""

from tests.providers.conftest import serve

__all__ = ["serve"]
