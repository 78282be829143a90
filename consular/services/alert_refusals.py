"""Why an act on an alert is refused, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from consular.domain.alerts import AlertState, Refusal
from consular.domain.cap import AlertStatus
from consular.domain.gateways import gateways_for
from consular.domain.rendering import clean_text
from consular.errors import ConflictError, ConsularError, InvalidInputError, NotAllowedError
from consular.locales import country_names

_SETTINGS = {
    AlertStatus.ACTUAL: "the TWILIO_*, SMPP_* or HTTP_GATEWAY_*",
    AlertStatus.EXERCISE: "the EXERCISE_GATEWAY_*",
}
_MOST_NAMED = 10
OTHER_COUNTRIES = (
    "The countries where nobody could answer are not those that the page named any more. Look at them again before you "
    "send without asking."
)


class EditedMeanwhileError(ConflictError):
    """Somebody saved this alert after the officer opened it; nothing of theirs was overwritten."""

    code = "edited_meanwhile"


class AlreadyIssuedError(ConflictError):
    """A second release of the same alert: it was issued once."""

    code = "already_issued"


def require_gateway(status: AlertStatus, gateways: Collection[str]) -> None:
    """Raise ConflictError, with what to do, unless a gateway for `status` is among the configured ones."""
    if any(name in gateways for name in gateways_for(status)):
        return
    raise ConflictError(
        f"No gateway for {status.value} alerts is set up, so nothing can be sent. Whoever runs this server must set "
        f"{_SETTINGS[status]} variables and restart; `consular check-config` says which are missing."
    )


def require_open(closed_at: datetime | None) -> None:
    """Raise ConflictError when the crisis was closed: nothing new leaves for it."""
    if closed_at is not None:
        raise ConflictError("This crisis is closed, so nothing new is sent for it: open a new one.")


def check_typed(status: AlertStatus, seen_count: int, typed_count: int | None) -> None:
    """Raise InvalidInputError (typed_count) unless an Actual release was confirmed by typing the number of people."""
    if status is AlertStatus.ACTUAL and typed_count != seen_count:
        message = f"Type the number of people this alert goes to, {seen_count:,}, to confirm."
        raise InvalidInputError(message, {"typed_count": message})


def required_note(note: str) -> str:
    """The note, cleaned. Raises InvalidInputError (note) without one."""
    note = clean_text(note)
    if not 1 <= len(note) <= 2000:
        message = "Say in a few words why, so that the author knows what to change (at most 2,000 characters)."
        raise InvalidInputError(message, {"note": message})
    return note


_SENTENCES = {
    Refusal.NO_TEXT: "The alert has no text yet: write one in at least one language.",
    Refusal.EMPTY_AUDIENCE: "Nobody on record matches this audience now: change the countries, places or radius.",
    Refusal.CONTENT_CHANGED: "The alert changed after you opened the page. Read it again before you release it.",
    Refusal.AUDIENCE_CHANGED: "The number of people changed by more than 2 % since you opened the page. "
    "Look at the new number before you release it.",
    Refusal.NO_GATEWAY: "No gateway is set up for this alert.",
    Refusal.NO_ANSWER: "Nobody with a phone of {countries} could answer: no gateway takes replies from there, and "
    "texts with a link do not get there. Choose on the alert's page to send to them without asking, write it without "
    "asking for a reply at all, or have a gateway set up that takes replies from there.",
    Refusal.LINK_LOST: "The text has an address in it, and texts with addresses do not get to phones of {countries}: "
    "no gateway is set up that carries them there. Take the address out.",
}


def refused(refusal: Refusal, state: AlertState | None = None, countries: Collection[str | None] = ()) -> ConsularError:
    """The error that tells an officer of a refusal by the rules, and what to do."""
    if refusal is Refusal.OWN_ALERT:
        return NotAllowedError("You wrote or last edited this alert: another approver must decide on it.")
    if refusal is Refusal.WRONG_STATE:
        now = f" It is now: {state.value.replace('_', ' ')}." if state else ""
        return ConflictError(f"This is not possible in the alert's present state.{now} Load the page again.")
    return ConflictError(_SENTENCES[refusal].format(countries=_named(countries)))


def phone_country(code: str | None) -> str:
    """The country of a phone in words: satellite networks have none, of some we do not know it."""
    if code is None or not code.isalpha():
        return "no country (satellite phones)" if code else "an unknown country"
    return country_names("en").get(code, code)


def _named(countries: Collection[str | None]) -> str:
    names = sorted(map(phone_country, countries))
    rest = len(names) - _MOST_NAMED
    if rest > 0:
        return f"{', '.join(names[:_MOST_NAMED])} and {rest} more countries"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
