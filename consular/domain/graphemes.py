"""Where a text may be cut without tearing a visible character: grapheme clusters by the rules the gateway uses."""

import re
from bisect import bisect_right
from enum import IntEnum, auto
from functools import lru_cache

from consular.domain.grapheme_breaks import RANGES


class BreakClass(IntEnum):
    """Grapheme_Cluster_Break of one code point (UAX #29, Unicode 10.0)."""

    OTHER = auto()
    CR = auto()
    LF = auto()
    CONTROL = auto()
    EXTEND = auto()
    ZWJ = auto()
    SPACING_MARK = auto()
    PREPEND = auto()
    REGIONAL = auto()
    HANGUL_L = auto()
    HANGUL_V = auto()
    HANGUL_T = auto()
    HANGUL_LV = auto()
    HANGUL_LVT = auto()
    EMOJI_BASE = auto()
    EMOJI_BASE_GLUED = auto()
    GLUE_AFTER_ZWJ = auto()
    EMOJI_MODIFIER = auto()


_HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)
_SINGLES = {0x0A: BreakClass.LF, 0x0D: BreakClass.CR, 0x200D: BreakClass.ZWJ}
_BREAKERS = frozenset({BreakClass.CONTROL, BreakClass.CR, BreakClass.LF})
_EXTENDERS = frozenset({BreakClass.EXTEND, BreakClass.ZWJ, BreakClass.SPACING_MARK})
_EMOJI_BASES = frozenset({BreakClass.EMOJI_BASE, BreakClass.EMOJI_BASE_GLUED})
_GLUED = frozenset({BreakClass.GLUE_AFTER_ZWJ, BreakClass.EMOJI_BASE_GLUED})
_AFTER_V = frozenset({BreakClass.HANGUL_V, BreakClass.HANGUL_T})
_AFTER_T = frozenset({BreakClass.HANGUL_T})
_HANGUL_FOLLOWERS = {
    BreakClass.HANGUL_L: frozenset(
        {BreakClass.HANGUL_L, BreakClass.HANGUL_V, BreakClass.HANGUL_LV, BreakClass.HANGUL_LVT}
    ),
    BreakClass.HANGUL_LV: _AFTER_V,
    BreakClass.HANGUL_V: _AFTER_V,
    BreakClass.HANGUL_LVT: _AFTER_T,
    BreakClass.HANGUL_T: _AFTER_T,
}


def _read_ranges() -> list[tuple[int, int, BreakClass]]:
    rows = []
    for name, ranges in RANGES.items():
        for item in ranges.split():
            first, _, last = item.partition("-")
            rows.append((int(first, 16), int(last or first, 16), BreakClass[name]))
    return sorted(rows)


_ROWS = _read_ranges()
_STARTS = [first for first, _, _ in _ROWS]


def _pattern_of_joiners() -> re.Pattern[str]:
    joining = [(a, b) for a, b, kind in _ROWS if kind is not BreakClass.CONTROL]
    joining += [(0x200D, 0x200D), (_HANGUL_SYLLABLES.start, _HANGUL_SYLLABLES.stop - 1)]
    return re.compile("[" + "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in joining) + "]")


_JOINERS = _pattern_of_joiners()


@lru_cache(maxsize=4096)
def break_class(character: str) -> BreakClass:
    """The break class of one character."""
    code_point = ord(character)
    if code_point in _SINGLES:
        return _SINGLES[code_point]
    if code_point in _HANGUL_SYLLABLES:
        return BreakClass.HANGUL_LVT if (code_point - 0xAC00) % 28 else BreakClass.HANGUL_LV
    index = bisect_right(_STARTS, code_point) - 1
    if index >= 0 and code_point <= _ROWS[index][1]:
        return _ROWS[index][2]
    return BreakClass.OTHER


class _Cluster:
    """The few facts about an open cluster that decide whether the next character still belongs to it."""

    __slots__ = ("before_last", "has_extend", "last", "length", "second_is_regional")

    def __init__(self, first: BreakClass) -> None:
        self.last = first
        self.before_last: BreakClass | None = None
        self.length = 1
        self.has_extend = first is BreakClass.EXTEND
        self.second_is_regional = False

    def add(self, kind: BreakClass) -> None:
        if self.length == 1:
            self.second_is_regional = kind is BreakClass.REGIONAL
        self.before_last, self.last = self.last, kind
        self.length += 1
        self.has_extend = self.has_extend or kind is BreakClass.EXTEND

    def takes(self, kind: BreakClass) -> bool:
        """Whether a character of this class joins the cluster.

        UAX #29 as the gateway's counter applies it, with its two departures: a skin tone joins over one Extend at
        most, and after a flag with one mark the cluster is closed.
        """
        last = self.last
        if self.second_is_regional and last not in (BreakClass.PREPEND, BreakClass.REGIONAL):
            return False
        if last in _BREAKERS or kind in _BREAKERS:
            return False
        if kind in _EXTENDERS or last is BreakClass.PREPEND or kind in _HANGUL_FOLLOWERS.get(last, ()):
            return True
        return self._takes_emoji_part(kind)

    def _takes_emoji_part(self, kind: BreakClass) -> bool:
        if kind is BreakClass.EMOJI_MODIFIER:
            if self.has_extend:
                return self.last is BreakClass.EXTEND and self.before_last in _EMOJI_BASES
            return self.last in _EMOJI_BASES
        if self.last is BreakClass.ZWJ:
            return kind in _GLUED
        return kind is BreakClass.REGIONAL and self.last is BreakClass.REGIONAL and self.length == 1


def split_graphemes(text: str) -> list[str]:
    """The grapheme clusters of a text, in order; joined they are the text. CR LF counts as two. Linear time."""
    if not _JOINERS.search(text):
        return list(text)
    clusters: list[str] = []
    start = 0
    cluster: _Cluster | None = None
    for index, character in enumerate(text):
        kind = break_class(character)
        if cluster is not None and cluster.takes(kind):
            cluster.add(kind)
            continue
        if index:
            clusters.append(text[start:index])
        start, cluster = index, _Cluster(kind)
    if text:
        clusters.append(text[start:])
    return clusters
