"""The store in memory does what PostgreSQL does: the same random statements, the same rows after each of them.

Without this the simulation would prove something about itself only.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from consular.extensions import db
from tests.simulation.planted import PLANTED
from tests.simulation.statements import Both


def compare(examples: int, *, is_explained: bool = True) -> None:
    """The outer transaction of the test is rolled back at its end; each example starts from empty tables."""

    class Machine(Both):
        session = db.session

    phases = set(Phase) if is_explained else {Phase.generate}
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_memory_does_what_postgresql_does(session):
    compare(60)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", ["RecordsUnasked", "ForgetsTheDead", "MarksAfterTheStop", "SettlesWhatIsSettled", "TakesReceiptsAsTheyCome"]
)
def test_a_memory_that_does_something_else_is_found_out(session, monkeypatch, name):
    monkeypatch.setattr("tests.simulation.compared.MemoryStore", PLANTED[name].store)
    with pytest.raises(AssertionError):
        compare(200, is_explained=False)
