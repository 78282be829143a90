"""`consular`: what an operator does from the command line. Every command says in plain words what went wrong."""

from __future__ import annotations

from consular.cli.main import main

__all__ = ["main"]
