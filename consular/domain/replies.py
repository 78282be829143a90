"""What a person's reply to an alert says: safe, needs help, not there, stop, start, wrong person, or unclear.

Two rules of opposite temper. A call for help is looked for anywhere in the text and heard in any spelling. "Safe" and
"not there" are believed only when every word of the text is accounted for by a plain answer (keywords.grammar): a
denial, a doubt, a question, another person's name or one unknown word and the text goes to a human as UNCLEAR.
Silence and thanks are never an answer. Bump CLASSIFIER_VERSION with every change of rules or words, so that old
replies can be read again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from consular.domain.keywords.echoes import is_automatic, is_echo
from consular.domain.keywords.folding import Folded, fold
from consular.domain.keywords.grammar import Said, plain_statements
from consular.domain.keywords.lexicon import lexicon
from consular.domain.keywords.needs import calls_for_help, only_faint
from consular.domain.keywords.spans import Reading, Span, read

CLASSIFIER_VERSION: Final = "2026.2"

_EXACT_LENGTH: Final = 40
_WRONG_PERSON_WORDS: Final = 14
_CONTRADICTION: Final = -1


class ReplyKind(StrEnum):
    """One kind for each reply; UNCLEAR and NEEDS_HELP go to an officer."""

    SAFE = "SAFE"
    NEEDS_HELP = "NEEDS_HELP"
    NOT_THERE = "NOT_THERE"
    OPT_OUT = "OPT_OUT"
    OPT_IN = "OPT_IN"
    WRONG_PERSON = "WRONG_PERSON"
    UNCLEAR = "UNCLEAR"


_KINDS: Final = {
    Said.SAFE: ReplyKind.SAFE,
    Said.NOT_THERE: ReplyKind.NOT_THERE,
    Said.NEEDS_HELP: ReplyKind.NEEDS_HELP,
}
_WORDS: Final = {
    Said.SAFE: ("J", "JA", "CS", "ONE"),
    Said.NOT_THERE: ("NT", "NL", "NLH", "THREE"),
    Said.NEEDS_HELP: ("TWO",),
}


@dataclass(frozen=True, slots=True)
class Classification:
    """`count` is the size of the household when the text gives one; `matched` holds words of our own lists only."""

    kind: ReplyKind
    count: int | None = None
    matched: tuple[str, ...] = ()


def classify(text: str, language: str | None, *, crisis_country: str | None = None) -> Classification:
    """Read one reply. Pure, linear in the text, never raises for any str.

    `language` (a code such as "hi") only decides words that mean different things in different languages: "do" is two
    in Hindi. `crisis_country` (ISO 3166 alpha-2), where known, decides which places are out of the crisis.
    """
    folded = fold(text)
    if not folded.tokens:
        return Classification(ReplyKind.UNCLEAR)
    exact = _whole_message(text, folded, language)
    if exact is not None:
        return exact
    reading = read(folded, lexicon(), crisis_country)
    return _stated_need(reading) or _plain_answer(reading, folded) or _wrong_person(reading) or _unclear()


def _unclear(matched: tuple[str, ...] = ()) -> Classification:
    return Classification(ReplyKind.UNCLEAR, None, matched)


def _whole_message(text: str, folded: Folded, language: str | None) -> Classification | None:
    """Stop and start count only as the whole message: "stop bombing us" is not a wish to hear no more."""
    if len(text) > _EXACT_LENGTH or folded.is_doubtful or text.count("!") > 1:
        return None
    section = lexicon().whole.get(folded.tokens)
    if section is not None:
        return Classification(ReplyKind(section), None, (" ".join(folded.tokens),))
    return _spelt_digit(folded, language) or _help_and_number(folded)


_SPELT: Final[dict[str, dict[str, int]]] = {
    "en": {"one": 1, "two": 2, "three": 3},
    "fr": {"un": 1, "deux": 2, "trois": 3},
    "ar": {"واحد": 1, "اثنان": 2, "اثنين": 2, "اتنين": 2, "ثلاثه": 3, "تلاته": 3},
    "hi": {"एक": 1, "दो": 2, "तिन": 3, "ek": 1, "do": 2, "ten": 3, "tin": 3},
}
_DIGIT_KINDS: Final = {1: ReplyKind.SAFE, 2: ReplyKind.NEEDS_HELP, 3: ReplyKind.NOT_THERE}


def _spelt_digit(folded: Folded, language: str | None) -> Classification | None:
    if len(folded.tokens) != 1:
        return None
    code = (language or "").split("-")[0].split("_")[0].lower()
    digit = _SPELT.get(code, {}).get(folded.tokens[0])
    return None if digit is None else Classification(_DIGIT_KINDS[digit], None, folded.tokens)


def _help_and_number(folded: Folded) -> Classification | None:
    """ "2 3" may be a call for help of three people or two answers at once; either way somebody must look at it now."""
    if len(folded.tokens) != 2 or folded.tokens[0] != "2" or not folded.tokens[1].isdecimal():
        return None
    count = int(folded.tokens[1][:4])
    return Classification(ReplyKind.NEEDS_HELP, count if 1 <= count <= 500 else None, folded.tokens[:1])


def _stated_need(reading: Reading) -> Classification | None:
    """NEEDS_HELP for any call for help; UNCLEAR for the alert echoed back and for texts that machines send."""
    found = calls_for_help(reading)
    echo = is_echo(reading)
    if echo is not None:
        found = [span for span in found if span.end <= echo.start or span.start >= echo.end]
        if not found or only_faint(reading, found):
            return _unclear(("echo",))
    if is_automatic(reading) and (not found or only_faint(reading, found)):
        return _unclear(("automatic",))
    if not found:
        return None
    return Classification(ReplyKind.NEEDS_HELP, _first_count(reading), _matched(reading, found))


def _plain_answer(reading: Reading, folded: Folded) -> Classification | None:
    if folded.is_doubtful:
        return None
    statements = plain_statements(reading)
    if not statements:
        return None
    said = _agreed({statement.said for statement in statements})
    counts = {_household(statement.numbers) for statement in statements}
    count = counts.pop() if len(counts) == 1 else None
    if said is None or count == _CONTRADICTION:
        return _unclear()
    return Classification(_KINDS[said], count, _matched(reading, reading.of(*_WORDS[said])))


def _agreed(meanings: set[Said]) -> Said | None:
    """The one meaning of a text; "we reached India safely" says safe by the way, but safe and gone stay unclear."""
    if meanings == {Said.NOT_THERE, Said.NOT_THERE | Said.SAFE}:
        return Said.NOT_THERE
    (first, *others) = meanings
    return first if not others and first in _KINDS else None


def _household(numbers: tuple[tuple[str, int], ...]) -> int | None:
    """Adults and children are added; any other two numbers contradict each other."""
    if not numbers:
        return None
    if len(numbers) == 1:
        return numbers[0][1]
    kinds = {kind for kind, _value in numbers}
    return sum(value for _kind, value in numbers) if kinds == {"COUNT", "COUNT_CHILD"} else _CONTRADICTION


def _longest(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _first_count(reading: Reading) -> int | None:
    counts = _longest(reading.of("COUNT", "COUNT_GROUP", "COUNT_CHILD"))
    value = counts[0].value if counts else None
    return value if isinstance(value, int) else None


def _wrong_person(reading: Reading) -> Classification | None:
    if len(reading.tokens) > _WRONG_PERSON_WORDS or reading.of("JA", "CS", "ONE", "TWO", "THREE"):
        return None
    spans = [s for s in _longest(reading.of("WRONG")) if not _is_denied(reading, s)]
    return Classification(ReplyKind.WRONG_PERSON, None, _matched(reading, spans)) if spans else None


def _is_denied(reading: Reading, span: Span) -> bool:
    return span.start > 0 and any(s.kind == "NEG" for s in reading.starting[span.start - 1])


def _matched(reading: Reading, spans: list[Span]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_label(reading, span) for span in _longest(spans)))[:8]


def _label(reading: Reading, span: Span) -> str:
    return span.value if isinstance(span.value, str) else reading.words(span)
