"""What an alert would do, before anybody releases it: whom it reaches, its cost, its duration, its exact texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from consular.domain.audience import AudienceRule, rule_from_dict
from consular.domain.cap import AlertStatus
from consular.domain.gateways import gateways_for
from consular.domain.references import reference_of
from consular.domain.rendering import TextProblem, addresses_in, render_sms, text_problems
from consular.domain.routing import EVERY_WAY, Way
from consular.domain.segmentation import UCS_2, Segmentation, non_gsm_characters, segment
from consular.extensions import db
from consular.locales import LANGUAGES
from consular.queries import audience
from consular.queries.alerts import AlertView
from consular.queries.audience import AudienceCount
from consular.security.links import LINK_TOKEN_LENGTH
from consular.services.alert_ways import Line, WaysPreview, way_warnings, ways_preview
from consular.services.texts import needs_of

ENGLISH_NAMES = {"en": "English", "fr": "French", "ar": "Arabic", "hi": "Hindi"}
_MOST_PARTS = {"GSM-7": 2, "UCS-2": 3}
_SAMPLE_NUMBERS = range(1, 11)


@dataclass(frozen=True, slots=True)
class TextPreview:
    """One language's text as it will be sent one way. people, phones: those who speak it. parts: of the whole text."""

    language: str
    way: Way
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
    """What an alert would do now. texts: each language's on the way of most phones, then the same on other ways.

    blockers forbid it; warnings are for a second look. seconds: to hand over; None when no gateway is set up.
    """

    count: AudienceCount
    texts: list[TextPreview]
    variants: list[TextPreview]
    fallbacks: list[Fallback]
    samples: list[Sample]
    ways: WaysPreview
    messages: int
    total_parts: int
    seconds: float | None
    finish_at: datetime | None
    warnings: list[str]
    blockers: list[str]


def preview(alert: AlertView, now: datetime, lines: Mapping[str, Line], public_url: str) -> Preview:
    """Count the audience afresh and render every text as it will be sent. lines: the configured gateways. Reads
    only."""
    rule = rule_from_dict(alert.audience)
    count = audience.count_audience(db.session, rule, now.date(), alert.crisis.status)
    texts = _Texts(alert, public_url, count)
    needs = needs_of(
        (words.text for words in alert.words.values()),
        asks_for_reply=alert.asks_for_reply,
        accepts_no_answer_from=alert.accepts_no_answer_from,
    )
    ways = ways_preview(db.session, alert.crisis.status, needs, lines, count, texts.parts)
    has_gateway = any(name in lines for name in gateways_for(alert.crisis.status))
    first, *others = ways.ways or [EVERY_WAY]
    shown = [texts.preview(language, first) for language in texts.languages]
    seconds = ways.seconds if has_gateway else None
    return Preview(
        count=count,
        texts=shown,
        variants=[texts.preview(language, way) for way in others for language in texts.languages],
        fallbacks=[Fallback(lang, n.people) for lang, n in sorted(count.languages.items()) if lang not in alert.words],
        samples=_samples(texts, rule, now, first) if texts.default else [],
        ways=ways,
        messages=ways.phones,
        total_parts=ways.parts,
        seconds=seconds,
        finish_at=now + timedelta(seconds=seconds) if seconds is not None else None,
        warnings=_warnings(alert, shown, ways, count, public_url),
        blockers=_blockers(alert, count, ways, has_gateway=has_gateway),
    )


def render(alert: AlertView, language: str, public_url: str, number: int, way: Way = EVERY_WAY) -> str:
    """The text of an alert as message `number` would carry it, with a link of the right length that leads nowhere."""
    return render_sms(
        alert.words[language].text,
        language=language,
        is_exercise=alert.crisis.status is AlertStatus.EXERCISE,
        link=f"{public_url}/s/{'x' * LINK_TOKEN_LENGTH}",
        reference=reference_of(number),
        asks_for_reply=alert.asks_for_reply,
        way=way,
    )


def foreign_links(text: str, public_url: str) -> list[str]:
    """Addresses in an officer's text that are not on our own site, as they stand in it."""
    own = urlsplit(public_url).hostname
    found = []
    for match in addresses_in(text):
        address = match if "://" in match else f"//{match}"
        try:
            host = urlsplit(address).hostname
        except ValueError:
            host = None
        if host != own:
            found.append(match)
    return found


class _Texts:
    """The texts of one alert, each language and way rendered and cut once."""

    def __init__(self, alert: AlertView, public_url: str, count: AudienceCount) -> None:
        self.alert = alert
        self.public_url = public_url
        self.languages = [language for language in LANGUAGES if language in alert.words]
        self.default = next(iter(self.languages), None)
        self._count = count
        self._cut: dict[tuple[str, Way], tuple[str, Segmentation]] = {}

    def parts(self, language: str, way: Way) -> int:
        """Parts of the text that people who speak this language get on this way."""
        shown = language if language in self.languages else self.default
        return self._rendered(shown, way)[1].parts if shown else 0

    def preview(self, language: str, way: Way) -> TextPreview:
        """The text in a language on a way."""
        whole, cut = self._rendered(language, way)
        speakers = self._count.languages.get(language)
        return TextPreview(
            language=language,
            way=way,
            text=whole,
            encoding=cut.encoding,
            parts=cut.parts,
            units=cut.units,
            people=speakers.people if speakers else 0,
            phones=speakers.phones if speakers else 0,
            is_default=language == self.default,
        )

    def _rendered(self, language: str, way: Way) -> tuple[str, Segmentation]:
        if (language, way) not in self._cut:
            has_words = self.alert.words[language].text.strip()
            whole = render(self.alert, language, self.public_url, 1, way) if has_words else ""
            self._cut[language, way] = whole, segment(whole)
        return self._cut[language, way]


def _samples(texts: _Texts, rule: AudienceRule, now: datetime, way: Way) -> list[Sample]:
    people = audience.sample_people(db.session, rule, now.date(), len(_SAMPLE_NUMBERS))
    samples = []
    for number, person in zip(_SAMPLE_NUMBERS, people, strict=False):
        language = person.language if person.language in texts.languages else texts.default
        assert language is not None
        text = render(texts.alert, language, texts.public_url, number, way)
        samples.append(Sample(language, person.country, person.place_name, text, segment(text).parts, person.has_phone))
    return samples


def _blockers(alert: AlertView, count: AudienceCount, ways: WaysPreview, *, has_gateway: bool) -> list[str]:
    found = []
    if not alert.words:
        found.append("There is no text yet: write one in at least one language.")
    if count.people == 0:
        found.append("Nobody on record matches this audience now: change the countries, places or radius.")
    if not has_gateway:
        found.append(
            f"No gateway for {alert.crisis.status.value} alerts is set up: ask whoever runs this server to run "
            "`consular check-config`."
        )
    elif ways.refusal:
        found.append(ways.refusal)
    return found


def _warnings(
    alert: AlertView, texts: Sequence[TextPreview], ways: WaysPreview, count: AudienceCount, public_url: str
) -> list[str]:
    found = [warning for text in texts for warning in _text_warnings(alert.words[text.language].text, text, public_url)]
    found += way_warnings(ways, asks_for_reply=alert.asks_for_reply)
    if count.people and count.with_phone == 0:
        found.append("None of these people has a usable phone: no text will leave.")
    if ways.seconds > alert.validity_minutes * 60:
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
