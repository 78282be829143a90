"""The patches of `make mutants` fit the code as it is, and name tests that exist."""

from __future__ import annotations

import pytest

from tests.mutants.patches import ROOT, Mutant, read_mutants

MUTANTS = read_mutants()


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 15


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_patch_fits_and_names_its_tests(mutant: Mutant) -> None:
    assert mutant.fits(ROOT), f"{mutant.path.name} does not fit the code any more: make it anew with `git diff`"
    for argument in mutant.tests:
        if not argument.startswith("-"):
            assert (ROOT / argument.partition("::")[0]).exists(), argument
