"""Commands of the operator: is everything set, bring the schema up to date, send without Redis."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consular.cli.context import application
from consular.domain.gateways import GATEWAYS

if TYPE_CHECKING:
    from config import Config
    from consular.services.checks import Finding


@click.command("check-config")
def check_config() -> None:
    """Say in plain words what is missing or wrong; exit status 1 when Consular could not run as it is set."""
    from config import Config, ConfigError
    from consular.services.checks import check

    try:
        config = Config.from_env()
    except ConfigError as error:
        for line in str(error).splitlines():
            click.echo(f"✗ {line}")
        sys.exit(1)
    findings = [*check(config), *_adapters(config)]
    for finding in findings:
        click.echo(f"{'✓' if finding.is_ok else '✗' if finding.is_fatal else '!'} {finding.sentence}")
    sys.exit(1 if any(finding.is_fatal and not finding.is_ok for finding in findings) else 0)


def _adapters(config: Config) -> Iterator[Finding]:
    """The settings that only the adapters can judge: hosts, account sids, tokens, profiles."""
    from consular.providers.registry import Adapters, publisher_makers
    from consular.services.checks import Finding

    for problem in Adapters(config).problems():
        yield Finding(False, True, problem)
    for make in [*publisher_makers(config, is_exercise=False), *publisher_makers(config, is_exercise=True)]:
        try:
            make()
        except ValueError as error:
            yield Finding(False, True, str(error))


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema; note the encryption keys; load the gazetteer and what is publicly known
    of gateways in each country. Safe to repeat."""
    from consular.services.keys import note_keys
    from consular.services.places import load_gazetteer
    from consular.services.ways import seed_capabilities

    with application(check_keys=False) as app:
        upgrade_schema(app.config["SQLALCHEMY_DATABASE_URI"])
        note_keys()
        count, facts = load_gazetteer(), seed_capabilities()
    click.echo(
        "The database is up to date."
        + (f" {count:,} places were loaded." if count else "")
        + (f" {facts:,} facts about gateways were loaded." if facts else "")
    )


def upgrade_schema(database_url: str) -> None:
    """Run the migrations that are missing."""
    from alembic import command
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).resolve().parents[2] / "migrations"))
    settings.attributes["database_url"] = database_url
    command.upgrade(settings, "head")


@click.command()
@click.option("--gateway", type=click.Choice(GATEWAYS), help="Send by this one alone; else by every one in turn.")
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C, and sweep like the clock does.")
def drain(gateway: str | None, watch: bool) -> None:
    """Send what is queued, from this process, without Redis or workers. Safe beside running workers."""
    from consular.cli.draining import drain_here

    with application() as app:
        sent = drain_here(app, gateway, watch=watch)
    click.echo(f"{sent:,} messages were handed over or tried.")
