"""`consular gaps`: fetch by hand what webhooks missed, as the clock does every minute while a crisis is open."""

from __future__ import annotations

from datetime import timedelta

import click

from consular.cli.context import application
from consular.domain.gateways import GATEWAYS_WITH_A_LIST


@click.command()
@click.option("--gateway", type=click.Choice(GATEWAYS_WITH_A_LIST), default="twilio", show_default=True)
@click.option("--hours", type=click.IntRange(1, 24 * 30), default=24, show_default=True, help="How far to look back.")
def gaps(gateway: str, hours: int) -> None:
    """Read the gateway's list of texts from people and store those that are missing. Safe to repeat."""
    from consular.clock import utc_now
    from consular.domain.ports import GatewayError
    from consular.services import gap_filling

    with application() as app:
        adapter = app.extensions["consular"].gateway(gateway)
        if adapter is None:
            raise click.ClickException(f"The {gateway} gateway is not configured.")
        now = utc_now()
        try:
            filled = gap_filling.fill(adapter, now - timedelta(hours=hours), now)
        except GatewayError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"{filled:,} texts were missing and are stored now.")
