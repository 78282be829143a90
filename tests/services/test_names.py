"""A correction of a name, or the name of the next person at the same telephone."""

from __future__ import annotations

import pytest

from consular.services.names import may_be_one_person


@pytest.mark.parametrize(
    ("recorded", "written"),
    [
        ("Asha Rao", "asha  RÃO"),
        ("Asha Rao", "Asha Rao Singh"),
        ("A. Rao", "Asha Rao"),
        ("Rao Asha", "Asha Rao"),
        ("Mohamed Ali", "Mohammed Ali"),
        ("सुनीता शर्मा", "सुनिता शर्मा"),
        ("👩", "👩"),
    ],
)
def test_a_correction_stays_one_person(recorded: str, written: str) -> None:
    assert may_be_one_person(recorded, written, has_same_phone=True)


@pytest.mark.parametrize(
    ("recorded", "written"),
    [
        ("Asha Rao", "Vikram Rao"),
        ("Husband One", "Wife Two"),
        ("محمد علي", "فاطمة علي"),
        ("राम शर्मा", "सीता शर्मा"),
        ("👩", "Asha Rao"),
    ],
)
@pytest.mark.parametrize("has_same_phone", [True, False], ids=["same phone", "other phone"])
def test_a_name_of_their_own_is_another_person(recorded: str, written: str, has_same_phone: bool) -> None:
    assert not may_be_one_person(recorded, written, has_same_phone=has_same_phone)


def test_names_that_differ_by_a_letter_depend_on_the_phone() -> None:
    assert may_be_one_person("Asha Rao", "Usha Rao", has_same_phone=True)
    assert not may_be_one_person("Asha Rao", "Usha Rao", has_same_phone=False)
    assert may_be_one_person("Asha Rao", "Asha Rao", has_same_phone=False)
