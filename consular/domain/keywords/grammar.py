"""What a whole text says when every one of its words is accounted for; one word left over and it says nothing.

The moves between phases are the grammar of a plain answer: greeting, subject, "safe", how many, where, thanks.
Nothing that denies, doubts, asks or tells of others has a class here, so it can never be part of a plain answer.
"""

from enum import IntFlag
from typing import Final

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

# phases: start, subject (awaiting its predicate), adverb, predicate after a subject, predicate alone, and, done,
# option (awaiting its digit), code (just after the digit), left (awaiting a place), back (awaiting a home place)
MOVES: Final[dict[str, dict[str, tuple[str, Said]]]] = {
    "start": {
        "F": ("start", _), "S": ("subject", _), "A": ("adverb", _), "JA": ("alone", _S), "CS": ("done", _S),
        "COUNT": ("subject", _), "BARE": ("subject", _), "O": ("option", _), "VOC": ("called", _), "SPOT_AT": ("start", _),
        "ONE": ("code", _S), "TWO": ("code", _H), "THREE": ("code", _N), "AT": ("start", _), "HOME": ("start", _),
        "NL": ("left", _), "NLH": ("back", _), "NT": ("gone", _N),
    },
    "called": {
        "VOC": ("called", _), "F": ("called", _), "S": ("subject", _), "ONE": ("code", _S), "TWO": ("code", _H),
        "THREE": ("code", _N), "O": ("option", _), "NL": ("left", _), "NLH": ("back", _), "NT": ("gone", _N),
    },
    "option": {"ONE": ("code", _S), "TWO": ("code", _H), "THREE": ("code", _N)},
    "subject": {
        "F": ("subject", _), "V": ("subject", _), "A": ("subject", _), "J": ("predicate", _S), "JA": ("predicate", _S),
        "CS": ("done", _S), "COUNT": ("subject", _), "COUNT_GROUP": ("subject", _), "COUNT_CHILD": ("subject", _), "BARE": ("subject", _),
        "FEW": ("subject", _), "TWO": ("subject", _), "THREE": ("subject", _), "AT": ("subject", _), "SPOT_AT": ("subject", _),
        "HOME": ("gone", _N), "NL": ("left", _), "NLH": ("back", _), "NT": ("gone", _N),
    },
    "adverb": {
        "A": ("adverb", _), "J": ("alone", _S), "JA": ("alone", _S), "S": ("subject", _), "BARE": ("subject", _),
        "TWO": ("subject", _), "THREE": ("subject", _), "FEW": ("subject", _), "COUNT": ("subject", _), "COUNT_GROUP": ("subject", _),
    },
    "predicate": {
        "F": ("done", _), "J": ("predicate", _), "JA": ("predicate", _), "A": ("predicate", _), "T1": ("predicate", _),
        "T2": ("predicate", _), "K": ("and", _), "CS": ("done", _S), "S": ("subject", _), "COUNT": ("done", _),
        "COUNT_GROUP": ("done", _), "COUNT_CHILD": ("done", _), "BARE": ("done", _), "ONE": ("done", _), "AT": ("done", _), "SPOT_AT": ("done", _), "VOC": ("done", _), "HOME": ("done", _N),
        "NT": ("gone", _N), "NL": ("left", _), "NLH": ("back", _),
    },
    "alone": {
        "F": ("done", _), "J": ("alone", _), "JA": ("alone", _), "A": ("alone", _), "T1": ("alone", _), "K": ("and", _),
        "CS": ("done", _S), "S": ("subject", _), "COUNT": ("done", _), "COUNT_GROUP": ("done", _), "COUNT_CHILD": ("done", _), "BARE": ("done", _),
        "ONE": ("done", _), "AT": ("done", _), "SPOT_AT": ("done", _), "VOC": ("done", _), "HOME": ("done", _N), "NT": ("gone", _N), "NL": ("left", _),
        "NLH": ("back", _),
    },
    "and": {
        "F": ("done", _), "J": ("alone", _), "JA": ("alone", _), "A": ("adverb", _), "S": ("subject", _),
        "CS": ("done", _S), "COUNT": ("done", _), "COUNT_GROUP": ("done", _), "COUNT_CHILD": ("done", _), "NT": ("gone", _N), "NL": ("left", _),
        "NLH": ("back", _),
    },
    "done": {
        "F": ("done", _), "J": ("done", _), "JA": ("alone", _S), "CS": ("done", _S), "S": ("subject", _),
        "K": ("and", _), "A": ("adverb", _), "COUNT": ("done", _), "COUNT_GROUP": ("done", _), "COUNT_CHILD": ("done", _), "BARE": ("done", _),
        "AT": ("done", _), "SPOT_AT": ("done", _), "VOC": ("done", _), "HOME": ("done", _N), "NT": ("gone", _N), "NL": ("left", _), "NLH": ("back", _),
    },
    "code": {
        "F": ("code", _), "J": ("done", _S), "JA": ("alone", _S), "CS": ("done", _S), "S": ("subject", _),
        "A": ("adverb", _), "COUNT": ("done", _), "COUNT_GROUP": ("done", _), "COUNT_CHILD": ("done", _), "BARE": ("done", _), "AT": ("done", _), "SPOT_AT": ("done", _), "VOC": ("done", _),
        "HOME": ("done", _N), "NT": ("gone", _N), "NL": ("left", _), "NLH": ("back", _), "K": ("and", _),
    },
    "left": {"AT": ("gone", _N)},
    "back": {"HOME": ("gone", _N)},
    "gone": {
        "F": ("gone", _), "VOC": ("gone", _), "TIME": ("gone", _), "AT": ("gone", _), "K": ("and", _), "NT": ("gone", _),
        "NL": ("left", _), "NLH": ("back", _), "S": ("subject", _), "JA": ("alone", _S), "CS": ("done", _S),
        "COUNT": ("gone", _), "T1": ("gone", _), "T2": ("gone", _),
    },
}  # fmt: skip
_ENDS: Final = frozenset({"predicate", "alone", "done", "code", "gone"})


_OF_ONE_LANGUAGE: Final = frozenset({"V", "A", "J", "JA", "T1", "T2"})
_KEEPING_LANGUAGE: Final = frozenset({"subject", "adverb", "predicate"})
_State = tuple[str, Said, str]


def plain_statements(reading: Reading) -> frozenset[Said]:
    """Every meaning of the text as a whole; empty when any word is not accounted for. Linear in the tokens."""
    size = len(reading.tokens)
    if not 0 < size <= LONGEST_ANSWER:
        return frozenset()
    reached: list[set[_State]] = [set() for _position in range(size + 1)]
    reached[0].add(("start", Said.NOTHING, ""))
    for position in range(size):
        if reached[position]:
            for span in reading.starting[position]:
                _follow(span, reached)
    return frozenset(said for phase, said, _language in reached[size] if phase in _ENDS and said)


def _follow(span: Span, reached: list[set[_State]]) -> None:
    """A subject and what is said of it stand in one language: "Anna is safe" is not Arabic "ana"."""
    target = reached[span.end]
    for phase, said, language in reached[span.start]:
        move = MOVES[phase].get(span.kind)
        if move is None or (language and span.listed != language and span.kind in _OF_ONE_LANGUAGE):
            continue
        bound = span.listed if span.kind in ("S", "A") else language
        target.add((move[0], said | move[1], bound if move[0] in _KEEPING_LANGUAGE else ""))
