"""What a scenario is: documented figures, disputed ones and labelled assumptions, all as data."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from consular.drill import scenarios
from consular.drill.behaviour import Rates
from consular.drill.dice import Shares
from consular.drill.numbers import Network


class Mark(StrEnum):
    """How far a figure can be trusted: documented, sources disagree, not found, or assumed by us for the drill."""

    DOCUMENTED = "D"
    DISPUTED = "X"
    NOT_FOUND = "N"
    ASSUMED = "A"


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the scenario with its mark and where it comes from."""

    subject: str
    value: str
    mark: Mark
    source: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where people stay. `people` is out of the scenario's `people`; name and id are GeoNames'."""

    name: str
    geoname_id: int
    people: int
    digits: tuple[int, ...]
    is_desert: bool = False
    is_eastern: bool = False


@dataclass(frozen=True, slots=True)
class Population:
    """Shares that shape the made-up people; assumptions unless a fact of the scenario says otherwise."""

    networks: Shares[Network]
    desert_networks: Shares[Network]
    sources: Shares[str]
    employers: Shares[str]
    in_camp: float
    camp_size: int
    family_sharing_phone: float
    family_size: int
    camp_phone: float
    no_phone: float
    registered_twice: float
    traveller: float
    with_others: float
    with_email: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drill: whom it concerns, how they behave, and what is known about the event it follows.

    alert_texts: an officer's words per language; how to answer is added by the product.
    """

    name: str
    title: str
    country: str
    home_country: str
    people: int
    speed: float
    places: tuple[Place, ...]
    population: Population
    rates: Rates
    alert_texts: dict[str, str]
    facts: tuple[Fact, ...]

    def rates_with_east_cut(self) -> Rates:
        """The same behaviour with the mobile network of the eastern places down for the whole drill."""
        digits = frozenset(digit for place in self.places if place.is_eastern for digit in place.digits)
        return replace(self.rates, cut_place_digits=digits)


def load(name: str) -> Scenario:
    """The scenario of that name. Raises ValueError that lists the names there are."""
    if name not in names():
        raise ValueError(f"There is no scenario {name!r}; choose from {', '.join(names())}")
    module = import_module(f"{scenarios.__name__}.{name.replace('-', '_')}")
    scenario: Scenario = module.SCENARIO
    return scenario


def names() -> list[str]:
    """The names of all scenarios."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(scenarios.__path__))


def provenance(scenario: Scenario) -> list[tuple[str, str, str]]:
    """Rows (fact, value, mark) for the report: documented first, then disputed, not found, assumed."""
    facts = (*scenario.facts, *_assumptions(scenario))
    order = list(Mark)
    return [(fact.subject, fact.value, fact.mark.value) for fact in sorted(facts, key=lambda f: order.index(f.mark))]


def _assumptions(scenario: Scenario) -> Iterable[Fact]:
    """Every rate the simulation really uses, read from where it is used, so that the report cannot drift from it."""
    population, rates = scenario.population, scenario.rates
    numbers = {
        "live in employers' camps": population.in_camp,
        "share a relative's phone": population.family_sharing_phone,
        "reached only through a camp contact's phone": population.camp_phone,
        "have no phone on record": population.no_phone,
        "registered a second time": population.registered_twice,
        "travellers, not residents": population.traveller,
        "answer by the signed link (Libyan phones)": rates.link_libyan,
        "answer by the signed link (other phones)": rates.link_elsewhere,
        "answer from another phone": rates.other_phone,
        "answer from one borrowed phone": rates.borrowed_phone,
        "say how many they are": rates.with_count,
        "inbound texts the gateway delivers twice": rates.doubled_webhook,
    }
    shares: dict[str, Shares[Any]] = {
        "phone line": rates.lines,
        "answer": rates.intents,
        "second text": rates.second_texts,
    }
    shares |= {"language": rates.languages, "registered": population.sources, "phone network": population.networks}
    for subject, share in numbers.items():
        yield Fact(subject, _percent(share), Mark.ASSUMED, "scenario")
    for title, table in shares.items():
        for value, share in table:
            yield Fact(f"{title}: {value}", _percent(share), Mark.ASSUMED, "scenario")


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
