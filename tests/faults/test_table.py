"""The table says honestly what held, what did not, and what was not tried."""

from __future__ import annotations

from tests.faults.story import Case, Verdict
from tests.faults.table import summary, table


def nothing(_play: object) -> None:
    """Inject nothing."""


def verdict(code: str, **values: object) -> Verdict:
    return Verdict(Case(code, f"fault {code}", "P5", "nothing twice", nothing), **values)  # type: ignore[arg-type]


def line(text: str, code: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(f"{code} ")).split()


def test_a_case_passes_when_nothing_is_twice_lost_or_violated() -> None:
    text = table([verdict("F1", injected=30, recovered=41.26, declared=2)])
    assert line(text, "F1") == ["F1", "fault", "F1", "P5", "30", "41.3", "s", "0", "(+2", "declared)", "0", "pass"]
    assert "must hold" not in text


def test_one_duplicate_one_loss_or_one_sentence_fails_it() -> None:
    for spoiled in ({"duplicates": 1}, {"lost": 1}, {"broken": ["texts went on after the stop"]}):
        one = verdict("F2", **spoiled)
        text = table([one])
        assert not one.is_passed
        assert line(text, "F2")[-1] == "FAIL"
        assert "must hold: nothing twice" in text
    assert "VIOLATED: texts went on after the stop" in text


def test_a_skipped_case_is_shown_with_its_reason_and_is_no_passed_one() -> None:
    one = verdict("F9", skipped="only root can mount")
    text = table([verdict("F1"), one])
    assert not one.is_passed
    assert line(text, "F9")[-1] == "skipped"
    assert "skipped: only root can mount" in text
    assert summary([verdict("F1"), one]).startswith("1 of 2 passed, 0 failed, 1 skipped")


def test_the_last_line_adds_up() -> None:
    all_ = [verdict("F1", injected=3, declared=1), verdict("F2", injected=4, lost=2), verdict("F3", duplicates=5)]
    assert summary(all_) == (
        "1 of 3 passed, 2 failed, 0 skipped (a skipped case is not a passed one); "
        "7 faults, 5 duplicates beyond 1 declared, 2 lost."
    )
