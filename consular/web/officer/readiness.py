"""Readiness: who could be reached now, country by country, why others not, and what proves each path."""

from __future__ import annotations

from datetime import datetime

from flask import abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from consular.clock import utc_now
from consular.domain.canaries import UNPROVEN_AFTER
from consular.domain.readiness import CountryReadiness, worst_first
from consular.domain.readiness_words import STANDINGS, gaps, used_as, whose
from consular.locales import country_names
from consular.services import readiness as service
from consular.services.readiness import Means
from consular.web.officer import blueprint
from consular.web.officer.pages import outlets

PROOF_HOURS = int(UNPROVEN_AFTER.total_seconds() // 3600)


@blueprint.get("/readiness")
def readiness() -> ResponseReturnValue:
    """Every country with people, worst first; one country with ?country=LY."""
    code = request.args.get("country", "").upper()
    if "country" in request.args and not code:
        return redirect(url_for("officer.readiness"), 303)
    if code and code not in country_names("en"):
        abort(404)
    now = utc_now()
    service.refresh(now, service.STALE)
    counted = service.look(Means.of(current_app.config["CONSULAR"]), now, code or None)
    shared = {
        "now": now,
        "counted_at": counted.counted_at,
        "countries": list(country_names("en").items()),
        "standings": STANDINGS,
        "hours": PROOF_HOURS,
        "name": country,
        "accounts": service.public_accounts(outlets().publishers),
    }
    if code:
        return render_template("officer/readiness_country.html", **shared, **_one(counted.countries[0], now))
    found = worst_first(counted.countries, now, UNPROVEN_AFTER)
    return render_template("officer/readiness.html", **shared, found=found)


def country(code: str) -> str:
    """The name of a country, also of what is none."""
    return country_names("en").get(code, {"*": "Everywhere else", "001": "Satellite phones"}.get(code, code))


def _one(one: CountryReadiness, now: datetime) -> dict[str, object]:
    return {"one": one, "gaps": gaps(one, country, now), "used_as": used_as, "whose": whose}
