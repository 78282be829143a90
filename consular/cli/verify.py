"""`consular verify`: every promise with its figures, at any time, on the running service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consular.cli.context import application

if TYPE_CHECKING:
    from config import Config

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--quiet", is_flag=True, help="The work is over: nothing may be under way any more, for whatever reason.")
@click.option(
    "--gateway-log", type=_FILE, help='What a gateway accepted: a JSON object a line with "sid" and "attempt".'
)
@click.option("--gateway-texts", type=_FILE, help="Ids of the texts that were acknowledged to a gateway, one a line.")
def verify(quiet: bool, gateway_log: Path | None, gateway_texts: Path | None) -> None:
    """Check every promise against the database; name the rows that break one. Exit status 1 when one is broken.

    Changes nothing, and looks at one moment of a service that may be running.
    """
    from consular.services.verification import check_invariants

    with application() as app:
        found = check_invariants(
            _log(gateway_log) if gateway_log else None,
            gateway_texts.read_text("utf-8").split() if gateway_texts else None,
            rates=_rates(app.config["CONSULAR"]),
            is_busy=not quiet,
        )
    for one in found:
        click.echo(f"{'✓' if one.ok else '✗'} {one.code:<4}{one.name.replace('_', ' ')}: {one.detail}")
    broken = sum(1 for one in found if not one.ok)
    click.echo(
        f"\n{broken} of {len(found)} promises are broken." if broken else f"\nAll {len(found)} promises are kept."
    )
    sys.exit(1 if broken else 0)


def _log(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise click.ClickException(f"{path} is not one JSON object a line.") from error


def _rates(config: Config) -> dict[str, float]:
    return {name: gateway.rate for name, gateway in config.gateways.items()}
