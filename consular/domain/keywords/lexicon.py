"""Load the word lists of this package once, on first use.

A file holds sections `[CLASS]`, one phrase a line or several between semicolons, `(a|b)` for one of several words and
`(a|b)?` for an optional one; `word*` in a [NEED] section stands for every word that begins so; `#` starts a comment line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import product
from typing import Final

from consular.domain.keywords.folding import fold_phrase

FILES: Final = ("en", "fr", "ar", "arabizi", "hi", "hinglish", "others")
_GROUP: Final = re.compile(r"\(([^()]*)\)(\?)?")
_SHORTEST_FUZZY: Final = 6


@dataclass(slots=True)
class Node:
    """One step in the tree of phrases; `classes` is empty unless a phrase ends here."""

    following: dict[str, "Node"] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Lexicon:
    """All languages together: people mix them within one text."""

    root: Node = field(default_factory=Node)
    stems: set[str] = field(default_factory=set)
    stem_lengths: tuple[int, ...] = ()
    whole: dict[tuple[str, ...], str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    places: dict[tuple[str, ...], str] = field(default_factory=dict)
    nearly: dict[str, set[str]] = field(default_factory=dict)


@cache
def lexicon() -> Lexicon:
    """The word lists, read from package data; about a tenth of a second, once per process."""
    built = Lexicon()
    for name in FILES:
        for section, phrase in _entries(name):
            _add(built, section, phrase)
    for country, phrase in _entries("places"):
        tokens = fold_phrase(phrase)
        built.places[tokens] = country
        _insert(built, tokens, "PLACE")
    built.stem_lengths = tuple(sorted({len(stem) for stem in built.stems}))
    return built


def _entries(name: str) -> Iterator[tuple[str, str]]:
    text = resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            section = stripped.strip("[]")
            continue
        for phrase in stripped.split(";"):
            if phrase.strip():
                yield from ((section, variant) for variant in expand(phrase.strip()))


def expand(phrase: str) -> Iterator[str]:
    """Every phrase that "(a|b) c (d)?" stands for."""
    if "(" not in phrase:
        yield phrase
        return
    parts: list[list[str]] = []
    last = 0
    for match in _GROUP.finditer(phrase):
        parts.append([phrase[last : match.start()]])
        parts.append([*match.group(1).split("|"), *([""] if match.group(2) else [])])
        last = match.end()
    parts.append([phrase[last:]])
    yield from ("".join(choice) for choice in product(*parts))


def _add(built: Lexicon, section: str, phrase: str) -> None:
    if section == "NUMBER":
        word, _, value = phrase.partition("=")
        built.numbers[" ".join(fold_phrase(word))] = int(value)
        return
    is_stem = phrase.endswith("*")
    tokens = fold_phrase(phrase.rstrip("*"))
    if section in ("OPT_OUT", "OPT_IN"):
        built.whole[tokens] = section
    elif section == "FUZZY":
        _add_fuzzy(built, tokens[0])
    elif is_stem and len(tokens) == 1:
        built.stems.add(tokens[0])
    else:
        _insert(built, tokens, section)


def _insert(built: Lexicon, tokens: tuple[str, ...], section: str) -> None:
    node = built.root
    for token in tokens:
        node = node.following.setdefault(token, Node())
    node.classes.add(section)


def _add_fuzzy(built: Lexicon, word: str) -> None:
    for shortened in (word, *drop_one(word)):
        built.nearly.setdefault(shortened, set()).add(word)


def drop_one(word: str) -> list[str]:
    """The word without each of its letters in turn."""
    return [word[:i] + word[i + 1 :] for i in range(len(word))]


def resembles_need(token: str, built: Lexicon) -> str | None:
    """The call for help this long, unknown word is one slip away from: a letter lost, added, changed or swapped."""
    if not _SHORTEST_FUZZY - 1 <= len(token) <= 16:
        return None
    for shortened in (token, *drop_one(token)):
        for word in sorted(built.nearly.get(shortened, ())):
            if _is_one_slip(token, word):
                return word
    return None


def _is_one_slip(left: str, right: str) -> bool:
    if abs(len(left) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    a, b = left[start:], right[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
