"""`consular drill` and `consular demo`: the practice world from the command line."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from consular.drill.runner import Drill, Order

DEFAULT_SCENARIO = "libya-2011"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminal:
    """Progress as sentences and bars on the terminal; in a log file, a line a stage."""

    def say(self, sentence: str) -> None:
        """One sentence on its own line."""
        click.echo(sentence)

    def bar(self, label: str, length: int) -> Any:
        """A bar with update(steps); a context manager."""
        return click.progressbar(length=length, label=f"{label:>11}", show_pos=True, show_eta=False)


_SHARED = [
    click.option("--people", type=click.IntRange(2, 1_000_000), default=18_000, show_default=True),
    click.option(
        "--seed", type=int, default=7, show_default=True, help="The same seed gives the same people and answers."
    ),
    click.option(
        "--speed", type=click.FloatRange(1, 100_000), help="Seconds of the event per second; default: the scenario's."
    ),
    click.option(
        "--forms",
        type=click.IntRange(0),
        default=500,
        show_default=True,
        help="How many register through the web form.",
    ),
    click.option(
        "--json", "json_file", type=click.File("w", encoding="utf-8", lazy=False), help="Write the report here, too."
    ),
    click.option("--port", type=click.IntRange(1024, 65_000), help="Preferred port of the site."),
]


def _shared(function: Any) -> Any:
    for option in reversed(_SHARED):
        function = option(function)
    return function


@click.command()
@click.argument("scenario", default=DEFAULT_SCENARIO)
@_shared
def drill(scenario: str, json_file: TextIO | None, **options: Any) -> None:
    """Replay a crisis on this machine with made-up people; print the report; exit 0 only when every promise was
    kept."""
    with _held(scenario, options) as done:
        _tell(done.report, json_file)
    sys.exit(0 if done.report["ok"] else 1)


@click.command()
@click.argument("scenario", default=DEFAULT_SCENARIO)
@_shared
def demo(scenario: str, json_file: TextIO | None, **options: Any) -> None:
    """The same, then leave the site up until Ctrl-C."""
    with _held(scenario, options) as done:
        _tell(done.report, json_file)
        click.echo(
            f"\nThe site is up: {done.world.web_url}/ (registration) and {done.world.web_url}/officer/ (officers)"
        )
        for officer in done.officers:
            click.echo(f"  sign in as {officer.username} with {officer.password}")
        click.echo(f"  the board: {done.world.web_url}{done.released.crisis_path}/board")
        click.echo("Ctrl-C stops everything.")
        try:
            threading.Event().wait()
        except SystemExit:
            click.echo("\nStopping.")


@contextmanager
def _held(scenario: str, options: dict[str, Any]) -> Iterator[Drill]:
    from requests.exceptions import RequestException

    from consular.drill import runner
    from consular.drill.pages import PageError
    from consular.loopback import NoFreePort
    from consular.processes import exit_on_signals

    try:
        with exit_on_signals(_SIGNALS), runner.held(_order(scenario, options), Terminal()) as done:
            yield done
    except (PageError, NoFreePort, ValueError, RequestException) as error:
        raise click.ClickException(str(error)) from error


def _order(scenario: str, options: dict[str, Any]) -> Order:
    from consular.drill.runner import Order

    return Order(
        scenario,
        options["people"],
        options["seed"],
        options["speed"],
        min(options["forms"], options["people"]),
        options["port"],
    )


def _tell(report: dict[str, Any], json_file: TextIO | None) -> None:
    from consular.drill.report import lines

    for line in lines(report):
        click.echo(line)
    if json_file is not None:
        json_file.write(json.dumps(report, indent=2) + "\n")
        json_file.flush()
        click.echo(f"The report is in {json_file.name}.")
