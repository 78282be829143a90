"""What a whole text says when every one of its words is accounted for; one word left over and it says nothing.

The moves between phases are the grammar of a plain answer: greeting, subject, "safe", how many, where, thanks.
Nothing that denies, doubts, asks or tells of others has a class here, so it can never be part of a plain answer.
"""

from enum import IntFlag
from typing import Final, NamedTuple

from consular.domain.keywords.spans import Reading, Span

LONGEST_ANSWER: Final = 60


class Said(IntFlag):
    """What the words of a fully explained text have stated so far."""

    NOTHING = 0
    SAFE = 1
    NOT_THERE = 2
    NEEDS_HELP = 4


_S, _N, _H = Said.SAFE, Said.NOT_THERE, Said.NEEDS_HELP
_ = Said.NOTHING

# What may follow each phase: class -> (next phase, what it states). Phases: start; called (after a form of address);
# option (awaiting its digit); order ("reply 2", but "reply 1" may be our own words); subject (awaiting its predicate);
# settled (subject with its number or place); joined (and more after it); adverb; predicate (of a subject); alone
# (predicate without one); and; done; code (just after the digit); left (awaiting a place); back (awaiting a home
# place); gone.
_Moves = dict[str, tuple[str, Said]]
_COUNTED: Final = ("COUNT", "COUNT_GROUP", "COUNT_CHILD")
_GO: Final[_Moves] = {"NT": ("gone", _N), "NL": ("left", _), "NLH": ("back", _)}
_PLACED: Final = ("AT", "SPOT_AT", "AT_NAME", "VOC", *_COUNTED, "BARE")
_SUBJECT: Final[_Moves] = {
    "F": ("subject", _), "V": ("subject", _), "A": ("subject", _), "J": ("predicate", _S), "JA": ("predicate", _S),
    "CS": ("done", _S), "BARE": ("settled", _), "FEW": ("settled", _), "TWO": ("settled", _), "THREE": ("settled", _),
    "AT": ("settled", _), "SPOT_AT": ("settled", _), "HOME": ("gone", _N),
    **dict.fromkeys(_COUNTED, ("settled", _)), **_GO,
}  # fmt: skip
_AFTER: Final[_Moves] = {
    "F": ("done", _), "K": ("and", _), "CS": ("done", _S), "S": ("subject", _), "HOME": ("done", _N),
    "HOME_NAME": ("done", _N), **dict.fromkeys(_PLACED, ("done", _)), **_GO,
}  # fmt: skip
_FIRST: Final[_Moves] = {
    "S": ("subject", _), "ONE": ("code", _S), "TWO": ("code", _H), "THREE": ("code", _N), "O": ("option", _),
    "ORDER": ("order", _), **_GO,
}  # fmt: skip

