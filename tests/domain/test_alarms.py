"""An alarm is raised above its threshold, tells since when, and says what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from consular.domain.alarms import ALARMS, Reading, evaluate

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_raised_above_its_threshold_only(name):
    threshold = ALARMS[name].threshold
    assert evaluate([Reading(name, threshold)], {}, NOW) == []
    (raised,) = evaluate([Reading(name, threshold + 1)], {}, NOW)
    assert (raised.alarm.name, raised.since, raised.value) == (name, NOW, threshold + 1)


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_says_in_one_sentence_what_to_do(name):
    alarm = ALARMS[name]
    assert alarm.act.endswith(".")
    assert 20 < len(alarm.act) < 140
    assert alarm.unit
    assert alarm.title[0].isupper()


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("messages_waiting", "above 60 s"),
        ("path_unproven", "above 36 h"),
        ("sender_throttled", "above 5 s pause"),
        ("messages_held", "at once"),
    ],
)
def test_a_threshold_is_told_with_its_unit(name, limit):
    assert ALARMS[name].limit == limit


@pytest.mark.parametrize(
    ("since", "standing", "expected"),
    [
        (ago(5), {}, ago(5)),
        (ago(5), {("no_worker", "inbound"): ago(9)}, ago(5)),
        (None, {("no_worker", "inbound"): ago(9)}, ago(9)),
        (None, {("no_worker", "social"): ago(9)}, NOW),
    ],
    ids=["known", "known better", "remembered", "new"],
)
def test_since_when(since, standing, expected):
    (raised,) = evaluate([Reading("no_worker", 1, since, "inbound")], standing, NOW)
    assert raised.since == expected


def test_urgent_alarms_come_first_and_then_the_oldest():
    readings = [
        Reading("fate_unknown", 900, ago(15)),
        Reading("texts_unread", 60, ago(1)),
        Reading("clock_silent", 120, ago(2)),
    ]
    assert [one.alarm.name for one in evaluate(readings, {}, NOW)] == ["clock_silent", "texts_unread", "fate_unknown"]
