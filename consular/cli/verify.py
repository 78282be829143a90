"""`consular verify`: every promise with its figures, at any time, on the running service."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consular.cli.context import application

if TYPE_CHECKING:
    from config import Config
    from consular.services.verification import IsKept

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--quiet", is_flag=True, help="The work is over: nothing may be under way any more, for whatever reason.")
@click.option(
    "--gateway-log",
    type=_FILE,
    help="What one gateway took: a JSON object a line with its id of the text, our attempt, and when it took it: "
    '{"sid": ..., "attempt": ..., "created_at": seconds since 1970 or ISO 8601}. The practice gateway has such lines '
    "under /_sim/log of its address. For a real one its operator must: attempt is the last part of the StatusCallback "
    "address that each text was sent with. What is not in the log is only missed between the first moment in it and "
    "the last (5 s less at both ends), or at any time when a line lacks created_at.",
)
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    help="Whose log it is. Without it, those that the ids in the log are known of here.",
)
@click.option("--gateway-texts", type=_FILE, help="Ids of the texts that were acknowledged to a gateway, one a line.")
def verify(quiet: bool, gateway_log: Path | None, gateways: tuple[str, ...], gateway_texts: Path | None) -> None:
    """Check every promise against the database; name the rows that break one. Exit status 1 when one is broken.

    Changes nothing, and looks at one moment of a service that may be running.
    """
    from consular.services.verification import Seen, check

    with application() as app:
        config = app.config["CONSULAR"]
        seen = Seen(
            gateway_log=_log(gateway_log) if gateway_log else None,
            gateway_texts=gateway_texts.read_text("utf-8").split() if gateway_texts else None,
            rates=_rates(config),
            log_of=gateways,
            is_log_whole=False,
            readers=_readers(config),
        )
        found = check(seen, is_busy=not quiet)
    for one in found:
        click.echo(f"{'✓' if one.ok else '✗'} {one.code:<4}{one.name.replace('_', ' ')}: {one.detail}")
    broken = sum(1 for one in found if not one.ok)
    click.echo(
        f"\n{broken} of {len(found)} promises are broken." if broken else f"\nAll {len(found)} promises are kept."
    )
    sys.exit(1 if broken else 0)


def _log(path: Path) -> list[dict[str, Any]]:
    from consular.services.gateway_logs import check_line

    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        for line in lines:
            check_line(line)
    except (ValueError, TypeError, KeyError) as error:
        raise click.ClickException(f"{path} is not one JSON object a line, as --help describes them.") from error
    return lines


def _readers(config: Config) -> Mapping[str, IsKept]:
    from consular.providers.kept_texts import readers

    try:
        return readers(config)
    except ValueError as error:
        raise click.ClickException(f"The HTTP gateway: {error}") from error


def _rates(config: Config) -> dict[str, float]:
    return {name: gateway.rate for name, gateway in config.gateways.items()}
