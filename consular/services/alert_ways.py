"""By which gateway an alert's texts would leave for each country, what people there could answer, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from consular.domain.alerts import AlertRefusedError, check_ways
from consular.domain.cap import AlertStatus
from consular.domain.gateways import gateways_for
from consular.domain.routing import Choice, Needs, SenderKind, Way
from consular.queries.audience import AudienceCount
from consular.queries.routing import AnySession
from consular.services.alert_refusals import phone_country, refused
from consular.services.routing import Chooser


@dataclass(frozen=True, slots=True)
class Line:
    """A configured gateway. rate: parts per second. sender: a number, a short code, a name, or a service's id."""

    rate: float
    sender: str


@dataclass(frozen=True, slots=True)
class CountryWay:
    """How the texts of one country would go. gateway, way: None when none takes them: nobody gets a text there.

    parts: of all its texts. cost: of all of them, in `currency`; None: not known. why: of gateways that are not taken,
    and of the one that is when it stands still now. code: of the country, "" when it is unknown. people: who have these
    phones. lacks_answer: no text goes although one could, because nobody could answer it.
    """

    code: str
    country: str
    people: int
    phones: int
    gateway: str | None
    way: Way | None
    sender: SenderKind | None
    receipts_believable: bool
    parts: int
    seconds: float
    cost: Decimal | None
    currency: str | None
    is_stopped: bool
    lacks_answer: bool
    why: Mapping[str, str]

    @property
    def is_mute(self) -> bool:
        """Whether the text goes there without any way to answer it."""
        return self.way is not None and not self.way.takes_replies and not self.way.carries_links


@dataclass(frozen=True, slots=True)
class WaysPreview:
    """Most phones first. refusal: why the alert can neither be submitted nor released."""

    countries: Sequence[CountryWay]
    refusal: str | None

    @property
    def phones(self) -> int:
        """Phones that get a text."""
        return sum(one.phones for one in self.countries if one.gateway)

    @property
    def unreached(self) -> int:
        """Usable phones that no gateway reaches, whatever the alert asks."""
        return sum(one.phones for one in self.countries if not one.gateway and not one.lacks_answer)

    @property
    def lacking(self) -> list[CountryWay]:
        """Countries for which officers must choose: nobody there could answer an alert that asks."""
        return [one for one in self.countries if one.lacks_answer]

    @property
    def parts(self) -> int:
        """Parts of all texts."""
        return sum(one.parts for one in self.countries)

    @property
    def seconds(self) -> float:
        """How long handing over takes: gateways work side by side, each at its own rate."""
        spent: dict[str, float] = {}
        for one in self.countries:
            if one.gateway is not None:
                spent[one.gateway] = spent.get(one.gateway, 0.0) + one.seconds
        return max(spent.values(), default=0.0)

    @property
    def costs(self) -> dict[str, Decimal]:
        """Known costs by currency."""
        found: dict[str, Decimal] = {}
        for one in self.countries:
            if one.cost is not None and one.currency is not None:
                found[one.currency] = found.get(one.currency, Decimal(0)) + one.cost
        return found

    @property
    def parts_of_unknown_cost(self) -> int:
        """Parts whose cost is not in the table."""
        return sum(one.parts for one in self.countries if one.cost is None)

    @property
    def ways(self) -> list[Way]:
        """The ways that texts would go, that of most phones first."""
        return list(dict.fromkeys(one.way for one in self.countries if one.way is not None))


