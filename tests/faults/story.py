"""What a case of the matrix is, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.play import Play


class Skipped(Exception):
    """This machine cannot run the case; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the matrix. phases: as numbered in docs/faults.md. rule: what must hold, in words.

    act injects the fault and checks what shows at once; check looks again when everything has come to rest.
    waits: it begins when all earlier cases have come to rest, because its fault would strike what they left in doubt.
    """

    code: str
    fault: str
    phases: str
    rule: str
    act: Callable[[Play], None]
    check: Callable[[Play], None] | None = None
    is_ci: bool = False
    waits: bool = False


@dataclass(slots=True)
class Verdict:
    """One line of the table. recovered: seconds from the end of the fault until the last row had its end."""

    case: Case
    injected: int = 0
    recovered: float | None = None
    duplicates: int = 0
    declared: int = 0
    lost: int = 0
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0

    @property
    def is_passed(self) -> bool:
        """Whether it ran and everything held."""
        return not self.skipped and not self.broken and self.duplicates == 0 and self.lost == 0
