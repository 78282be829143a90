"""Texts that only repeat our question, and texts that machines write."""

from typing import Final

from consular.domain.keywords.spans import Reading, Span

_NEAR: Final = 8
_FRONT: Final = 4
_SAFE: Final = frozenset({"J", "JA", "CS"})


def is_echo(reading: Reading) -> Span | None:
    """The part that repeats "1 safe, 2 need help" or "safe or help"; None when there is none."""
    help_words = reading.of("HELPWORD")
    if not help_words:
        return None
    return _numbered_echo(reading, help_words) or _worded_echo(reading, help_words)


def is_automatic(reading: Reading) -> bool:
    """Whether the text carries a phrase of automatic answers, delivery notices or codes."""
    return bool(reading.of("AUTO"))


def _numbered_echo(reading: Reading, help_words: list[Span]) -> Span | None:
    for one in reading.of("ONE"):
        for two in reading.of("TWO"):
            if not 0 < two.start - one.start <= _NEAR + 2:
                continue
            near = [s for s in help_words if abs(s.start - two.start) <= _NEAR]
            if near and _has_safe_word(reading, one.start - _FRONT, two.start):
                return Span(one.start - _FRONT, max(s.end for s in near), "ECHO")
    return None


def _worded_echo(reading: Reading, help_words: list[Span]) -> Span | None:
    """ "reply SAFE or HELP": an order to answer, then both answers joined by "or"."""
    replies = reading.of("REPLY")
    joined = any(token in ("or", "ou", "ya", "او", "या") for token in reading.tokens)
    if not replies or not joined:
        return None
    start = replies[0].start
    later = [s for s in help_words if s.start > start]
    if not later or not _has_safe_word(reading, start, later[-1].start):
        return None
    return Span(start, max(s.end for s in later), "ECHO")


def _has_safe_word(reading: Reading, start: int, end: int) -> bool:
    return any(span.kind in _SAFE for spans in reading.starting[max(0, start) : end] for span in spans)
