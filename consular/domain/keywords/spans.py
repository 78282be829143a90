"""Find every listed phrase in a folded text: one walk of the phrase tree from each token."""

from dataclasses import dataclass, field
from typing import Final

from consular.domain.keywords.folding import Folded, unglue
from consular.domain.keywords.lexicon import Lexicon, Node, resembles_need

HOME_COUNTRIES: Final = frozenset({"IN", "FR", "GB", "US", "CA", "DE", "BE", "CH", "AU"})
"""Where people who say "I am in ..." are taken to be out of the crisis when its country is not known."""
_MOST_BARE: Final = 20
_MOST_WITH_UNIT: Final = 500
_ARABIC_FRONTS: Final = (
    "وال", "بال", "فال", "كال", "ال", "لل", "و", "ف", "ب", "ل", "ه", "س", "ك", "عال", "ع", "حا", "ح", "ي",
    "ن", "ت", "بي", "بن", "بت", "هن", "هي", "سن", "وب", "ون", "وم",
)  # fmt: skip
_LONGEST_PREPOSITION: Final = 3
_COUNTS: Final = {"UNIT": "COUNT", "UNIT_GROUP": "COUNT_GROUP", "UNIT_CHILD": "COUNT_CHILD"}


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens start..end (end excluded) stand for a class; `value` is a count, `listed` the list it was found in."""

    start: int
    end: int
    kind: str
    value: int | str | None = None
    listed: str = ""


@dataclass(slots=True)
class Reading:
    """A text with all that was recognised in it."""

    tokens: tuple[str, ...]
    breaks: frozenset[int]
    starting: list[list[Span]]
    known: list[bool] = field(default_factory=list)
    _by_kind: dict[str, list[Span]] = field(default_factory=dict)

    def of(self, *kinds: str) -> list[Span]:
        """The spans of these classes, in the order of the text within each class."""
        if len(kinds) == 1:
            return self._by_kind.get(kinds[0], [])
        return [span for kind in kinds for span in self._by_kind.get(kind, ())]

    def sort_by_kind(self) -> None:
        """Call once when all spans are in."""
        for spans in self.starting:
            for span in spans:
                self._by_kind.setdefault(span.kind, []).append(span)

    def words(self, span: Span) -> str:
        return " ".join(self.tokens[span.start : span.end])


def read(folded: Folded, lexicon: Lexicon, crisis_country: str | None) -> Reading:
    """All spans of the text, with numbers, places and single words close to a call for help."""
    tokens, breaks = _unglue_all(folded, lexicon)
    reading = Reading(tokens, breaks, [_walk(tokens, i, lexicon.root) for i in range(len(tokens))])
    reading.known = _known(reading)
    _add_needs_by_stem(reading, lexicon)
    _add_numbers(reading, lexicon)
    _add_places(reading, crisis_country)
    reading.sort_by_kind()
    return reading


def _unglue_all(folded: Folded, lexicon: Lexicon) -> tuple[tuple[str, ...], frozenset[int]]:
    if not any(token[0].isdigit() or token[-1].isdigit() for token in folded.tokens):
        return folded.tokens, folded.breaks
    tokens: list[str] = []
    breaks: set[int] = set()
    for index, token in enumerate(folded.tokens):
        if index in folded.breaks:
            breaks.add(len(tokens))
        parts = None if token in lexicon.vocabulary or has_need_stem(token, lexicon) else unglue(token)
        is_word = parts is not None and any(part in lexicon.root.following for part in parts)
        tokens.extend(parts if parts is not None and is_word else (token,))
    if len(folded.tokens) in folded.breaks:
        breaks.add(len(tokens))
    return tuple(tokens), frozenset(breaks)


def _walk(tokens: tuple[str, ...], start: int, root: Node) -> list[Span]:
    found: set[tuple[int, str, str]] = set()
    nodes = root.following.get(tokens[start], ())
    end = start + 1
    while nodes:
        for node in nodes:
            found.update((end, kind, listed) for kind, listed in node.classes)
        if end == len(tokens):
            break
        token = tokens[end]
        nodes = [after for node in nodes if token in node.following for after in node.following[token]]
        end += 1
    return [Span(start, stop, kind, None, listed) for stop, kind, listed in sorted(found)]


def _known(reading: Reading) -> list[bool]:
    known = [False] * len(reading.tokens)
    for spans in reading.starting:
        for span in spans:
            known[span.start : span.end] = [True] * (span.end - span.start)
    return known


def _add_needs_by_stem(reading: Reading, lexicon: Lexicon) -> None:
    for index, token in enumerate(reading.tokens):
        if has_need_stem(token, lexicon):
            reading.starting[index].append(Span(index, index + 1, "NEED"))
        elif not reading.known[index]:
            word = resembles_need(token, lexicon)
            if word is not None:
                reading.starting[index].append(Span(index, index + 1, "NEED", word))


def has_need_stem(token: str, lexicon: Lexicon) -> bool:
    """Whether the word begins, after Arabic one-letter words written onto it, like a call for help."""
    if _begins_with_stem(token, lexicon):
        return True
    if not "\u0620" <= token[0] <= "\u06ff":
        return False
    return any(
        token.startswith(front) and len(token) - len(front) > 2 and _begins_with_stem(token[len(front) :], lexicon)
        for front in _ARABIC_FRONTS
    )


def _begins_with_stem(token: str, lexicon: Lexicon) -> bool:
    stems = lexicon.stems
    return any(token[:length] in stems for length in lexicon.stem_lengths if length <= len(token))


def _number(token: str, lexicon: Lexicon) -> int | None:
    if token.isascii() and token.isdigit():
        return int(token) if len(token) <= 3 and token[0] != "0" else None
    return lexicon.numbers.get(token)


def _add_numbers(reading: Reading, lexicon: Lexicon) -> None:
    counts = [_number(token, lexicon) for token in reading.tokens]
    for index, value in enumerate(counts):
        if value is None:
            continue
        is_digits = reading.tokens[index].isdigit()
        if is_digits:
            reading.starting[index].append(Span(index, index + 1, _digit_kind(value), value))
        if value <= _MOST_WITH_UNIT:
            _add_units(reading, index, value)
        if not is_digits:
            reading.starting[index].append(Span(index, index + 1, "FEW", value))


def _digit_kind(value: int) -> str:
    if value <= 3:
        return ("ONE", "TWO", "THREE")[value - 1]
    return "BARE" if value <= _MOST_BARE else "MANY"


def _add_units(reading: Reading, index: int, value: int) -> None:
    after = index + 1
    units = reading.starting[after] if after < len(reading.tokens) else []
    ends = [(span.end, _COUNTS[span.kind]) for span in units if span.kind in _COUNTS]
    reading.starting[index].extend(Span(index, end, kind, value) for end, kind in ends)
    for start in range(max(0, index - 5), index):
        if any(span.kind == "UNIT_FRONT" and span.end == index for span in reading.starting[start]):
            reading.starting[start].append(Span(start, after, "COUNT", value))
            reading.starting[start].extend(Span(start, end, "COUNT", value) for end, _ in ends)


def _add_places(reading: Reading, crisis_country: str | None) -> None:
    for span in [s for spans in reading.starting for s in spans if s.kind in ("PLACE", "SPOT")]:
        if span.kind == "SPOT":
            _add_place(reading, span, "SPOT_AT")
        else:
            _add_place(reading, span, "HOME" if _is_elsewhere(span.listed, crisis_country) else "AT")


def _is_elsewhere(country: str, crisis_country: str | None) -> bool:
    if crisis_country is None:
        return country in HOME_COUNTRIES
    return country != crisis_country


def _add_place(reading: Reading, span: Span, kind: str) -> None:
    after = reading.starting[span.end] if span.end < len(reading.tokens) else []
    ends = sorted({span.end, *(s.end for s in after if s.kind in ("POST", "SPOT"))})
    for start in range(max(0, span.start - _LONGEST_PREPOSITION), span.start):
        if any(s.kind == "PREP" and s.end == span.start for s in reading.starting[start]):
            reading.starting[start].extend(Span(start, end, kind) for end in ends)
    if kind != "SPOT_AT":
        name = kind if any(s.kind == "POST" for s in after) else f"{kind}_NAME"
        reading.starting[span.start].extend(Span(span.start, end, name) for end in ends)
        _add_departures(reading, span, after, is_home=kind == "HOME")


def _add_departures(reading: Reading, span: Span, after: list[Span], *, is_home: bool) -> None:
    wanted = "NLHP" if is_home else "NLP"
    reading.starting[span.start].extend(Span(span.start, s.end, "NT") for s in after if s.kind == wanted)