MOVES: Final[dict[str, _Moves]] = {
    "start": {
        **_FIRST, "F": ("start", _), "A": ("adverb", _), "JA": ("alone", _S), "CS": ("done", _S),
        "COUNT": ("settled", _), "BARE": ("subject", _), "VOC": ("called", _), "AT": ("start", _),
        "SPOT_AT": ("start", _), "HOME": ("start", _),
    },
    "called": {**_FIRST, "VOC": ("called", _), "F": ("called", _)},
    "order": {"TWO": ("code", _H)},
    "option": {"ONE": ("code", _S), "TWO": ("code", _H), "THREE": ("code", _N)},
    "subject": _SUBJECT,
    "joined": {**_SUBJECT, "S": ("subject", _)},
    "settled": {
        **_SUBJECT, "S": ("subject", _), "K": ("joined", _), **dict.fromkeys(("F", "V", "A"), ("settled", _)),
    },
    "adverb": {
        "A": ("adverb", _), "JA": ("alone", _S), "CS": ("done", _S), "S": ("subject", _), "BARE": ("settled", _),
        "TWO": ("settled", _), "THREE": ("settled", _), "FEW": ("settled", _), "COUNT": ("settled", _),
        "COUNT_GROUP": ("settled", _),
    },
    "predicate": {
        **_AFTER, "J": ("predicate", _), "JA": ("predicate", _), "A": ("predicate", _), "T1": ("predicate", _),
        "T2": ("predicate", _), "ONE": ("done", _),
    },
    "alone": {
        **_AFTER, "J": ("alone", _), "JA": ("alone", _), "A": ("alone", _), "T1": ("alone", _), "ONE": ("done", _),
    },
    "and": {
        "F": ("done", _), "J": ("alone", _), "JA": ("alone", _), "A": ("adverb", _), "S": ("subject", _),
        "CS": ("done", _S), "COUNT": ("done", _), "COUNT_CHILD": ("done", _), "AT": ("done", _), "SPOT_AT": ("done", _),
        **_GO,
    },
    "done": {**_AFTER, "J": ("done", _), "JA": ("alone", _S), "A": ("adverb", _)},
    "code": {
        **_AFTER, "F": ("code", _), "J": ("done", _S), "JA": ("alone", _S), "A": ("adverb", _), "PLEASE": ("code", _H),
    },
    "left": {"AT": ("gone", _N), "AT_NAME": ("gone", _N)},
    "back": {"HOME": ("gone", _N), "HOME_NAME": ("gone", _N)},
    "gone": {
        "F": ("gone", _), "VOC": ("gone", _), "TIME": ("gone", _), "AT": ("gone", _), "K": ("and", _),
        "S": ("subject", _), "JA": ("alone", _S), "CS": ("done", _S), "COUNT": ("gone", _), "T1": ("gone", _),
        "T2": ("gone", _), **_GO,
    },
}  # fmt: skip
_ENDS: Final = frozenset({"predicate", "alone", "done", "code", "gone"})


_OF_ONE_LANGUAGE: Final = frozenset({"V", "A", "J", "JA", "T1", "T2"})
_KEEPING_LANGUAGE: Final = frozenset({"subject", "settled", "joined", "adverb", "predicate", "alone"})
_TAILS: Final = frozenset({"T1", "T2"})
_NUMBERS: Final = frozenset({*_COUNTED, "BARE", "FEW"})
_MOST_NUMBERS: Final = 2


class _State(NamedTuple):
    phase: str
    said: Said
    language: str
    numbers: tuple[tuple[str, int], ...]


class Statement(NamedTuple):
    """One meaning of a whole text, with the numbers of people it gives as (class, value)."""

    said: Said
    numbers: tuple[tuple[str, int], ...]


def plain_statements(reading: Reading) -> frozenset[Statement]:
    """Every meaning of the text as a whole; empty when any word is not accounted for. Linear in the tokens."""
    size = len(reading.tokens)
    if not 0 < size <= LONGEST_ANSWER:
        return frozenset()
    reached: list[set[_State]] = [set() for _position in range(size + 1)]
    reached[0].add(_State("start", Said.NOTHING, "", ()))
    for position in range(size):
        if reached[position]:
            for span in reading.starting[position]:
                _follow(span, reached)
    return frozenset(Statement(s.said, s.numbers) for s in reached[size] if s.phase in _ENDS and s.said)


def _follow(span: Span, reached: list[set[_State]]) -> None:
    target = reached[span.end]
    for state in reached[span.start]:
        move = MOVES[state.phase].get(span.kind)
        if move is None or _mixes_languages(span, state):
            continue
        phase, said = move
        language = span.listed if span.kind in _OF_ONE_LANGUAGE or span.kind == "S" else state.language
        numbers = _numbers(span, state, phase)
        if len(numbers) <= _MOST_NUMBERS:
            target.add(_State(phase, state.said | said, language if phase in _KEEPING_LANGUAGE else "", numbers))


def _mixes_languages(span: Span, state: _State) -> bool:
    """A subject and what is said of it stand in one language: "Anna is safe" is not Arabic "ana"."""
    if span.listed == state.language:
        return False
    if not state.language:
        return span.kind in _TAILS
    return span.kind in _OF_ONE_LANGUAGE or (span.kind in ("F", "CS") and state.phase in ("subject", "adverb"))


def _numbers(span: Span, state: _State, phase: str) -> tuple[tuple[str, int], ...]:
    is_number = span.kind in _NUMBERS or (span.kind in ("TWO", "THREE") and phase == "settled")
    return (*state.numbers, (span.kind, span.value)) if is_number and isinstance(span.value, int) else state.numbers
