"""The made-up people of a drill: deterministic by seed, streamed one by one, nobody kept in memory."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from consular.drill.behaviour import Behaviour, behaviour, language_of
from consular.drill.dice import choose, dice, pick, spread
from consular.drill.names import compose, respell
from consular.drill.numbers import mobile
from consular.drill.scenario import Place, Scenario


@dataclass(frozen=True, slots=True)
class Citizen:
    """One made-up person as they (or their employer or relative) register.

    mobile: E.164, None when none is known. shared_with: index of the person whose phone it is, None: their own.
    people_with_me: how many others they speak for. camp_contact: E.164 of the foreman of their camp.
    registers_again: somebody registers the same person a second time (registrations() yields both).
    """

    index: int
    name: str
    mobile: str | None
    email: str | None
    language: str
    home_country: str
    country: str
    place: str
    geoname_id: int
    is_resident: bool
    arrived_days_ago: int
    leaves_in_days: int | None
    people_with_me: int
    source: str
    employer: str
    camp: int | None
    camp_contact: str | None
    shared_with: int | None
    registers_again: bool
    is_repeat: bool = False

    def stay_from(self, today: date) -> date:
        """First day of the stay, given the day on which the drill runs."""
        return today - timedelta(days=self.arrived_days_ago)

    def stay_until(self, today: date) -> date | None:
        """Last day of the stay; None for residents."""
        return None if self.leaves_in_days is None else today + timedelta(days=self.leaves_in_days)


def citizens(people: int, seed: int, scenario: Scenario) -> Iterator[Citizen]:
    """Exactly `people` different persons, each a pure function of (index, people, seed, scenario).

    They come in a shuffled order; neighbours by index live together, so families and camps are neighbours.
    """
    settlement = _Settlement(people, seed, scenario)
    for turn in range(people):
        yield settlement.citizen(spread(people, turn, seed))


def registrations(people: int, seed: int, scenario: Scenario) -> Iterator[Citizen]:
    """The registrations of those persons: each once, some again by an employer or relative who spells otherwise."""
    for citizen in citizens(people, seed, scenario):
        yield citizen
        if citizen.registers_again:
            roll = dice(seed, f"again {citizen.index}")[0]
            source = "employer_list" if citizen.camp is not None else "relative"
            yield replace(citizen, name=respell(citizen.name, roll), source=source, is_repeat=True)


def behaviour_of(citizen: Citizen, seed: int, scenario: Scenario) -> Behaviour | None:
    """What the citizen's phone will do; None for people without one. People sharing a phone share the behaviour."""
    return None if citizen.mobile is None else behaviour(citizen.mobile, seed, scenario.rates)


class _Settlement:
    """Who lives where: places are blocks of indexes, camps and families are small blocks inside a place."""

    def __init__(self, people: int, seed: int, scenario: Scenario) -> None:
        self._people = people
        self._seed = seed
        self._scenario = scenario
        self._places = scenario.places
        self._bounds: list[int] = []
        total = 0
        for place in scenario.places:
            total += place.people
            self._bounds.append(round(people * total / scenario.people))

    def citizen(self, index: int) -> Citizen:
        population = self._scenario.population
        rolls = dice(self._seed, f"person {index}")
        place = self._place(index)
        camp, head = self._camp(index), self._family_head(index)
        phone, shared_with = self._phone(index, camp, head, rolls[1])
        is_resident = rolls[2] >= population.traveller
        name = compose(rolls[4], self._rolls(f"family {head if head is not None else index}")[0], rolls[6])
        return Citizen(
            index=index,
            name=name,
            mobile=phone,
            email=_email(name, index) if rolls[7] < population.with_email else None,
            language=language_of(phone or f"person {index}", self._seed, self._scenario.rates),
            home_country=self._scenario.home_country,
            country=self._scenario.country,
            place=place.name,
            geoname_id=place.geoname_id,
            is_resident=is_resident,
            arrived_days_ago=1 + int(rolls[8] * (1_500 if is_resident else 20)),
            leaves_in_days=None if is_resident else 10 + int(rolls[9] * 40),
            people_with_me=1 + int(rolls[11] * 4) if rolls[10] < population.with_others else 0,
            source=pick(population.sources, rolls[12]),
            employer=pick(population.employers, rolls[3] if camp is None else self._rolls(f"camp {camp}")[1]),
            camp=camp,
            camp_contact=None if camp is None else self._own_phone(camp * population.camp_size),
            shared_with=shared_with,
            registers_again=rolls[13] < population.registered_twice,
        )

    def _rolls(self, subject: str) -> tuple[float, ...]:
        return dice(self._seed, subject)

    def _place(self, index: int) -> Place:
        return self._places[bisect_right(self._bounds, index)]

    def _camp(self, index: int) -> int | None:
        """Number of the camp; its first index is the foreman. Nobody's camp reaches into another place."""
        camp = index // self._scenario.population.camp_size
        camps = -(-self._people // self._scenario.population.camp_size)
        is_camp = spread(camps, camp, self._seed) < self._scenario.population.in_camp * camps
        foreman = camp * self._scenario.population.camp_size
        return camp if is_camp and self._place(foreman) is self._place(index) else None

    def _family_head(self, index: int) -> int | None:
        """Index of the relative whose phone a family uses; only heads and members of such families have one."""
        population = self._scenario.population
        head = index - index % population.family_size
        members = (population.family_size - 1) / population.family_size
        is_family = self._rolls(f"family {head}")[1] < population.family_sharing_phone / members
        return head if is_family and self._place(head) is self._place(index) else None

    def _phone(self, index: int, camp: int | None, head: int | None, roll: float) -> tuple[str | None, int | None]:
        population = self._scenario.population
        foreman = None if camp is None else camp * population.camp_size
        if index in {head, foreman}:
            return self._own_phone(index), None
        if head is not None:
            return self._own_phone(head), head
        if roll < population.no_phone:
            return None, None
        if foreman is not None and roll < population.no_phone + population.camp_phone:
            return self._own_phone(foreman), foreman
        return self._own_phone(index), None

    def _own_phone(self, index: int) -> str:
        place = self._place(index)
        population = self._scenario.population
        rolls = self._rolls(f"phone {index}")
        network = pick(population.desert_networks if place.is_desert else population.networks, rolls[0])
        return mobile(network, choose(place.digits, rolls[1]), index, self._seed)


def _email(name: str, index: int) -> str:
    """An address under a domain that is reserved for examples (RFC 2606)."""
    local = "".join(
        part for part in name.lower().replace(" ", ".") if part.isascii() and (part.isalnum() or part == ".")
    )
    return f"{local.replace('..', '.')}.{index}@example.org"
