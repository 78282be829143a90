"""Calls for help anywhere in a text, unless the text itself says that no help is needed."""

from typing import Final

from consular.domain.keywords.spans import Reading, Span

_REACH: Final = 4
_GAP: Final = 3
_LONGEST_DENIAL: Final = 8
_LONGEST_PLAIN: Final = 8
_PLAIN: Final = frozenset(
    {"S", "A", "V", "J", "JA", "CS", "F", "NT", "NL", "NLH", "PLACE", "SPOT", "UNIT", "UNIT_CHILD", "UNIT_GROUP"}
)
_SOFTENERS: Final = frozenset(
    {"any", "in", "a", "an", "the", "your", "very", "really", "de", "d", "le", "la", "en", "koi", "اي"}
)
_FAINT: Final = (
    "help", "need", "urgent", "urgen", "emerg", "asist", "call", "contact", "requir", "asap", "please", "911",
    "112", "999", "aid", "madad", "مساعد", "طار", "عاجل", "मदद",
)  # fmt: skip


def calls_for_help(reading: Reading) -> list[Span]:
    """The phrases that call for help and are not taken back, first to last; empty for none."""
    silenced = _silenced(reading)
    found = [span for span in reading.of("NEED") if not _is_taken_back(span, reading, silenced)]
    found.extend(_wants(reading, silenced))
    found.sort(key=lambda span: (span.start, -span.end))
    return [] if found and _ends_in_no(reading, found) else found


def only_faint(reading: Reading, found: list[Span]) -> bool:
    """Whether all there is are words that automatic texts use too ("in an emergency call ...")."""
    return all(reading.tokens[span.start].startswith(_FAINT) for span in found)


def _silenced(reading: Reading) -> list[int]:
    """For each token the end of the longest phrase that takes a call for help back; 0 where there is none."""
    ends = [0] * (len(reading.tokens) + 1)
    for span in reading.of("NX"):
        _cover(ends, span.start, span.end)
    for span in reading.of("NG"):
        _cover(ends, span.start, _forward_end(reading, span.end))
    for span in reading.of("NB"):
        _cover(ends, _backward_start(reading, span.start), span.end)
    return ends


def _cover(ends: list[int], start: int, end: int) -> None:
    for index in range(start, end):
        ends[index] = max(ends[index], end)


def _forward_end(reading: Reading, start: int) -> int:
    end = start
    while end < min(len(reading.tokens), start + _REACH):
        if end in reading.breaks or _begins(reading, end, "CONTRAST") or (end > start and reading.tokens[end] == "ned"):
            break
        end += 1
    return end


def _backward_start(reading: Reading, end: int) -> int:
    start = end
    while start > max(0, end - _REACH):
        if start in reading.breaks or _begins(reading, start - 1, "CONTRAST"):
            break
        start -= 1
    return start


def _begins(reading: Reading, index: int, kind: str) -> bool:
    return any(span.kind == kind for span in reading.starting[index])


def _is_part_of_plain_words(span: Span, reading: Reading) -> bool:
    """ "labour camp", "Bombay": part of a longer phrase of a plain answer, or the beginning of a word of one."""
    for start in range(max(0, span.start - _LONGEST_PLAIN), span.start + 1):
        for other in reading.starting[start]:
            is_longer = other.end - other.start > span.end - span.start or not span.listed
            if other.kind in _PLAIN and other.end >= span.end and is_longer:
                return True
    return False


def _is_taken_back(span: Span, reading: Reading, silenced: list[int]) -> bool:
    if _is_part_of_plain_words(span, reading):
        return True
    covering = silenced[span.start]
    if covering and covering >= span.end:
        return not _is_longer_than_denial(span, reading)
    return span.end - span.start == 1 and _follows_denial(span, reading)


def _is_longer_than_denial(span: Span, reading: Reading) -> bool:
    """ "no help came" holds more than "no help" does, so it is a call for help."""
    overlapping = [
        other
        for spans in reading.starting[max(0, span.start - _LONGEST_DENIAL) : span.end]
        for other in spans
        if other.kind in ("NX", "NG", "NB") and other.end > span.start
    ]
    return bool(overlapping) and all(
        span.start <= other.start and other.end <= span.end and (other.end - other.start) < (span.end - span.start)
        for other in overlapping
    )


def _follows_denial(span: Span, reading: Reading) -> bool:
    index = span.start - 1
    if index >= 0 and reading.tokens[index] in _SOFTENERS and span.start not in reading.breaks:
        index -= 1
    if index < 0 or any(place in reading.breaks for place in range(index + 1, span.start + 1)):
        return False
    return _begins(reading, index, "NEG") and not _denial_belongs_before(reading, index)


def _denial_belongs_before(reading: Reading, index: int) -> bool:
    """ "water no help": the denial already ended a phrase of its own."""
    return any(
        span.start < index and span.end == index + 1 and span.kind in ("NEED", "LKB")
        for start in range(max(0, index - _GAP), index)
        for span in reading.starting[start]
    )


def _wants(reading: Reading, silenced: list[int]) -> list[Span]:
    """Something needed and, within three words, that it is lacking: "no ... water", "paani ... nahi"."""
    things = [s for s in reading.of("RS") if not silenced[s.start]]
    if not things:
        return []
    before = [s for s in reading.of("LKF") if not silenced[s.start]]
    after = [s for s in reading.of("LKB") if not silenced[s.start]]
    starts_by_end: dict[int, list[int]] = {}
    ends_by_start: dict[int, list[int]] = {}
    for lack in before:
        starts_by_end.setdefault(lack.end, []).append(lack.start)
    for lack in after:
        ends_by_start.setdefault(lack.start, []).append(lack.end)
    pairs: list[Span] = []
    for thing in things:
        for gap in range(_GAP):
            pairs += [Span(start, thing.end, "NEED") for start in starts_by_end.get(thing.start - gap, ())]
            pairs += [Span(thing.start, end, "NEED") for end in ends_by_start.get(thing.end + gap, ())]
    return pairs


def _ends_in_no(reading: Reading, found: list[Span]) -> bool:
    """ "need help? no": a lone no at the end takes everything before it back."""
    last = len(reading.tokens) - 1
    if last < 1 or any(span.end > last for span in found) or not _is_lone_no(reading, last):
        return False
    return last in reading.breaks or found[-1].end == last


def _is_lone_no(reading: Reading, index: int) -> bool:
    return any(span.kind == "NEG" and span.end == index + 1 for span in reading.starting[index])