def ways_preview(
    session: AnySession,
    status: AlertStatus,
    needs: Needs,
    lines: Mapping[str, Line],
    count: AudienceCount,
    parts_of: Callable[[str, Way], int],
) -> WaysPreview:
    """What an alert with these needs would do now. parts_of: parts of the text in a language that goes a way."""
    chooser = Chooser(session, {name: line.sender for name, line in lines.items()})
    choices: dict[str | None, Choice] = {}
    found = []
    for country in dict.fromkeys(country for country, _ in count.phones_in):
        choice = choices[country] = chooser.choose(gateways_for(status), needs, country)
        speakers = {language: number for (place, language), number in count.phones_in.items() if place == country}
        one = _country(chooser, lines, country, choice, speakers, parts_of)
        found.append(replace(one, people=count.people_in.get(country, 0)))
    return WaysPreview(sorted(found, key=lambda one: (-one.phones, one.country)), _refusal(choices))


def way_warnings(ways: WaysPreview, *, asks_for_reply: bool) -> list[str]:
    """What an officer should know of the ways before releasing, in sentences."""
    found = []
    for is_meant, sentence in (
        (
            _has_no_gateway,
            "No gateway takes texts to phones of {names} ({phones} in all): nobody there gets one. Reach them "
            "otherwise.",
        ),
        (
            _stands_still,
            "The gateway for phones of {names} takes no texts now: theirs ({phones} in all) wait until it does.",
        ),
        (_cannot_reply, "Nobody with a phone of {names} can reply: their texts ask for an answer by the link only."),
        (_has_no_link, "Texts with links do not get to phones of {names}: theirs can be answered by a reply only."),
        (
            _is_mute,
            "Nobody with a phone of {names} can answer ({people} people on {phones} phones): they get the text without "
            "the question and without the link. Whether it arrived is all that will be known of them, so their silence "
            "says nothing: officers must reach them by other means.",
        ),
    ):
        meant = [one for one in ways.countries if is_meant(one)]
        if meant and (asks_for_reply or is_meant in (_has_no_gateway, _stands_still)):
            phones = sum(one.phones for one in meant)
            people = sum(one.people for one in meant)
            found.append(sentence.format(names=_names(meant), phones=f"{phones:,}", people=f"{people:,}"))
    return found


def _has_no_gateway(one: CountryWay) -> bool:
    return one.gateway is None and not one.lacks_answer


def _stands_still(one: CountryWay) -> bool:
    return one.is_stopped


def _cannot_reply(one: CountryWay) -> bool:
    return one.way is not None and not one.way.takes_replies and not one.is_mute


def _has_no_link(one: CountryWay) -> bool:
    return one.way is not None and not one.way.carries_links and not one.is_mute


def _is_mute(one: CountryWay) -> bool:
    return one.is_mute


def _names(countries: Sequence[CountryWay]) -> str:
    names = [one.country for one in countries]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _country(
    chooser: Chooser,
    lines: Mapping[str, Line],
    country: str | None,
    choice: Choice,
    speakers: Mapping[str, int],
    parts_of: Callable[[str, Way], int],
) -> CountryWay:
    name, number = phone_country(country), sum(speakers.values())
    if choice.best is None:
        lacks, why = choice.lacks_answer, choice.reasons
        return CountryWay(
            country or "", name, 0, number, None, None, None, False, 0, 0.0, None, None, False, lacks, why
        )
    capability = chooser.table.of(choice.best, country)
    parts = sum(count * parts_of(language, capability.way) for language, count in speakers.items())
    rate = min(lines[choice.best].rate, capability.rate or lines[choice.best].rate)
    return CountryWay(
        code=country or "",
        country=name,
        people=0,
        phones=number,
        gateway=choice.best,
        way=capability.way,
        sender=capability.sender_kind,
        receipts_believable=capability.receipts_believable,
        parts=parts,
        seconds=parts / rate,
        cost=None if capability.cost_cents is None else capability.cost_cents * parts / 100,
        currency=capability.currency,
        is_stopped=choice.best in choice.stopped,
        lacks_answer=False,
        why=choice.reasons,
    )


def _refusal(choices: Mapping[str | None, Choice]) -> str | None:
    try:
        check_ways(choices)
    except AlertRefusedError as error:
        return refused(error.refusal, countries=error.countries).message
    return None
