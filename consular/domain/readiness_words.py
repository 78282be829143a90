"""What officers and commands say about readiness: where the gaps are, why, and what to do about each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from consular.domain.canaries import UNPROVEN_AFTER
from consular.domain.readiness import CountryReadiness, Path, Phones, Standing, failed_since

Name = Callable[[str], str]
"""From a country code to the country's name."""

STANDINGS = {
    Standing.NOBODY_REACHABLE: ("Nobody can be reached", "help"),
    Standing.UNPROVEN: ("Nothing proven lately", "doubt"),
    Standing.PARTLY: ("Partly ready", "doubt"),
    Standing.READY: ("Ready", "safe"),
}
"""The words of a standing, and the kind of tag they are shown in."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Some people who would not, or may not, get a text; why; what to do about it."""

    people: int
    why: str
    act: str


def gaps(one: CountryReadiness, name: Name, now: datetime, max_age: timedelta = UNPROVEN_AFTER) -> list[Gap]:
    """Everything that is missing in a country: whom nothing reaches first, then what is not proven."""
    asked = [phones for phones in one.phones if phones.people]
    lost = [gap for phones in asked if (gap := _unreached(phones, name)) is not None]
    doubtful = [gap for phones in asked if (gap := _unproven(phones, name, now, max_age)) is not None]
    return [*lost, *_by_record(one), *doubtful]


def whose(country: str, name: Name) -> str:
    """Which numbers: numbers of Libya."""
    if country == "":
        return "numbers of which we do not know the country"
    return "satellite and other numbers of no country" if country == "001" else f"numbers of {name(country)}"


def used_as(path: Path, phones: Phones) -> str:
    """What a path is to these phones: Texts go by it; Not chosen: it costs more."""
    if path is phones.way:
        return "Texts go by it" if path.takes_replies else "Texts go by it; people cannot reply to it"
    if path is phones.best:
        return f"Texts would wait here: {path.reason}"
    return f"{'In reserve' if path.is_open else 'Not used'}: {path.reason}"


def age(moment: datetime, now: datetime) -> str:
    """How long ago: under a minute, 14 min, 3 h, 2 days."""
    minutes = max(0, int((now - moment).total_seconds() // 60))
    if minutes < 1:
        return "under a minute"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def _unreached(phones: Phones, name: Name) -> Gap | None:
    if phones.way is not None:
        return None
    numbers = whose(phones.country, name)
    if phones.best is not None:
        why = f"Texts to {numbers} would wait at {phones.best.gateway}: {phones.best.reason}"
        return Gap(
            phones.people, why, "They leave by themselves when it works again; see State of the service for why."
        )
    if not phones.paths:
        act = "Whoever runs this server sets one up: `consular check-config` says what is missing."
        return Gap(phones.people, f"No real gateway is set up, so nothing goes to {numbers}", act)
    why = f"No gateway reaches {numbers} ({_reasons(phones.paths)})"
    return Gap(phones.people, why, "Set up a gateway that does, or correct Gateways by country if it can.")


def _reasons(paths: Sequence[Path]) -> str:
    return "; ".join(f"{path.gateway}: {path.reason}" for path in paths)


def _by_record(one: CountryReadiness) -> Iterator[Gap]:
    if one.no_phone:
        yield Gap(
            one.no_phone, "No phone on record", "Ask them for a number by e-mail, wardens or the public accounts."
        )
    if one.unusable_phone:
        act = "Ask for another number by e-mail, wardens or people they travel with."
        yield Gap(one.unusable_phone, "Their number is dead or belongs to somebody else now", act)
    if one.opted_out:
        act = "Only they can undo it, by START from that phone. Call or visit them instead."
        yield Gap(one.opted_out, "They sent STOP and want no texts", act)


def _unproven(phones: Phones, name: Name, now: datetime, max_age: timedelta) -> Gap | None:
    way = phones.way
    if way is None or way.is_proven(now, max_age):
        return None
    numbers, at = whose(phones.country, name), way.proof.proven_at
    last = f"last proven {age(at, now)} ago" if at is not None else "never proven"
    failed_at = failed_since(way.proof, way.test)
    if failed_at is not None:
        last += f", and its last test text failed {age(failed_at, now)} ago"
    act = (
        "Send a test text now and answer it on the handset; look at the handset if nothing comes."
        if way.has_handset
        else "Have a satellite phone of the mission put into CANARY_PHONES."
        if phones.country == "001"
        else f"Have a handset of the mission with one of the {numbers} put into CANARY_PHONES."
        if phones.country
        else "Only a real text can prove it."
    )
    return Gap(phones.people, f"Texts to {numbers} leave by {way.gateway}, {last}", act)
