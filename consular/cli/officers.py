"""`consular officer`: accounts of consular officers."""

from __future__ import annotations

import click

from consular.cli.context import application

ROLES = ("viewer", "author", "approver", "administrator")


@click.group()
def officer() -> None:
    """Accounts of consular officers."""


@officer.command()
@click.argument("username")
@click.option("--name", "full_name", required=True, help="The officer's full name, as colleagues see it.")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.password_option(help="At least 12 characters; asked for when it is not given.")
def add(username: str, full_name: str, role: str, password: str) -> None:
    """Add an officer who may sign in as USERNAME."""
    from consular.clock import utc_now
    from consular.models.officers import Role
    from consular.services.officers import add_officer

    with application():
        add_officer(username, full_name, Role(role), password, utc_now())
    click.echo(f"{username.strip().lower()} may now sign in as {role}.")


@officer.command("set-password")
@click.argument("username")
@click.password_option(help="At least 12 characters; asked for when it is not given.")
def set_password(username: str, password: str) -> None:
    """Give USERNAME a new password; who is signed in under that name is signed out."""
    from consular.clock import utc_now
    from consular.services import officers

    with application():
        officers.set_password(username, password, utc_now())
    click.echo(f"{username.strip().lower()} has a new password and is signed out everywhere.")


@officer.command()
@click.argument("username")
def disable(username: str) -> None:
    """End every sign-in of USERNAME at once and refuse new ones."""
    from consular.clock import utc_now
    from consular.errors import NotFoundError
    from consular.extensions import db
    from consular.queries.officers import find_by_username
    from consular.services.officers import disable_officer

    with application():
        username = username.strip().lower()
        account = find_by_username(db.session, username)
        if account is None:
            raise NotFoundError(f"There is no officer {username}.")
        disable_officer(account.id, utc_now())
    click.echo(f"{username} is signed out everywhere and may not sign in any more.")
