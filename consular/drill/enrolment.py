"""Getting the made-up people on record: some through the real form over HTTP, the others as lists and an older
register."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import islice

from consular.clock import utc_now
from consular.domain.phone import PhoneReading, PhoneRefused, read_phone
from consular.drill.citizens import Citizen, citizens
from consular.drill.pages import Visitor
from consular.drill.scenario import Scenario
from consular.models.people import RegistrationSource
from consular.services.places import PlaceMatch, find_place
from consular.services.registration_imports import register_many
from consular.services.registrations import RegistrationData

BATCH = 1000
VISITORS = 4
_REFERENCE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")
_BY_FORM = ("crisis_form", "relative")

Progress = Callable[[int], None]


def split(people: int, forms: int, seed: int, scenario: Scenario) -> tuple[list[Citizen], list[Citizen]]:
    """Exactly `people` persons: those that use the web form (at most `forms`), and those that come as lists.

    Two people of one name on one phone get different names, or they would be taken for one. Whoever is reported twice
    comes twice in the lists, under the same name and phone, and stays one person.
    """
    by_form: list[Citizen] = []
    listed: list[Citizen] = []
    namesakes: set[tuple[str | None, str]] = set()
    for citizen in citizens(people, seed, scenario):
        while (citizen.mobile, citizen.name) in namesakes:
            citizen = replace(citizen, name=f"{citizen.name} II")  # noqa: PLW2901
        namesakes.add((citizen.mobile, citizen.name))
        uses_form = len(by_form) < forms and citizen.source in _BY_FORM and citizen.mobile is not None
        (by_form if uses_form else listed).append(citizen)
        if citizen.registers_again and citizen.mobile is not None and not uses_form:
            listed.append(replace(citizen, is_repeat=True))
    return by_form, listed


def take_over(listed: Iterable[Citizen], run: str, progress: Progress) -> None:
    """Record people from lists in batches."""
    places: dict[int, PlaceMatch | None] = {}
    today = utc_now().date()
    for batch in _batches(listed):
        rows = [_data(citizen, run, today, places) for citizen in batch]
        progress(register_many(rows, utc_now()))


def fill_in_forms(by_form: Iterable[Citizen], web_url: str, progress: Progress) -> int:
    """Each of them opens the registration page, fills in the form and sends it; how many were not taken."""
    today = utc_now().date()

    def register(citizen: Citizen) -> bool:
        visitor = Visitor(web_url)
        visitor.open(f"/?lang={citizen.language}")
        visitor.send(visitor.form("lang="), **_answers(citizen, today))
        progress(1)
        return bool(_REFERENCE.search(visitor.html))

    with ThreadPoolExecutor(VISITORS) as pool:
        return sum(1 for taken in pool.map(register, by_form) if not taken)


def _batches(citizens: Iterable[Citizen]) -> Iterator[list[Citizen]]:
    rest = iter(citizens)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _answers(citizen: Citizen, today: date) -> dict[str, str]:
    until = citizen.stay_until(today)
    dates = (
        {"until_date_day": until.day, "until_date_month": until.month, "until_date_year": until.year} if until else {}
    )
    return {
        "full_name": citizen.name,
        "phone": citizen.mobile or "",
        "email": citizen.email or "",
        "home_country": citizen.home_country,
        "country": citizen.country,
        "place": citizen.place,
        "stay": "resident" if citizen.is_resident else "traveller",
        "people_with_me": str(citizen.people_with_me),
        "language": citizen.language,
        "consent": "yes",
        **{name: str(value) for name, value in dates.items()},
    }


def _data(citizen: Citizen, run: str, today: date, places: dict[int, PlaceMatch | None]) -> RegistrationData:
    if citizen.geoname_id not in places:
        places[citizen.geoname_id] = find_place(citizen.geoname_id, citizen.country)
    repeat = "again" if citizen.is_repeat else "first"
    return RegistrationData(
        submission_key=f"{run}-{citizen.index}-{repeat}",
        full_name=citizen.name,
        phone=_phone(citizen),
        email=citizen.email,
        home_country=citizen.home_country,
        country=citizen.country,
        place=places[citizen.geoname_id],
        place_name=citizen.place,
        address=None,
        is_resident=citizen.is_resident,
        from_date=None if citizen.is_resident else citizen.stay_from(today),
        until_date=citizen.stay_until(today),
        language=citizen.language,
        people_count=1 + citizen.people_with_me,
        consent_version="drill",
        source=RegistrationSource.IMPORT,
    )


def _phone(citizen: Citizen) -> PhoneReading | None:
    try:
        return read_phone(citizen.mobile, (citizen.country, citizen.home_country)) if citizen.mobile else None
    except PhoneRefused:
        return None
