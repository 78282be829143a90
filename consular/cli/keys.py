"""`consular keys`: secrets for a new installation."""

from __future__ import annotations

import secrets

import click


@click.group()
def keys() -> None:
    """Make the secrets of a new installation."""


@keys.command()
def generate() -> None:
    """Print fresh values for SECRET_KEY and CONSULAR_KEYS.

    Keep CONSULAR_KEYS in a safe: without them nobody can read the names and phones in the database or its backups.
    """
    from consular.security.fields import generate_keys

    click.echo(f"SECRET_KEY={secrets.token_urlsafe(48)}")
    click.echo(f"CONSULAR_KEYS={generate_keys()}")
