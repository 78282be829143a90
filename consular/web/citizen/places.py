"""Which place a citizen means: taken when there is no doubt, asked when there is, kept as written when they say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _

from consular.locales import country_name
from consular.schemas.registration import RegistrationForm
from consular.services import places
from consular.services.places import PlaceMatch
from consular.web.languages import current_language

AS_WRITTEN = "as_written"


@dataclass(frozen=True, slots=True)
class PlaceQuestion:
    """Choices to show under the place. asked: country and text that they belong to."""

    asked: str
    legend: str
    choices: list[tuple[str, str, str]]
    message: str


def resolve(country: str, place: str, choice: str, asked: str) -> PlaceMatch | PlaceQuestion | None:
    """The place, a question which one it is, or None when the citizen keeps what they wrote."""
    subject = f"{country} {place}"
    if choice and asked == subject:
        if choice == AS_WRITTEN:
            return None
        chosen = places.find_place(int(choice), country) if choice.isascii() and choice.isdigit() else None
        if chosen is not None:
            return chosen
    search = places.search_places(country, place)
    return search.certain or _question(subject, country, search.candidates)


def resolve_form(form: RegistrationForm) -> PlaceMatch | PlaceQuestion | None:
    """resolve() of a checked form."""
    return resolve(form.country, form.place, form.place_choice, form.place_asked)


def _question(asked: str, country: str, candidates: list[PlaceMatch]) -> PlaceQuestion:
    names = {"country": country_name(country, current_language())}
    choices = [(str(match.id), match.name, _hint(match)) for match in candidates]
    choices.append((AS_WRITTEN, _("None of these: keep what I wrote") if candidates else _("Keep what I wrote"), ""))
    if candidates:
        message = _("Choose the place you mean.")
        legend = _("Which place in %(country)s do you mean?", **names)
    else:
        message = _("We do not know this place. Write the nearest town, or choose to keep what you wrote.")
        legend = _("We do not know this place in %(country)s", **names)
    return PlaceQuestion(asked, legend, choices, message)


def _hint(match: PlaceMatch) -> str:
    parts: list[Any] = []
    if match.near is not None:
        town, kilometres = match.near
        parts.append(_("%(distance)s km from %(town)s", distance=format_decimal(kilometres), town=town))
    if match.population:
        parts.append(_("%(number)s people live there", number=format_decimal(match.population)))
    return " · ".join(parts) or f"{match.latitude:.2f}, {match.longitude:.2f}"
