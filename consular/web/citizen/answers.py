"""The page behind the link in every text: three big buttons, no sign-in, nothing about the person."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from marshmallow import ValidationError

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.errors import NotFoundError
from consular.locales import LANGUAGES
from consular.schemas.answer import AnswerForm, AnswerSchema
from consular.security.form_keys import form_keys
from consular.security.links import read_link_token
from consular.services.answers import LinkContext, answer_by_link, read_link
from consular.web.citizen import blueprint
from consular.web.forms import first_messages, form_values
from consular.web.languages import is_language_chosen, use

_PURPOSE = "answer"
_RECEIVED = {"safe": _l("I am safe"), "needs_help": _l("I need help"), "not_there": _l("I am not there")}
_TO_BE_READ = _l("Your message. An officer will read it.")
_IF_IT_CHANGES = _l("Thank you. If it changes, answer again here or by text.")
_NO_PROMISE = _l(
    "An officer will read it, but we cannot promise that somebody comes. In danger, call the local emergency number."
)
_NEXT_STEPS = {"safe": _IF_IT_CHANGES, "not_there": _IF_IT_CHANGES, "needs_help": _NO_PROMISE}


@blueprint.route("/s/<token>", methods=["GET", "POST"])
def answer(token: str) -> ResponseReturnValue:
    """Ask; record the button that was pressed; show what was received and ask whether it has changed."""
    number = read_link_token(token)
    context = None if number is None else read_link(number, utc_now())
    if number is None or context is None:
        return _no_such_link()
    if not is_language_chosen() and context.language in LANGUAGES:
        use(context.language)
    if context.has_expired:
        return _link_over(context)
    if request.method == "POST":
        return _take_answer(number, token, context)
    return _page(token, context, {}, said=context.last_answer)


def _take_answer(number: int, token: str, context: LinkContext) -> ResponseReturnValue:
    values = form_values()
    if values.get("switch") in LANGUAGES:
        return _page(token, context, values)
    try:
        form: AnswerForm = AnswerSchema().load(values)
    except ValidationError as error:
        return _page(token, context, values, errors=first_messages(error)), 422
    answer_key = form_keys.read(values.get("form_key", ""), f"{_PURPOSE} {token}")
    if answer_key is None:
        message = _("This page was open for a long time. Press your button again.")
        return _page(token, context, values, errors={"answer": message}), 422
    try:
        taken_for = answer_by_link(number, form.stated, form.count, form.note, answer_key, utc_now())
    except NotFoundError:
        return _link_over(context)
    return _page(token, context, {}, said=taken_for.value.lower(), count=form.count)


def _page(
    token: str,
    context: LinkContext,
    values: dict[str, str],
    errors: dict[str, Any] | None = None,
    said: str | None = None,
    count: int | None = None,
) -> str:
    purpose = f"{_PURPOSE} {token}"
    kept_key = values.get("form_key", "")
    return render_template(
        "citizen/answer.html",
        token=token,
        values=values,
        errors=errors or {},
        form_key=kept_key if form_keys.read(kept_key, purpose) else form_keys.issue(purpose),
        crisis_title=context.crisis_title,
        page_status=_status(context),
        received=None if said is None else _RECEIVED.get(said, _TO_BE_READ),
        received_count=ngettext("%(num)s person", "%(num)s people", count) if count else None,
        next_step=None if said is None else _NEXT_STEPS.get(said),
        switch_form="answer-form",
    )


def _status(context: LinkContext) -> AlertStatus:
    return AlertStatus.EXERCISE if context.is_exercise else AlertStatus.ACTUAL


def _no_such_link() -> ResponseReturnValue:
    explanation = _("Copy the whole link from our text message, or answer the text: 1 safe, 2 need help, 3 not there.")
    page = render_template("citizen/link_over.html", title=_("This link does not work"), explanation=explanation)
    return page, 404


def _link_over(context: LinkContext) -> ResponseReturnValue:
    page = render_template(
        "citizen/link_over.html",
        title=_("This question is closed"),
        explanation=_("We are not collecting answers to it any more. Nothing was recorded now."),
        page_status=_status(context),
    )
    return page, 410
