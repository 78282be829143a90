"""`consular verify`: every promise with its figures, at any time, on the running service."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consular.cli.context import application
from consular.domain.gateways import GATEWAYS_WITH_A_LIST

if TYPE_CHECKING:
    from config import Config
    from consular.providers.registry import Adapters
    from consular.services.verification import Invariant, IsKept

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--quiet", is_flag=True, help="The work is over: nothing may be under way any more, for whatever reason.")
@click.option(
    "--gateway-list",
    metavar="NAME",
    help="Ask this gateway for its own list of what it took, and compare (twilio, exercise). Its account must carry no "
    "other installation's texts.",
)
@click.option("--hours", type=click.FloatRange(min=0.1), default=24.0, help="How far back the list is read; else 24.")
@click.option(
    "--gateway-log",
    type=_FILE,
    help="Compare with such a list in a file instead: a JSON object a line with the gateway's id of the text, our "
    'attempt, and when it took it: {"sid": ..., "attempt": ..., "created_at": seconds since 1970 or ISO 8601}. The '
    "practice gateway has such lines under /_sim/log of its address; an operator's must be made of what each text was "
    "sent with: attempt is the last part of the address for its receipts. Looked for in it is what was handed over "
    "between the first moment in it and the last, or at any time when a line lacks created_at.",
)
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    help="Whose log the file is. Without it, of those that the ids in it are known of here.",
)
@click.option("--gateway-texts", type=_FILE, help="Ids of the texts that were acknowledged to a gateway, one a line.")
def verify(
    quiet: bool,
    gateway_list: str | None,
    hours: float,
    gateway_log: Path | None,
    gateways: tuple[str, ...],
    gateway_texts: Path | None,
) -> None:
    """Check every promise against the database; name the rows that break one. Exit status 1 when one is broken.

    Changes nothing, and looks at one moment of a service that may be running.
    """
    from consular.services.verification import Seen, check

    if gateway_list and gateway_log:
        raise click.UsageError("Give --gateway-list or --gateway-log, not both.")
    with application() as app:
        config = app.config["CONSULAR"]
        seen = Seen(
            gateway_texts=gateway_texts.read_text("utf-8").split() if gateway_texts else None,
            rates=_rates(config),
            readers=_readers(config),
        )
        if gateway_log:
            seen = replace(seen, log_of=gateways, **_file(gateway_log))
        if gateway_list:
            seen = replace(seen, log_of=[gateway_list], **_list(app.extensions["consular"], gateway_list, hours))
        found = check(seen, is_busy=not quiet)
    sys.exit(_tell(found))


def _tell(found: Sequence[Invariant]) -> int:
    for one in found:
        click.echo(f"{'✓' if one.ok else '✗'} {one.code:<4}{one.name.replace('_', ' ')}: {one.detail}")
    broken = sum(1 for one in found if not one.ok)
    click.echo(
        f"\n{broken} of {len(found)} promises are broken." if broken else f"\nAll {len(found)} promises are kept."
    )
    return 1 if broken else 0


def _file(path: Path) -> dict[str, Any]:
    from consular.services.gateway_logs import check_line, period_of

    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        for line in lines:
            check_line(line)
    except (ValueError, TypeError, KeyError) as error:
        raise click.ClickException(f"{path} is not one JSON object a line, as --help describes them.") from error
    return {"gateway_log": lines, "log_period": period_of(lines)}


def _list(adapters: Adapters, name: str, hours: float) -> dict[str, Any]:
    from consular.clock import utc_now
    from consular.domain.ports import GatewayError
    from consular.services.gateway_logs import read_list
    from consular.services.restoring import LIST_LAG

    gateway = adapters.gateway(name) if name in GATEWAYS_WITH_A_LIST else None
    if gateway is None:
        raise click.ClickException(f"{name} is not set up here, or has no list.")
    until = utc_now() - LIST_LAG
    period = (until - timedelta(hours=hours), until)
    try:
        return {"gateway_log": read_list(gateway, *period), "log_period": period}
    except GatewayError as error:
        raise click.ClickException(f"{name}: {error}") from error
    finally:
        gateway.close()


def _readers(config: Config) -> Mapping[str, IsKept]:
    from consular.providers.kept_texts import readers

    try:
        return readers(config)
    except ValueError as error:
        raise click.ClickException(f"The HTTP gateway: {error}") from error


def _rates(config: Config) -> dict[str, float]:
    return {name: gateway.rate for name, gateway in config.gateways.items()}
