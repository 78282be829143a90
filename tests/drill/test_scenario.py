"""Scenarios: what is documented stays apart from what is assumed, and what is assumed is said."""

import pytest

from consular.drill.scenario import Mark, load, names, provenance


def test_scenarios_are_found_by_name():
    assert "libya-2011" in names()
    assert load("libya-2011").people == 18_000


@pytest.mark.parametrize("name", ["", "nowhere", "../libya-2011", "libya_2011"])
def test_unknown_names_are_answered_with_the_known_ones(name):
    with pytest.raises(ValueError, match="libya-2011"):
        load(name)


def test_places_add_up_to_the_documented_total():
    scenario = load("libya-2011")
    assert sum(place.people for place in scenario.places) == scenario.people
    digits = [digit for place in scenario.places for digit in place.digits]
    assert sorted(digits) == list(range(10))


@pytest.mark.parametrize("table", ["lines", "intents", "languages", "second_texts"])
def test_shares_of_a_table_make_a_whole(table):
    assert sum(share for _, share in getattr(load("libya-2011").rates, table)) == pytest.approx(1.0)


def test_provenance_marks_every_row_and_puts_the_documented_first():
    rows = provenance(load("libya-2011"))
    marks = [mark for _, _, mark in rows]
    order = [mark.value for mark in Mark]
    assert marks == sorted(marks, key=order.index)
    assert set(marks) == set(order)
    assert ("Indians in Libya", "about 18,000", "D") in rows
    assert ("phone line: unreachable", "13 %", "A") in rows
    assert ("messages sent or answered in 2011", "not found", "N") in rows


def test_provenance_follows_the_rates_in_use():
    scenario = load("libya-2011")
    assumed = {fact: value for fact, value, mark in provenance(scenario) if mark == "A"}
    for intent, share in scenario.rates.intents:
        assert assumed[f"answer: {intent}"] == f"{share * 100:.3g} %"


def test_alert_texts_exist_in_every_language_of_the_people():
    scenario = load("libya-2011")
    assert {language for language, _ in scenario.rates.languages} == set(scenario.alert_texts)
