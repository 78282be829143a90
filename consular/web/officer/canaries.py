"""Daily test texts to the mission's own handsets: what became of them, and sending one now."""

from __future__ import annotations

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from consular.clock import utc_now
from consular.domain.canaries import CanaryResult
from consular.services import canaries as service
from consular.services.canaries import Plan, Sent
from consular.web.officer import blueprint
from consular.web.officer.readiness import country

HISTORY = 200
RESULTS = {
    CanaryResult.WAITING: ("waits to be sent", ""),
    CanaryResult.UNKNOWN: ("nobody knows whether it left", "doubt"),
    CanaryResult.ACCEPTED: ("taken, nothing more", "doubt"),
    CanaryResult.DELIVERED: ("delivered", "safe"),
    CanaryResult.ANSWERED: ("answered", "safe"),
    CanaryResult.NOT_SENT: ("found no time to leave", "doubt"),
    CanaryResult.FAILED: ("failed", "help"),
}
"""A result in words, and the kind of tag it is shown in."""


@blueprint.get("/test-texts")
def canaries() -> ResponseReturnValue:
    """The last test text of each handset and gateway, then those of ninety days."""
    plan = _plan()
    return render_template(
        "officer/test_texts.html",
        plan=plan,
        latest=service.seen(),
        history=service.history(HISTORY),
        people_behind=service.people_behind(plan) if plan.phones else 0,
        results=RESULTS,
        name=country,
        now=utc_now(),
    )


@blueprint.route("/test-texts/send", methods=["GET", "POST"])
def send_canaries() -> ResponseReturnValue:
    """Ask once more, then send."""
    plan = _plan()
    if not plan.pairs:
        return redirect(url_for("officer.canaries"), 303)
    if request.method == "GET":
        return render_template("officer/test_texts_send.html", plan=plan, name=country, country_of=service.country_of)
    return _send(plan)


def _send(plan: Plan) -> ResponseReturnValue:
    for words, category in _told(service.send_now(plan, utc_now(), g.officer.id)):
        flash(words, category)
    return redirect(url_for("officer.canaries"), 303)


def _told(sent: Sent) -> list[tuple[str, str]]:
    found = []
    if sent.texts:
        found.append((f"Test texts on their way: {sent.texts}. Answer each on its handset with 1.", "message"))
    found += [
        (f"None by {gateway}: an alert is going out. Try again when it is through.", "note")
        for gateway in sent.postponed
    ]
    if sent.recent:
        found.append((f"Left out, because tested within the last ten minutes: {sent.recent}.", "note"))
    return found


def _plan() -> Plan:
    return Plan.of(current_app.config["CONSULAR"])
