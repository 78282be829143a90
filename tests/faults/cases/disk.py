"""A full disk under the database (F9), on a small file system of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import requests

from consular.processes import ProcessError
from tests.faults.play import Play
from tests.faults.posting import Stream
from tests.faults.story import Case, Skipped
from tests.waiting import eventually

MEGABYTES = 460
_CHUNK = b"\0" * (1 << 20)


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of MEGABYTES for the database. Raises Skipped where none can be mounted."""
    if os.geteuid() != 0:
        raise Skipped("only root can mount the small file system that is to fill up")
    folder = Path(tempfile.mkdtemp(prefix="consular-disk-", dir="/tmp"))
    folder.chmod(0o755)
    options = ["-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=755", "consular-faults", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        folder.rmdir()
        raise Skipped(f"no small file system can be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        with suppress(OSError):
            folder.rmdir()


def fill_disk(play: Play) -> None:
    """Not a byte is left while texts leave and come in; then somebody makes room."""
    ballast = play.site.servers.directory / "ballast"
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, rate=40.0, first_phone=9_900_000) as stream:
        play.wait(1.0)
        _fill(ballast)
        play.verdict.injected += 1
        seen = _watch(play, stream, 15.0)
        ballast.unlink()
        _revive(play)
        play.site.wait_ready()
        play.wait(2.0)
    play.fault_is_over()
    play.taken = stream.taken
    play.must(seen["refused"] > 0, "the disk was full and nothing failed: the case proves nothing")
    play.must(any(one.is_taken for one in stream.posted[-10:]), "webhooks did not come back")
    play.note(
        f"disk full: {seen['refused']} webhooks answered 5xx, the board answered {seen['pages']} of {seen['asked']}"
    )


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(_CHUNK)
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def _watch(play: Play, stream: Stream, seconds: float) -> dict[str, int]:
    """Until webhooks fail, and a while longer: how many failed, and whether pages could still be read."""
    began = len(stream.posted)
    seen = {"asked": 0, "pages": 0, "refused": 0}

    def fails() -> bool:
        return any(one.status >= 500 for one in stream.posted[began:])

    eventually(fails, seconds)
    for _ in range(6):
        play.wait(0.5)
        seen["asked"] += 1
        with suppress(requests.RequestException):
            seen["pages"] += requests.get(f"{play.site.url}/officer/sign-in", timeout=5).status_code == 200
    seen["refused"] = sum(1 for one in stream.posted[began:] if one.status >= 500 or one.status == 0)
    return seen


def _revive(play: Play) -> None:
    """PostgreSQL may have given up for lack of room; with room it is started again, as an operator would."""
    with suppress(ProcessError, psycopg.Error):
        play.site.rows("select 1")
        return
    play.site.servers.stop_postgres()
    play.site.servers.start_postgres()
    play.note("PostgreSQL had ended on the full disk and was started again")


CASES = [Case("F9", "disk full under PostgreSQL", "P1, P8", "5xx, never a false 2xx; nothing lost", fill_disk)]
