"""The group of commands; each loads what it needs only when it runs."""

from __future__ import annotations

import importlib
import sys

import click

_COMMANDS = {
    "canary": ("consular.cli.canary", "canary"),
    "check-config": ("consular.cli.operate", "check_config"),
    "demo": ("consular.cli.drill", "demo"),
    "drain": ("consular.cli.operate", "drain"),
    "drill": ("consular.cli.drill", "drill"),
    "gaps": ("consular.cli.gaps", "gaps"),
    "gateway-urls": ("consular.cli.gateway_urls", "gateway_urls"),
    "gazetteer": ("consular.cli.gazetteer", "gazetteer"),
    "keys": ("consular.cli.keys", "keys"),
    "migrate": ("consular.cli.operate", "migrate"),
    "officer": ("consular.cli.officers", "officer"),
    "readiness": ("consular.cli.readiness", "readiness"),
    "replies": ("consular.cli.replies", "replies"),
    "restored": ("consular.cli.restored", "restored"),
    "verify": ("consular.cli.verify", "verify"),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(cls=_Commands, help=__doc__)
def commands() -> None:
    """Consular: register, warn, ask, hear, help."""


def main() -> None:
    """Entry point of the `consular` script. Expected errors end with their sentence and exit status 1."""
    from consular.cli.failures import EXPECTED, sentence

    try:
        commands(prog_name="consular")
    except EXPECTED() as error:
        click.echo(sentence(error), err=True)
        sys.exit(1)
