"""What a citizen sees after registering: what was recorded, the number to check, what happens next."""

from __future__ import annotations

from typing import Any

from flask import render_template
from flask_babel import format_date, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from consular.domain.phone import PhoneWarning
from consular.locales import LANGUAGE_NAMES, country_name
from consular.schemas.registration import RegistrationForm, RegistrationSchema
from consular.services.registrations import RegistrationData, RegistrationResult
from consular.web.languages import current_language

_FORM_ONLY = ("form_key", "shown_in")
_DATE_PARTS = tuple(f"{name}_{part}" for name in ("from_date", "until_date") for part in ("day", "month", "year"))
_COMMAS = {"ar": "، "}
_WARNINGS = {
    PhoneWarning.NOT_VALID: _l(
        "This number looks unusual for its country. We will try it, but check it digit by digit."
    ),
    PhoneWarning.COUNTRY_ASSUMED: _l(
        "You wrote no country code, so we guessed it. Check that the number begins with the right one."
    ),
    PhoneWarning.FIXED_LINE: _l(
        "This looks like a landline, and most cannot receive texts. Give a mobile number if you have one."
    ),
    PhoneWarning.EXTENSION_DROPPED: _l("We left out the extension: texts cannot reach it."),
}


def confirmation_page(
    form: RegistrationForm, data: RegistrationData, result: RegistrationResult, values: dict[str, str]
) -> str:
    """The page; `values` go along as hidden fields, so that an answer can be changed and the language switched."""
    asked = {*RegistrationSchema._declared_fields, *_FORM_ONLY, *_DATE_PARTS}
    return render_template(
        "citizen/registered.html",
        reference=result.reference,
        phone=form.phone,
        phone_warning=_WARNINGS.get(form.phone.warning) if form.phone.warning else None,
        facts=_facts(form, data),
        answers={name: value for name, value in values.items() if name in asked},
        switch_form="registration",
        switch_name="again",
    )


def _facts(form: RegistrationForm, data: RegistrationData) -> list[tuple[str, Any]]:
    language = current_language()
    place = data.place.name if data.place else form.place
    where = Markup("<bdi>{}</bdi>{}{}").format(place, _COMMAS.get(language, ", "), country_name(form.country, language))
    others = form.people_count - 1
    facts = [
        (_("Full name"), _isolated(form.full_name)),
        (_("Mobile number"), Markup('<bdi dir="ltr">{}</bdi>').format(form.phone.international)),
        (_("E-mail address"), _isolated(form.email) if form.email else None),
        (_("Home country"), country_name(form.home_country, language)),
        (_("Where you are staying"), where),
        (_("Address, workplace or camp"), _isolated(form.address) if form.address else None),
        (_("Your stay"), _stay(form)),
        (_("People with you"), ngettext("%(num)s person", "%(num)s people", others) if others else _("Nobody")),
        (_("Language for our messages"), LANGUAGE_NAMES[form.language]),
    ]
    return [(term, description) for term, description in facts if description is not None]


def _isolated(text: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(text)


def _stay(form: RegistrationForm) -> str:
    until = "" if form.until_date is None else format_date(form.until_date, "long")
    if form.is_resident:
        return str(_("I live there"))
    if form.from_date is None:
        return str(_("Until %(day)s", day=until))
    return str(_("From %(first)s until %(last)s", first=format_date(form.from_date, "long"), last=until))
