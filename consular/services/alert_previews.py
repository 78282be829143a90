"""What an alert would do, before anybody releases it: whom it reaches, its cost, its duration, its exact texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from consular.domain.audience import AudienceRule, rule_from_dict
from consular.domain.cap import AlertStatus
from consular.domain.references import reference_of
from consular.domain.rendering import TextProblem, render_sms, text_problems
from consular.domain.segmentation import UCS_2, Segmentation, non_gsm_characters, segment
from consular.extensions import db
from consular.locales import LANGUAGES
from consular.queries import audience
from consular.queries.alerts import AlertView
from consular.queries.audience import AudienceCount
from consular.security.links import LINK_TOKEN_LENGTH
from consular.services.alert_refusals import GATEWAYS

ENGLISH_NAMES = {"en": "English", "fr": "French", "ar": "Arabic", "hi": "Hindi"}
_MOST_PARTS = {"GSM-7": 2, "UCS-2": 3}
_SAMPLE_NUMBERS = range(1, 11)
_MAYBE_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"]+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/[^\s<>\"]*", re.IGNORECASE)
_TWO_WAY = re.compile(r"\+?[0-9]{3,15}|MG[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """The sender an alert would leave by. rate: parts per second; None when no gateway of that kind is set up."""

    rate: float | None
    sender: str
    public_url: str

    @property
    def is_one_way(self) -> bool:
        """Whether the sender is a name, which nobody can reply to."""
        return self.rate is not None and not _TWO_WAY.fullmatch(self.sender)


@dataclass(frozen=True, slots=True)
class TextPreview:
    """One language's text as it will be sent. people, phones: those who speak it. parts: of the whole text."""

    language: str
    text: str
    encoding: str
    parts: int
    units: int
    people: int
    phones: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class Fallback:
    """People in whose language there is no text: they get the default one."""

    language: str
    people: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A text to one of the people, without anything that says who it is."""

    language: str
    country: str
    place_name: str | None
    text: str
    parts: int
    has_phone: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What an alert would do now. blockers forbid it; warnings are for a second look. seconds: to hand over."""

    count: AudienceCount
    texts: list[TextPreview]
    fallbacks: list[Fallback]
    samples: list[Sample]
    messages: int
    total_parts: int
    seconds: float | None
    finish_at: datetime | None
    warnings: list[str]
    blockers: list[str]


def preview(alert: AlertView, now: datetime, sender: SenderFacts) -> Preview:
    """Count the audience afresh and render every text as it will be sent. Reads only."""
    rule = rule_from_dict(alert.audience)
    count = audience.count_audience(db.session, rule, now.date(), GATEWAYS[alert.crisis.status])
    default = next((language for language in LANGUAGES if language in alert.words), None)
    bodies = {language: alert.words[language].text for language in LANGUAGES if language in alert.words}
    texts = [_text_preview(alert, language, body, count, sender, default) for language, body in bodies.items()]
    fallbacks = [Fallback(lang, n.people) for lang, n in sorted(count.languages.items()) if lang not in bodies]
    total = _total_parts(texts, count)
    seconds = total / sender.rate if sender.rate else None
    return Preview(
        count=count,
        texts=texts,
        fallbacks=fallbacks,
        samples=_samples(alert, rule, now, sender, default) if default else [],
        messages=count.phones,
        total_parts=total,
        seconds=seconds,
        finish_at=now + timedelta(seconds=seconds) if seconds is not None else None,
        warnings=_warnings(alert, bodies, texts, count, sender, seconds),
        blockers=_blockers(alert, bodies, count, sender),
    )


def render(alert: AlertView, language: str, public_url: str, number: int) -> str:
    """The text of an alert as message `number` would carry it, with a link of the right length that leads nowhere."""
    return render_sms(
        alert.words[language].text,
        language=language,
        is_exercise=alert.crisis.status is AlertStatus.EXERCISE,
        link=f"{public_url}/s/{'x' * LINK_TOKEN_LENGTH}",
        reference=reference_of(number),
        asks_for_reply=alert.asks_for_reply,
    )


def foreign_links(text: str, public_url: str) -> list[str]:
    """Addresses in an officer's text that are not on our own site, as they stand in it."""
    own = urlsplit(public_url).hostname
    found = []
    for match in _MAYBE_LINK.findall(text):
        address = match if "://" in match else f"//{match}"
        try:
            host = urlsplit(address).hostname
        except ValueError:
            host = None
        if host != own:
            found.append(match)
    return found


