"""The table of a fault run, as it is printed and kept."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tests.faults.story import Verdict

_HEADS = ("fault", "what", "phase", "injected", "recovered in", "duplicates", "lost", "verdict")
_WIDTH = 150


def table(verdicts: Sequence[Verdict]) -> str:
    """One line per case, then what was violated and what is worth knowing, then one line that says it all."""
    lines = [_HEADS, *(_cells(one) for one in verdicts)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    ruler = "  ".join("-" * width for width in widths)
    told = [line for one in verdicts for line in _told(one)]
    return "\n".join([shown[0], ruler, *shown[1:], "", *told, *([""] if told else []), summary(verdicts)])


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many cases held; what was skipped did not."""
    passed, skipped = (sum(1 for one in verdicts if held(one)) for held in (_is_passed, _is_skipped))
    failed = len(verdicts) - passed - skipped
    sums = {
        name: sum(getattr(one, name) for one in verdicts) for name in ("injected", "duplicates", "declared", "lost")
    }
    return (
        f"{passed} of {len(verdicts)} passed, {failed} failed, {skipped} skipped (a skipped case is not a passed one); "
        f"{sums['injected']} faults, {sums['duplicates']} duplicates beyond {sums['declared']} declared, "
        f"{sums['lost']} lost."
    )


def _cells(one: Verdict) -> tuple[str, ...]:
    if one.skipped:
        return (one.case.code, one.case.fault, one.case.phases, "-", "-", "-", "-", "skipped")
    duplicates = f"{one.duplicates} (+{one.declared} declared)" if one.declared else str(one.duplicates)
    recovered = "-" if one.recovered is None else f"{one.recovered:.1f} s"
    verdict = "pass" if one.is_passed else "FAIL"
    return (
        one.case.code,
        one.case.fault,
        one.case.phases,
        str(one.injected),
        recovered,
        duplicates,
        str(one.lost),
        verdict,
    )


def _told(one: Verdict) -> list[str]:
    sentences = [f"skipped: {one.skipped}"] if one.skipped else []
    sentences += [f"VIOLATED: {sentence}" for sentence in one.broken] + one.notes
    if not one.is_passed and not one.skipped:
        sentences.append(f"must hold: {one.case.rule}")
    indent = " " * 6
    return [textwrap.fill(f"{one.case.code:<5} {text}", _WIDTH, subsequent_indent=indent) for text in sentences]


def _is_passed(one: Verdict) -> bool:
    return one.is_passed


def _is_skipped(one: Verdict) -> bool:
    return bool(one.skipped)
