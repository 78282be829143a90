"""A mutant is a patch file whose first lines say what goes wrong and which tests should see it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """One deliberate bug. tests: arguments for pytest, the part of the suite that should notice."""

    name: str
    bug: str
    tests: tuple[str, ...]
    path: Path

    def fits(self, tree: Path) -> bool:
        """Whether the patch still applies to the tree as it is."""
        return _apply(self.path, tree, "--check")

    def apply(self, tree: Path) -> None:
        """Plant the bug. Raises ValueError when the patch does not fit."""
        if not _apply(self.path, tree):
            raise ValueError(f"{self.path.name} does not fit the code any more: make it anew")

    def remove(self, tree: Path) -> None:
        """Take the bug out again."""
        if not _apply(self.path, tree, "--reverse"):
            raise ValueError(f"{self.path.name} could not be taken out again")


def read_mutants(folder: Path = FOLDER) -> list[Mutant]:
    """Every patch of the folder by name. Raises KeyError for one without its `Bug:` and `Tests:` lines."""
    return [_read(path) for path in sorted(folder.glob("*.patch"))]


def _read(path: Path) -> Mutant:
    head = path.read_text("utf-8").partition("\n--- ")[0]
    said = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    return Mutant(path.stem, said["Bug"], tuple(said["Tests"].split()), path)


def _apply(patch: Path, tree: Path, *options: str) -> bool:
    command = ["git", "apply", "--whitespace=nowarn", *options, str(patch.resolve())]
    # Inside a repository git applies relative to its top: the tree here is either the top or a copy outside of any.
    return subprocess.run(command, cwd=tree, check=False, capture_output=True).returncode == 0