def _text_preview(
    alert: AlertView, language: str, body: str, count: AudienceCount, sender: SenderFacts, default: str | None
) -> TextPreview:
    whole = render(alert, language, sender.public_url, 1) if body.strip() else ""
    cut = segment(whole)
    speakers = count.languages.get(language)
    return TextPreview(
        language=language,
        text=whole,
        encoding=cut.encoding,
        parts=cut.parts,
        units=cut.units,
        people=speakers.people if speakers else 0,
        phones=speakers.phones if speakers else 0,
        is_default=language == default,
    )


def _total_parts(texts: list[TextPreview], count: AudienceCount) -> int:
    parts = {text.language: text.parts for text in texts}
    fallback = next((text.parts for text in texts if text.is_default), 0)
    return sum(number.phones * parts.get(language, fallback) for language, number in count.languages.items())


def _samples(alert: AlertView, rule: AudienceRule, now: datetime, sender: SenderFacts, default: str) -> list[Sample]:
    people = audience.sample_people(db.session, rule, now.date(), len(_SAMPLE_NUMBERS))
    samples = []
    for number, person in zip(_SAMPLE_NUMBERS, people, strict=False):
        language = person.language if person.language in alert.words else default
        text = render(alert, language, sender.public_url, number)
        samples.append(Sample(language, person.country, person.place_name, text, segment(text).parts, person.has_phone))
    return samples


def _blockers(alert: AlertView, bodies: Mapping[str, str], count: AudienceCount, sender: SenderFacts) -> list[str]:
    found = []
    if not bodies:
        found.append("There is no text yet: write one in at least one language.")
    if count.people == 0:
        found.append("Nobody on record matches this audience now: change the countries, places or radius.")
    if sender.rate is None:
        found.append(
            f"No gateway for {alert.crisis.status.value} alerts is set up: ask whoever runs this server to run "
            "`consular check-config`."
        )
    return found


def _warnings(
    alert: AlertView,
    bodies: Mapping[str, str],
    texts: list[TextPreview],
    count: AudienceCount,
    sender: SenderFacts,
    seconds: float | None,
) -> list[str]:
    found = [warning for text in texts for warning in _text_warnings(bodies[text.language], text, sender.public_url)]
    if alert.asks_for_reply and sender.is_one_way:
        found.append(
            f"The sender {sender.sender} is a name: nobody can reply to it. Only the link in the text takes answers."
        )
    if count.people and count.with_phone == 0:
        found.append("None of these people has a usable phone: no text will leave.")
    if seconds is not None and seconds > alert.validity_minutes * 60:
        found.append(
            "Sending takes longer than the text is valid: the last people would not get it. "
            "Make the texts shorter, the audience smaller or the validity longer."
        )
    return found


def _text_warnings(body: str, text: TextPreview, public_url: str) -> list[str]:
    found, name = [], ENGLISH_NAMES[text.language]
    links = foreign_links(body, public_url)
    if links:
        found.append(f"{name}: the text has an address that is not ours ({', '.join(links)}). Is it right and safe?")
    if text.parts > _MOST_PARTS[text.encoding]:
        found.append(
            f"{name}: {text.parts} parts for each phone; shorten it to {_MOST_PARTS[text.encoding]} if you can."
        )
    unusual = non_gsm_characters(body)
    if text.encoding == UCS_2 and text.language in ("en", "fr") and unusual:
        found.append(
            f"{name}: the characters {' '.join(unusual[:10])} make each part hold 67 instead of 153 characters; "
            f"with plain ones it would be {_plain_parts(text.text)}."
        )
    problems = text_problems(body)
    if TextProblem.PLACEHOLDER in problems:
        found.append(f"{name}: a placeholder seems to be left in the text. It would be sent as it stands.")
    if TextProblem.KEPT_WORD in problems:
        found.append(
            f"{name}: the text asks for a word that networks keep for themselves (STOP, HELP, YES ...): "
            "the answer might unsubscribe the person or never reach us. Ask for 1, 2 or 3."
        )
    return found


def _plain_parts(text: str) -> str:
    plain: Segmentation = segment("".join(" " if c in non_gsm_characters(text) else c for c in text))
    return "1 part" if plain.parts == 1 else f"{plain.parts} parts"
