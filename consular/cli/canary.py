"""`consular canary`: test texts to the mission's own handsets."""

from __future__ import annotations

from datetime import datetime

import click

from consular.cli.context import application


@click.group()
def canary() -> None:
    """Test texts to the mission's own handsets (CANARY_PHONES), through every real gateway."""


@canary.command()
def send() -> None:
    """Send one to every handset by every gateway now; not while an alert is going out, nor twice in ten minutes."""
    from consular.clock import utc_now
    from consular.services import canaries
    from consular.services.canaries import Plan

    with application() as app:
        plan = Plan.of(app.config["CONSULAR"])
        if not plan.pairs:
            raise click.ClickException(NOTHING_TO_TEST)
        sent = canaries.send_now(plan, utc_now())
    click.echo(f"{sent.texts} test {'text waits' if sent.texts == 1 else 'texts wait'} to be sent.")
    for gateway in sent.postponed:
        click.echo(f"None by {gateway}: an alert is going out. Try again when it is through.")
    if sent.recent:
        click.echo(f"{sent.recent} left out: tested within the last ten minutes.")


@canary.command()
def show() -> None:
    """What became of the last test text of each handset and gateway."""
    from consular.clock import utc_now
    from consular.services import canaries

    with application():
        found = canaries.seen()
    if not found:
        click.echo("No test text in the last seven days.")
    for one in found:
        click.echo(
            f"{one.country} {one.phone} by {one.gateway}: {canaries.result_words(one)}"
            f" (sent {one.at:%Y-%m-%d %H:%M} UTC, {_ago(one.at, utc_now())}; Ref {one.reference})"
        )


NOTHING_TO_TEST = "Nothing to test: set CANARY_PHONES to the mission's own handsets, and set up a real gateway."


def _ago(at: datetime, now: datetime) -> str:
    hours = int((now - at).total_seconds() // 3600)
    return f"{hours} h ago" if hours else "within the hour"
