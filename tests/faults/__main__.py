"""python -m tests.faults [--ci] [--only F1,F7]: plays the matrix on real processes and prints one table."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from consular.domain.gateways import HTTP, TWILIO
from consular.drill.pages import PageError
from consular.drill.world import ROOT
from consular.embedded import EmbeddedServers
from consular.processes import ProcessError, exit_on_signals
from tests.faults import people
from tests.faults.cases import FIRST, SECOND, big, disk, restoring, takeover
from tests.faults.desk import Desk
from tests.faults.judging import Watch, judge
from tests.faults.play import Play, Stage
from tests.faults.posting import Poster
from tests.faults.simulator import Simulator
from tests.faults.story import Case, Skipped, Verdict
from tests.faults.table import table
from tests.faults.world import Settings, Site, running

FOLDER = ROOT / "var" / "faults"
ALL: tuple[Case, ...] = (*FIRST, *SECOND, *takeover.CASES, *restoring.CASES, *big.CASES, *big.LAST, *disk.CASES)
Populate = Callable[[Site], dict[str, int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The status of the run; 2 when a row is asked for that there is not."""
    options = _options(arguments)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    began = time.monotonic()
    with exit_on_signals():
        verdicts = _play_all(options)
    text = table(verdicts) + f"\nTook {time.monotonic() - began:.0f} s. Logs: {FOLDER.relative_to(ROOT)}"
    (FOLDER / "table.txt").write_text(text + "\n", "utf-8")
    print(text, flush=True)  # noqa: T201
    return status(verdicts)


def status(verdicts: Sequence[Verdict]) -> int:
    """0 when every case held; 1 when one did not, could not be tried, or there was none."""
    return 0 if verdicts and all(one.is_passed for one in verdicts) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("--ci", action="store_true", help="only the cases that fit into six minutes")
    parser.add_argument("--only", default="", type=_codes, metavar="F1,F7", help="only these cases")
    parser.add_argument("--seed", type=int, default=7, help="of who is killed when")
    return parser.parse_args(arguments)


def _codes(text: str) -> frozenset[str]:
    """The codes asked for. A row that does not exist would pass unnoticed."""
    known = {case.code.upper(): case.code for case in ALL}
    codes = frozenset(filter(None, (code.strip() for code in text.upper().split(","))))
    unknown = sorted(codes - known.keys())
    if unknown:
        raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}; there are {', '.join(known.values())}")
    return codes


def _play_all(options: argparse.Namespace) -> list[Verdict]:
    def chosen(cases: Sequence[Case]) -> list[Case]:
        if options.only:
            return [case for case in cases if case.code.upper() in options.only]
        return [case for case in cases if case.is_ci or not options.ci]

    verdicts: list[Verdict] = []
    small = [("both", [*SECOND, *FIRST])] if options.ci else [("first", FIRST), ("second", SECOND)]
    with EmbeddedServers(FOLDER / "servers") as servers:
        for name, cases, populate, settings in (
            *((name, cases, _few, Settings()) for name, cases in small),
            ("takeover", takeover.CASES, _few, Settings(rate=40.0, gateways=(TWILIO, HTTP))),
            ("restore", restoring.CASES, _few, Settings(rate=40.0)),
            ("big", big.CASES, _many, Settings(rate=300.0, lease=30)),
            ("recovery", big.LAST, _some, Settings(rate=200.0, lease=30)),
        ):
            verdicts += _play(servers, name, chosen(cases), populate, settings, options.seed)
    return verdicts + _play_on_a_small_disk(chosen(disk.CASES), options.seed)


def _play_on_a_small_disk(cases: list[Case], seed: int) -> list[Verdict]:
    if not cases:
        return []
    try:
        with disk.small_disk() as folder, EmbeddedServers(folder / "servers") as servers:
            return _play(servers, "disk", cases, _few, Settings(), seed)
    except Skipped as reason:
        return [Verdict(case, skipped=str(reason)) for case in cases]


def _play(
    servers: EmbeddedServers, name: str, cases: list[Case], populate: Populate, settings: Settings, seed: int
) -> list[Verdict]:
    """All cases of a group on one site, one after the other; then all of them are judged."""
    if not cases:
        return []
    _say(f"{name}: starting")
    try:
        return _play_together(servers, name, cases, populate, settings, seed)
    except (psycopg.Error, ProcessError, RuntimeError, OSError, PageError) as error:
        return [Verdict(case, broken=[f"its installation gave up: {type(error).__name__}: {error}"]) for case in cases]


def _play_together(
    servers: EmbeddedServers, name: str, cases: list[Case], populate: Populate, settings: Settings, seed: int
) -> list[Verdict]:
    with running(servers, name, FOLDER, settings) as site:
        sizes = populate(site)
        stage = _stage(site, sizes, seed)
        with Watch(stage) as watch:
            plays = [_act(stage, case, watch) for case in cases]
            _say(f"{name}: waiting for rest")
            watch.settle()
        judge(stage, plays, strictly=name == "big")
    return [play.verdict for play in plays]


def _stage(site: Site, sizes: dict[str, int], seed: int) -> Stage:
    is_real, login = site.settings.is_real, site.login
    first = Simulator(site.gateway_url, *login)
    second = Simulator(site.second_url, *login) if is_real else None
    return Stage(site, Desk(site.url, is_real=is_real), first, Poster(site), sizes, random.Random(seed), second)


def _act(stage: Stage, case: Case, watch: Watch) -> Play:
    play = Play(stage, case, Verdict(case))
    if case.waits:
        watch.settle()
    began = time.monotonic()
    try:
        stage.simulator.faults()
        stage.simulator.network()
        stage.simulator.listing()
        case.act(play)
    except Skipped as reason:
        play.verdict.skipped = str(reason)
    except Exception as error:  # noqa: BLE001 - whatever happens belongs into the table
        trace = traceback.extract_tb(error.__traceback__)[-1]
        play.must(False, f"{type(error).__name__} at {Path(trace.filename).name}:{trace.lineno}: {error}")
        play.is_broken_off = True
        play.site.proxy.trouble()
    if not play.ended_at:
        play.fault_is_over()
    watch.add(play)
    with suppress(psycopg.Error):
        play.calm_down()
    play.verdict.seconds = time.monotonic() - began
    _say(f"  {case.code:<4} {case.fault} ({play.verdict.seconds:.0f} s)")
    return play


def _few(site: Site) -> dict[str, int]:
    people.register(site.app, "LY", 400, 1_000_000)
    people.register(site.app, "TN", 60, 2_000_000)
    people.register(site.app, "EG", 150, 12_345_000, people.EGYPTIAN)
    return {"LY": 400, "TN": 60, "EG": 150}


def _many(site: Site) -> dict[str, int]:
    people.register(site.app, "SD", 5_400, 3_000_000)
    people.register(site.app, "SD", 600, 4_000_000, people.ANSWERING)
    return {"SD": 6_000}


def _some(site: Site) -> dict[str, int]:
    people.register(site.app, "TD", 1_200, 5_000_000)
    return {"TD": 1_200}


def _say(sentence: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {sentence}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
