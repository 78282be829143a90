"""`python -m tests.mutants [NAME ...]`: plant each bug in a copy of the tree, run its tests, and see them fail."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import click

from tests.mutants.patches import ROOT, Mutant, read_mutants

_LONGEST_SECONDS = 600
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_TESTS_FAILED = 1
"""pytest's exit status when tests ran and some failed; others mean that nothing was proven."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one bug. caught_by: the first test that failed, or why nothing was proven."""

    mutant: str
    verdict: str
    caught_by: str
    seconds: float


def main(arguments: list[str]) -> int:
    """0 when the tests pass without bugs and every bug was caught."""
    options = _parse(arguments)
    mutants = [one for one in read_mutants() if not options.names or one.name in options.names]
    if not mutants:
        click.echo("No such mutant.", err=True)
        return 2
    with tempfile.TemporaryDirectory(prefix="consular-mutants-") as folder:
        copies = [_copy(Path(folder) / f"tree-{number}") for number in range(options.jobs)]
        if not options.skip_baseline:
            sound = _run(copies[0], tuple(dict.fromkeys(test for one in mutants for test in one.tests)))
            if sound.returncode != 0:
                click.echo("The tests fail without any bug planted:\n" + sound.stdout[-3000:], err=True)
                return 1
        trials = _try_all(mutants, copies)
    _print(trials)
    return 0 if all(trial.verdict == "caught" for trial in trials) else 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these (file names without .patch)")
    parser.add_argument("--jobs", type=int, default=2, help="copies tried at the same time")
    parser.add_argument("--skip-baseline", action="store_true", help="do not first see the tests pass without a bug")
    return parser.parse_args(arguments)


def _copy(target: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")
    for compiled in (ROOT / "consular").rglob("*.mo"):
        shutil.copy2(compiled, target / compiled.relative_to(ROOT))
    return target


def _run(tree: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True, timeout=_LONGEST_SECONDS)


def _try_all(mutants: list[Mutant], copies: list[Path]) -> list[Trial]:
    free: Queue[Path] = Queue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> Trial:
        tree = free.get()
        try:
            return _try(mutant, tree)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(copies)) as pool:
        trials = []
        for trial in pool.map(attempt, mutants):
            click.echo(f"{trial.mutant}: {trial.verdict} ({trial.seconds:.0f} s)", err=True)
            trials.append(trial)
        return trials


def _try(mutant: Mutant, tree: Path) -> Trial:
    began = time.monotonic()
    try:
        mutant.apply(tree)
    except ValueError as error:
        return Trial(mutant.name, "does not fit", str(error), 0.0)
    try:
        done = _run(tree, mutant.tests)
        if done.returncode == 0:
            return Trial(mutant.name, "SURVIVED", "", time.monotonic() - began)
        failed = _FAILED.findall(done.stdout)
        is_proof = done.returncode == _TESTS_FAILED and failed
        caught_by = failed[0] if is_proof else (done.stdout + done.stderr)[-300:]
        return Trial(mutant.name, "caught" if is_proof else "not run", caught_by, time.monotonic() - began)
    except subprocess.TimeoutExpired:
        return Trial(mutant.name, "too long", f"no end after {_LONGEST_SECONDS} s", time.monotonic() - began)
    finally:
        mutant.remove(tree)


def _print(trials: list[Trial]) -> None:
    width = max(len(trial.mutant) for trial in trials)
    click.echo(f"\n{'mutant':{width}}  {'verdict':8}  {'s':>4}  caught by")
    for trial in trials:
        click.echo(f"{trial.mutant:{width}}  {trial.verdict:8}  {trial.seconds:4.0f}  {trial.caught_by}")
    caught = sum(trial.verdict == "caught" for trial in trials)
    click.echo(f"\n{caught} of {len(trials)} deliberate bugs were caught.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
