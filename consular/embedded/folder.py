"""The folder of one run: locked against a second run, and cleared of what an earlier run left when it died."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from consular import guardian
from consular.embedded.errors import EmbeddedError, disk_full

NEEDED_BYTES = 300 * 1024 * 1024
_LONGEST_TEMPORARY = 70  # a socket's whole path must stay below 104 bytes
_PREFIX = "consular-"


class RunFolder:
    """`directory` with its lock and its record of processes and temporary folders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._record = self.directory / "embedded.json"
        self._lock: IO[str] | None = None
        self._targets: dict[str, guardian.Target] = {}
        self._folders: list[Path] = []

    @property
    def is_taken(self) -> bool:
        """Whether this object holds the folder."""
        return self._lock is not None

    def take(self) -> None:
        """Makes the folder ours and empty of servers. Raises EmbeddedError when something else is in it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        marker = self.directory / "embedded.lock"
        if (self.directory / "postgres").exists() and not marker.exists():
            raise EmbeddedError(f"{self.directory} holds something else's folder 'postgres': give another folder.")
        lock = marker.open("a", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            text = f"{self.directory} is in use by another run: end that one or give another folder."
            raise EmbeddedError(text) from None
        self._lock = lock
        self._clear_leftovers()
        if shutil.disk_usage(self.directory).free < NEEDED_BYTES:
            raise disk_full(self.directory)

    def temporary(self) -> Path:
        """A new folder outside with a path short enough for sockets, noted for removal."""
        usual = tempfile.gettempdir()
        parent = usual if len(usual) < _LONGEST_TEMPORARY else "/tmp"  # noqa: S108 - mkdtemp makes a private folder
        self._folders.append(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)))
        self._write()
        return self._folders[-1]

    def note(self, name: str, target: guardian.Target | None) -> None:
        """Records a server's process, so that a later run in this folder can clear it."""
        if target is not None:
            self._targets[name] = target
            self._write()

    def release(self) -> None:
        """Removes the data and gives the folder free; the servers must have stopped."""
        if self._lock is None:
            return
        _remove(self.directory / "postgres", *self._folders)
        self._record.unlink(missing_ok=True)
        self._targets, self._folders = {}, []
        self._lock.close()
        self._lock = None

    def _write(self) -> None:
        processes = [[target.pid, target.identity, list(target.signals)] for target in self._targets.values()]
        text = json.dumps({"processes": processes, "folders": [str(folder) for folder in self._folders]})
        fresh = self._record.with_suffix(".new")
        fresh.write_text(text, "utf-8")
        os.replace(fresh, self._record)

    def _clear_leftovers(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self._record.read_text("utf-8"))
            guardian.stop_all(
                guardian.Target(pid, identity, tuple(signals)) for pid, identity, signals in record["processes"]
            )
            _remove(*(folder for folder in map(Path, record["folders"]) if folder.name.startswith(_PREFIX)))
        _remove(self.directory / "postgres")


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
