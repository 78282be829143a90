"""`consular gazetteer`: the places of the world, off line."""

from __future__ import annotations

import click

from consular.cli.context import application


@click.group()
def gazetteer() -> None:
    """The offline gazetteer."""


@gazetteer.command()
def load() -> None:
    """Load the places of the world (GeoNames, CC BY 4.0) unless they are there already."""
    from consular.services.places import load_gazetteer

    with application():
        count = load_gazetteer()
    click.echo(f"{count:,} places are loaded." if count else "The places are already loaded.")
