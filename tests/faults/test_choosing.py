"""What `--only` takes: rows that there are. A row that there is not must not count as one that held."""

from __future__ import annotations

import pytest

from tests.faults import __main__ as command
from tests.faults.story import Case, Verdict


def nothing(_play: object) -> None:
    """Inject nothing."""


def test_a_row_that_there_is_not_is_an_error_that_names_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--only", "F1,F99"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "no such row: F99" in said
    assert all(case.code in said for case in command.ALL)


def test_every_row_has_a_code_of_its_own() -> None:
    codes = [case.code.upper() for case in command.ALL]
    assert len(codes) == len(set(codes)) >= 30


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([{}], 0),
        ([{}, {"skipped": "only root can mount"}], 1),
        ([{}, {"lost": 1}], 1),
        ([], 1),
    ],
)
def test_only_what_was_tried_and_held_ends_with_0(verdicts: list[dict[str, object]], status: int) -> None:
    case = Case("F1", "fault", "P5", "nothing twice", nothing)
    assert command.status([Verdict(case, **values) for values in verdicts]) == status  # type: ignore[arg-type]
