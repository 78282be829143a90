"""What one phone does when an alert reaches it, worked out from (seed, phone) alone.

The drill registers people in one process and the simulator plays them in another: both ask here and agree, whatever the
order in which messages arrive. A phone that several people share behaves once.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import log

from consular.drill.dice import Shares, dice, pick
from consular.drill.numbers import is_libyan, place_digit


class Line(StrEnum):
    """What the network does with a text to this phone."""

    REACHED = "reached"
    NO_RECEIPT = "no_receipt"
    INVALID = "invalid"
    NOT_MOBILE = "not_mobile"
    UNKNOWN_NUMBER = "unknown_number"
    UNREACHABLE = "unreachable"
    LANDLINE = "landline"
    UNEXPLAINED = "unexplained"


class Intent(StrEnum):
    """What the holder means to say, whatever words they find; the truth the drill scores against."""

    SAFE = "safe"
    NEEDS_HELP = "needs_help"
    NOT_THERE = "not_there"
    UNCLEAR = "unclear"
    WRONG_PERSON = "wrong_person"
    OPT_OUT = "opt_out"
    NO_ANSWER = "no_answer"


class AnswerPath(StrEnum):
    """How the answer comes back."""

    OWN_PHONE = "own_phone"
    LINK = "link"
    OTHER_PHONE = "other_phone"
    BORROWED_PHONE = "borrowed_phone"


class SecondText(StrEnum):
    """Whether a second text follows the first."""

    NONE = "none"
    REPEAT = "repeat"
    CORRECTION = "correction"


HEARD = frozenset({Line.REACHED, Line.NO_RECEIPT})
ANSWERED_BY_LINK = frozenset({Intent.SAFE, Intent.NEEDS_HELP, Intent.NOT_THERE})


@dataclass(frozen=True, slots=True)
class Rates:
    """The shares behind the behaviour; all are assumptions of a scenario. Delays in seconds of the real world."""

    lines: Shares[Line]
    intents: Shares[Intent]
    languages: Shares[str]
    second_texts: Shares[SecondText]
    link_libyan: float = 0.0
    link_elsewhere: float = 0.0
    other_phone: float = 0.0
    borrowed_phone: float = 0.0
    with_count: float = 0.0
    doubled_webhook: float = 0.0
    reply_delay_scale: float = 600.0
    reply_delay_least: float = 30.0
    reply_delay_most: float = 10_800.0
    cut_place_digits: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One phone's part in the drill. `count` is how many people the answer speaks for, None when it says nothing."""

    phone: str
    language: str
    line: Line
    intent: Intent
    path: AnswerPath
    second: SecondText
    reply_delay_seconds: float
    count: int | None
    is_webhook_doubled: bool
    wording: float

    @property
    def is_heard(self) -> bool:
        """Whether the holder sees the text at all."""
        return self.line in HEARD

    @property
    def meant(self) -> Intent:
        """What the holder has said once all their texts are in; NO_ANSWER when the text never reached them."""
        if not self.is_heard:
            return Intent.NO_ANSWER
        return Intent.NEEDS_HELP if self.second is SecondText.CORRECTION else self.intent


def behaviour(phone: str, seed: int, rates: Rates) -> Behaviour:
    """The behaviour of one phone, the same for the same arguments in every process."""
    rolls = dice(seed, phone)
    line = _line(phone, rolls[0], rates)
    intent = pick(rates.intents, rolls[1])
    path = _path(phone, intent, rolls[3], rates)
    return Behaviour(
        phone=phone,
        language=pick(rates.languages, rolls[2]),
        line=line,
        intent=intent,
        path=path,
        second=_second(intent, path, rolls[4], rates),
        reply_delay_seconds=_delay(rolls[5], rates),
        count=_count(intent, rolls[6], rolls[7], rates),
        is_webhook_doubled=rolls[8] < rates.doubled_webhook,
        wording=rolls[9],
    )


def language_of(phone: str, seed: int, rates: Rates) -> str:
    """The language the holder of a phone reads and answers in."""
    return pick(rates.languages, dice(seed, phone)[2])


def _line(phone: str, roll: float, rates: Rates) -> Line:
    line = pick(rates.lines, roll)
    is_cut = place_digit(phone) in rates.cut_place_digits
    return Line.UNREACHABLE if is_cut and line in HEARD else line


def _path(phone: str, intent: Intent, roll: float, rates: Rates) -> AnswerPath:
    if intent not in ANSWERED_BY_LINK:
        return AnswerPath.OWN_PHONE
    link = rates.link_libyan if is_libyan(phone) else rates.link_elsewhere
    paths = (
        (AnswerPath.BORROWED_PHONE, rates.borrowed_phone),
        (AnswerPath.OTHER_PHONE, rates.other_phone),
        (AnswerPath.LINK, link),
        (AnswerPath.OWN_PHONE, 1.0),
    )
    return pick(paths, roll)


def _second(intent: Intent, path: AnswerPath, roll: float, rates: Rates) -> SecondText:
    if intent not in ANSWERED_BY_LINK or path is not AnswerPath.OWN_PHONE:
        return SecondText.NONE
    second = pick(rates.second_texts, roll)
    return SecondText.REPEAT if second is SecondText.CORRECTION and intent is not Intent.SAFE else second


def _delay(roll: float, rates: Rates) -> float:
    """Most answer within minutes, some after hours: a stretched exponential, cut at the longest delay."""
    delay = rates.reply_delay_least + rates.reply_delay_scale * (-log(1.0 - roll)) ** 1.6
    return float(min(delay, rates.reply_delay_most))


def _count(intent: Intent, roll: float, size: float, rates: Rates) -> int | None:
    if intent not in {Intent.SAFE, Intent.NEEDS_HELP} or roll >= rates.with_count:
        return None
    return 2 + int(size * size * 6)
