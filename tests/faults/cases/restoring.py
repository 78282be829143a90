"""A backup from the middle of an alert is restored while the gateway knows more than it (F24)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from consular.cli.main import commands
from consular.embedded import programs
from tests.faults.play import Play
from tests.faults.story import Case, Skipped
from tests.faults.world import WEB, WORKERS

LIST_LAG = 62.0
_RUN = "from consular.cli.main import main; main()"


def restore(play: Play) -> None:
    """A dump is taken, texts go on leaving, everything dies; the dump is restored and all is started on it."""
    if "restored" not in commands.list_commands(click.Context(commands)):
        raise Skipped("there is no `consular restored` in this version")
    alert = play.send()
    play.wait_until_moving(alert, 60)
    play.keeps_receipts = False  # those that came after the dump are gone with the disk, and are not sent again
    dump = _dump(play)
    play.wait(2.0)
    for name in (*WORKERS, *WEB):
        play.site.leave_ended(name)
        play.kill(name, signal.SIGKILL)
    play.site.move_to(_restore(play, dump))
    play.site.wait_ready()
    waiting = play.states(alert).get("queued", 0)
    forgotten = int(play.simulator.stats()["accepted"]) - play.gone(alert)
    play.must(waiting > 0 and forgotten > 0, f"{waiting} waiting, {forgotten} forgotten: the case proves nothing")
    before = play.simulator.stats()["accepted"]
    play.wait(10.0)
    alone = play.simulator.stats()["accepted"] - before
    play.must(alone == 0, f"{alone} texts left before anybody allowed it")
    said = _command(play, "restored", "compare").partition("\n")[0]
    play.wait(LIST_LAG)
    _command(play, "restored", "compare")
    _command(play, "restored", "release", "--yes")
    play.fault_is_over()
    play.note(f"the dump had {waiting} waiting; {forgotten} of its texts had left since; {said}")
    play.must(play.wait_until_gone(alert, 120), f"not all texts left after the release: {play.states(alert)}")


def _dump(play: Play) -> Path:
    file = play.site.group.log_dir / "backup.dump"
    tool = programs.find().postgres.with_name("pg_dump")
    subprocess.run([tool, "-Fc", "-f", file, play.site.database_url], check=True, timeout=120)
    return file


def _restore(play: Play, dump: Path) -> str:
    url = play.site.servers.create_database("restored").replace("+psycopg", "")
    tool = programs.find().postgres.with_name("pg_restore")
    subprocess.run([tool, "--no-owner", "-d", url, dump], check=True, timeout=120)
    return url


def _command(play: Play, *arguments: str) -> str:
    command = [sys.executable, "-c", _RUN, *arguments]
    env = {**os.environ, **play.site.env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    play.must(
        done.returncode == 0, f"`consular {' '.join(arguments)}` ended with {done.returncode}: {done.stderr[-300:]}"
    )
    return done.stdout


CASES = [
    Case("F24", "restore in the middle of an alert", "P12", "nothing leaves by itself; then all leave once", restore),
]
