"""`consular restored`: after a restore nothing is sent, until a person has compared the copy and releases it."""

from __future__ import annotations

import click

from consular.cli.context import application
from consular.domain.gateways import GATEWAYS_WITH_A_LIST


@click.group()
def restored() -> None:
    """After a restore nothing is sent: compare this copy with what the gateways took, then release it."""


@restored.command()
def status() -> None:
    """Whether this database is a restored copy, and what waited in it; changes nothing."""
    from consular.queries import restoring
    from consular.services.restoring import closed_since, is_elsewhere

    with application():
        closed_at = closed_since()
        if closed_at is None:
            click.echo(_ELSEWHERE if is_elsewhere() else "This database is where it was. Texts may leave.")
            return
        click.echo(f"This is a restored copy. Nothing is sent since {closed_at:%d %b %Y, %H:%M:%S} UTC.")
        for row in restoring.waiting(closed_at):
            click.echo(f"  {row.gateway}: {row.number:,} {row.state}, the oldest from {row.since:%d %b %Y, %H:%M} UTC")
        for row in restoring.compared():
            click.echo(f"  {row.gateway}: compared at {row.compared_at:%H:%M:%S} UTC, {row.found:,} had left")


@restored.command()
def mark() -> None:
    """Say that this is a restored copy. Needed for copies of files that look like the original."""
    from consular.services.restoring import mark as mark_it

    with application():
        is_news = mark_it()
    click.echo("Nothing is sent from now on." if is_news else "That was known: nothing is sent.")


@restored.command()
def compare() -> None:
    """Read each gateway's list of sent texts, and mark what left after the backup. Safe to repeat."""
    from consular.domain.ports import GatewayError
    from consular.providers.twilio.codes import failure_reason, map_status
    from consular.services import restoring

    failed = False
    with application() as app:
        adapters = app.extensions["consular"]
        for name in adapters.config.gateways:
            gateway = adapters.gateway(name) if name in GATEWAYS_WITH_A_LIST else None
            if gateway is None:
                click.echo(f"{name}: has no list; what waits there will be held for an officer.")
                continue
            try:
                found = restoring.compare(gateway, map_status, failure_reason)
            except GatewayError as error:
                click.echo(f"{name}: not compared. {error}", err=True)
                failed = True
                continue
            finally:
                gateway.close()
            click.echo(f"{name}: {found.read:,} texts in its list, {found.found:,} of them this copy did not know of.")
            if found.again_at is not None:
                click.echo(f"{name}: its list may be behind. Compare once more after {found.again_at:%H:%M:%S} UTC.")
    if failed:
        raise SystemExit(1)


@restored.command()
@click.option("--yes", is_flag=True, help="The old system is switched off, and this copy is to send from now on.")
@click.option("--nothing-lost", is_flag=True, help="A standby took over that had everything: hold nothing.")
def release(yes: bool, nothing_lost: bool) -> None:
    """Let texts leave again. What no list can tell about is held for an officer first."""
    from consular.services.restoring import release as release_it

    if not yes:
        raise click.UsageError("Two systems that both send would text people twice: add --yes when the old one is off.")
    with application():
        held = release_it(is_complete=nothing_lost)
    click.echo("Texts may leave again.")
    if held:
        click.echo(f"{held:,} texts are held, because nobody knows whether they left: see the page /officer/held.")


_ELSEWHERE = (
    "This database is not where it was when texts were last sent: it is a restored copy, or another server took over. "
    "The next process that would send finds out and sends nothing."
)
