"""What each gateway can do in each country: the table, and administrators' changes to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import abort, current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from consular.clock import utc_now
from consular.domain.gateways import ACTUAL_GATEWAYS
from consular.domain.routing import EVERYWHERE
from consular.errors import ConflictError
from consular.extensions import db
from consular.locales import country_names
from consular.queries import capabilities as queries
from consular.queries.capabilities import CapabilityRow
from consular.queries.officers import names as names_of
from consular.schemas.capability import SATELLITE, CapabilitySchema
from consular.schemas.refusals import first_messages
from consular.services import capabilities
from consular.services.proofs import PathSeen, seen_by_row
from consular.web.officer import blueprint
from consular.web.officer.readiness import country as country_name

SENDERS = (
    ("number", "A number", "people see a telephone number and can write back, if the gateway takes replies there"),
    ("short_code", "A short code", "3 to 8 digits; works in its own country only"),
    ("alphanumeric", "A name", "such as EMBASSY; nobody can reply to it"),
    ("none", "None gets through", "operators there replace or refuse every sender of ours"),
)
LABELS = {
    "gateway": "Gateway",
    "country": "Country",
    "is_usable": "Texts may go by it",
    "sender_kind": "Sender",
    "sender_note": "Note on the sender",
    "is_two_way": "Replies",
    "allows_links": "Links",
    "receipts_believable": "Receipts",
    "rate": "Rate",
    "cost_cents": "Cost",
    "currency": "Currency",
    "source": "Source",
    "as_of": "As of",
}
_FLAGS = ("is_usable", "is_two_way", "allows_links", "receipts_believable")


@blueprint.get("/gateways")
def gateways() -> ResponseReturnValue:
    """The table, by country and by gateway."""
    wanted_gateway, wanted_country = request.args.get("gateway", ""), request.args.get("country", "").upper()
    is_unpriced = request.args.get("cost") == "unknown"
    table = [row for row in queries.all_rows(db.session) if row.gateway in ACTUAL_GATEWAYS]
    rows = _that_hold(table, wanted_gateway, wanted_country)
    if is_unpriced:
        rows = [row for row in rows if _is_unpriced(row)]
    return render_template(
        "officer/gateways.html",
        rows=sorted(rows, key=lambda row: (row.country != EVERYWHERE, country_name(row.country), row.gateway)),
        editors=names_of(db.session, {row.edited_by for row in rows if row.edited_by}),
        seen=_seen(table, wanted_country),
        usable=sum(row.is_usable for row in table),
        unpriced=sum(_is_unpriced(row) for row in table),
        is_unpriced=is_unpriced,
        gateway_choices=[(name, name) for name in ACTUAL_GATEWAYS],
        configured=[name for name in ACTUAL_GATEWAYS if name in current_app.config["CONSULAR"].gateways],
        countries=_countries(),
        senders={kind: label for kind, label, _ in SENDERS},
        name=country_name,
        takes_replies=_takes_replies,
        gateway=wanted_gateway,
        country=wanted_country,
        now=utc_now(),
    )


def _that_hold(table: Sequence[CapabilityRow], gateway: str, country: str) -> list[CapabilityRow]:
    """The rows of a gateway, or of all; and those that hold in a country, or all."""
    rows = [row for row in table if gateway in ("", row.gateway)]
    if not country:
        return rows
    own = {row.gateway for row in rows if row.country == country}
    return [row for row in rows if row.country == country or (row.country == EVERYWHERE and row.gateway not in own)]


def _is_unpriced(row: CapabilityRow) -> bool:
    return row.is_usable and row.cost_cents is None


def _seen(table: Sequence[CapabilityRow], country: str) -> dict[tuple[str, str], list[PathSeen]]:
    """What is known of the paths of each row; of the country that was asked for alone, where one was."""
    found = seen_by_row(table)
    if country in ("", EVERYWHERE):
        return found
    return {key: [one for one in paths if one.country == country] for key, paths in found.items()}


@blueprint.route("/gateways/new", methods=["GET", "POST"])
def add_gateway_row() -> ResponseReturnValue:
    """The form for a row that is not there yet."""
    if request.method == "GET":
        known = {name: request.args.get(name, "") for name in ("gateway", "country")}
        return _form(MultiDict(known), {}, None)
    return _save(None)


@blueprint.route("/gateways/<gateway>/<country>", methods=["GET", "POST"])
def edit_gateway_row(gateway: str, country: str) -> ResponseReturnValue:
    """The form for a row that is there."""
    row = _row(gateway, country)
    if request.method == "GET":
        return _form(_values(row), {}, row)
    return _save(row)


@blueprint.route("/gateways/<gateway>/<country>/remove", methods=["GET", "POST"])
def remove_gateway_row(gateway: str, country: str) -> ResponseReturnValue:
    """Ask once more, then remove."""
    row = _row(gateway, country)
    if request.method == "GET":
        return render_template("officer/gateway_remove.html", row=row, name=country_name, conflict=None)
    try:
        capabilities.remove(gateway, country, request.form.get("seen", 0, int), g.officer.id, utc_now())
    except ConflictError as error:
        row = _row(gateway, country)
        page = render_template("officer/gateway_remove.html", row=row, name=country_name, conflict=error.message)
        return page, 409
    flash(f"The row for {gateway} in {country_name(country)} is removed.")
    return redirect(url_for("officer.gateways"), 303)


def _save(row: CapabilityRow | None) -> ResponseReturnValue:
    posted = request.form.to_dict()
    if row is not None:
        posted |= {"gateway": row.gateway, "country": row.country}
    try:
        form = CapabilitySchema().load(posted)
        capabilities.save(form.gateway, form.country, form.facts, form.seen, g.officer.id, utc_now())
    except ValidationError as error:
        return _form(MultiDict(posted), first_messages(error), row), 422
    except ConflictError as error:
        return _conflict(row, posted, error.message), 409
    flash(f"{form.gateway} in {country_name(form.country)} is saved. Alerts are routed by it from now on.")
    return redirect(url_for("officer.gateways", country=form.country), 303)


def _conflict(row: CapabilityRow | None, posted: dict[str, Any], message: str) -> str:
    """Somebody was faster: their row is shown, so that nothing of it is overwritten unseen."""
    if row is None:
        return _form(MultiDict(posted), {"country": message}, None)
    now = _row(posted["gateway"], posted["country"])
    return _form(_values(now), {"": message}, now)


def _form(values: MultiDict[str, str], errors: dict[str, str], row: CapabilityRow | None) -> str:
    return render_template(
        "officer/gateway_form.html",
        values=values,
        errors={name: errors[name] for name in ("", *LABELS) if name in errors},
        labels=LABELS,
        row=row,
        gateway_choices=[(name, name) for name in ACTUAL_GATEWAYS],
        countries=_countries(),
        senders=SENDERS,
        name=country_name,
    )


def _values(row: CapabilityRow) -> MultiDict[str, str]:
    as_of: date = row.as_of
    return MultiDict(
        {
            **{name: "yes" if getattr(row, name) else "no" for name in _FLAGS},
            "gateway": row.gateway,
            "country": row.country,
            "sender_kind": row.sender_kind.value,
            "sender_note": row.sender_note or "",
            "rate": f"{row.rate:g}" if row.rate is not None else "",
            "cost_cents": f"{row.cost_cents.normalize():f}" if row.cost_cents is not None else "",
            "currency": row.currency or "",
            "source": row.source,
            "as_of_day": str(as_of.day),
            "as_of_month": str(as_of.month),
            "as_of_year": str(as_of.year),
            "seen": str(row.revision),
        }
    )


def _takes_replies(row: CapabilityRow) -> bool:
    """Whether people can reply to the sender that is configured: nobody can to a name."""
    gateway = current_app.config["CONSULAR"].gateways.get(row.gateway)
    return bool(row.capability.sent_from(gateway.sender if gateway is not None else "").is_two_way)


def _row(gateway: str, country: str) -> CapabilityRow:
    if gateway not in ACTUAL_GATEWAYS or not country.isprintable():
        abort(404)
    return queries.find(db.session, gateway, country) or abort(404)


def _countries() -> list[tuple[str, str]]:
    return [(EVERYWHERE, "Everywhere else"), (SATELLITE, "Satellite phones"), *country_names("en").items()]
