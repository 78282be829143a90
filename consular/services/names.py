"""Whether two names may be one person's name written twice."""

from __future__ import annotations

from difflib import SequenceMatcher

from consular.services.places import fold

SAME_PHONE, OTHER_PHONE = 0.6, 0.85


def may_be_one_person(recorded: str, written: str, *, has_same_phone: bool) -> bool:
    """Whether `written` reads as a correction of `recorded`: each word of the shorter name has its like in the longer.

    An initial is like the word it begins. With another phone, words must be more alike: a corrected number comes with
    the name as it was, a sister with a name of her own.
    """
    if recorded == written:
        return True
    least = SAME_PHONE if has_same_phone else OTHER_PHONE
    shorter, longer = sorted((fold(recorded).split(), fold(written).split()), key=len)
    return bool(shorter) and all(any(_is_like(word, other, least) for other in longer) for word in shorter)


def _is_like(word: str, other: str, least: float) -> bool:
    if min(len(word), len(other)) == 1:
        return word[0] == other[0]
    return SequenceMatcher(None, word, other, autojunk=False).ratio() >= least
