"""The registration form: one page there and back, the answers in the form and nowhere else.

The confirmation is the answer to the form itself, not a page with an address of its own: no address shows anybody's
data. Sending it again is harmless, because the form key in it stands for one record.
"""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from marshmallow import ValidationError

from consular.clock import utc_now
from consular.locales import LANGUAGE_NAMES, LANGUAGES, country_names
from consular.schemas.registration import CONSENT_VERSION, RegistrationForm, RegistrationSchema
from consular.security.form_keys import form_keys
from consular.services import registrations
from consular.services.places import PlaceMatch
from consular.services.registrations import RegistrationData
from consular.web.citizen import blueprint
from consular.web.citizen.confirmation import confirmation_page
from consular.web.citizen.places import PlaceQuestion, resolve, resolve_form
from consular.web.forms import first_messages, form_values
from consular.web.languages import current_language

_PURPOSE = "registration"


@blueprint.route("/", methods=["GET", "POST"])
@blueprint.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Show the form; take it; show what was recorded, or what is missing with every answer kept."""
    if request.method != "POST":
        return _empty_form()
    values = form_values()
    submission_key = form_keys.read(values.get("form_key", ""), _PURPOSE)
    if values.get("switch") in LANGUAGES:
        return _form_page(_follow_language(values))
    if "change" in values:
        return _form_page(values)
    form, errors, question = _check(values)
    if submission_key is None and not errors:
        errors = {"": _("This form was open for a long time. Check your answers and send it again.")}
    if form is None or submission_key is None or errors or isinstance(question, PlaceQuestion):
        return _form_page(values, errors, question if isinstance(question, PlaceQuestion) else None)
    data = _data(form, question, submission_key)
    result = registrations.register(data, utc_now())
    return confirmation_page(form, data, result, values)


def _check(values: dict[str, str]) -> tuple[RegistrationForm | None, dict[str, Any], PlaceMatch | PlaceQuestion | None]:
    """The checked form, a sentence per wrong field, and the place or the question which one is meant."""
    form: RegistrationForm | None = None
    errors: dict[str, Any] = {}
    try:
        form = RegistrationSchema(today=utc_now().date()).load(values)
        found = resolve_form(form)
    except ValidationError as error:
        errors = first_messages(error)
        found = _place_despite_errors(values, errors)
    if isinstance(found, PlaceQuestion):
        errors["place_choice"] = found.message
    return form, errors, found


def _place_despite_errors(values: dict[str, str], errors: dict[str, Any]) -> PlaceMatch | PlaceQuestion | None:
    if errors.keys() & {"country", "place", "place_choice", "place_asked"}:
        return None
    return resolve(values["country"], values["place"], values.get("place_choice", ""), values.get("place_asked", ""))


def _data(form: RegistrationForm, place: PlaceMatch | None, submission_key: str) -> RegistrationData:
    return RegistrationData(
        submission_key=submission_key,
        full_name=form.full_name,
        phone=form.phone,
        email=form.email,
        home_country=form.home_country,
        country=form.country,
        place=place,
        place_name=None if place else form.place,
        address=form.address,
        is_resident=form.is_resident,
        from_date=form.from_date,
        until_date=form.until_date,
        language=form.language,
        people_count=form.people_count,
        consent_version=CONSENT_VERSION,
    )


def _empty_form() -> Response:
    """Without personal data, so the browser may keep it: "back" then shows the same form with the same key."""
    response = make_response(_form_page({"language": current_language()})[0])
    response.cache_control.private = True
    response.cache_control.no_cache = True
    return response


def _follow_language(values: dict[str, str]) -> dict[str, str]:
    """Messages come in the page's language until somebody chooses another."""
    follows = values.get("language") == values.get("shown_in")
    return values | ({"language": current_language()} if follows else {})


def _form_page(
    values: dict[str, str], errors: dict[str, Any] | None = None, question: PlaceQuestion | None = None
) -> tuple[str, int]:
    kept_key = values.get("form_key", "")
    page = render_template(
        "citizen/register.html",
        values=values,
        errors=_in_order(errors or {}),
        question=question,
        countries=list(country_names(current_language()).items()),
        languages=list(LANGUAGE_NAMES.items()),
        form_key=kept_key if form_keys.read(kept_key, _PURPOSE) else form_keys.issue(_PURPOSE),
        switch_form="registration",
    )
    return page, 422 if errors else 200


def _in_order(errors: dict[str, Any]) -> dict[str, Any]:
    """As the fields stand on the page."""
    order = list(RegistrationSchema(today=utc_now().date()).fields)
    return dict(sorted(errors.items(), key=lambda item: order.index(item[0]) if item[0] in order else -1))
