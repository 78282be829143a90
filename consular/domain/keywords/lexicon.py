"""Load the word lists of this package once, on first use.

A file holds sections `[CLASS]`, one phrase a line or several between semicolons, `(a|b)` for one of several words and
`(a|b)?` for an optional one; `word*` in a [NEED] section stands for every word that begins so; `#` starts a comment
line.
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
_UNIT: Final = re.compile(r"(?:\([^()]*\)\??|[^\s()])+")
_SHORTEST_FUZZY: Final = 6


@dataclass(slots=True)
class Node:
    """One step in a net of phrases; `classes` names what ends here and in which list."""

    following: dict[str, list["Node"]] = field(default_factory=dict)
    classes: set[tuple[str, str]] = field(default_factory=set)


@dataclass(slots=True)
class Lexicon:
    """All languages together: people mix them within one text."""

    root: Node = field(default_factory=Node)
    plain: Node = field(default_factory=Node)
    vocabulary: set[str] = field(default_factory=set)
    stems: set[str] = field(default_factory=set)
    stem_lengths: tuple[int, ...] = ()
    whole: dict[tuple[str, ...], str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    places: dict[tuple[str, ...], str] = field(default_factory=dict)
    nearly: dict[str, set[str]] = field(default_factory=dict)


@cache
def lexicon() -> Lexicon:
    """The word lists, read from package data once per process."""
    built = Lexicon()
    for name in FILES:
        for section, phrase in entries(name):
            _add(built, (section, name), phrase)
    for country, phrase in entries("places"):
        tokens = fold_phrase(phrase)
        built.places[tokens] = country
        _insert_plain(built.plain, tokens, ("PLACE", country))
    for token, nodes in built.plain.following.items():
        built.root.following.setdefault(token, []).extend(nodes)
    _gather_words(built.root, built.vocabulary, set())
    built.stem_lengths = tuple(sorted({len(stem) for stem in built.stems}))
    return built


def _gather_words(node: Node, words: set[str], seen: set[int]) -> None:
    if id(node.following) in seen:
        return
    seen.add(id(node.following))
    for token, nodes in node.following.items():
        words.add(token)
        for after in nodes:
            _gather_words(after, words, seen)


def entries(name: str) -> Iterator[tuple[str, str]]:
    """The (section, phrase) pairs of one file, alternatives not yet expanded."""
    text = resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            section = stripped.strip("[]")
            continue
        yield from ((section, phrase.strip()) for phrase in stripped.split(";") if phrase.strip())


def expand(phrase: str) -> Iterator[str]:
    """Every phrase that "(a|b) c (d)?" stands for."""
    parts: list[list[str]] = []
    last = 0
    for match in _GROUP.finditer(phrase):
        parts.append([phrase[last : match.start()]])
        parts.append([*match.group(1).split("|"), *([""] if match.group(2) else [])])
        last = match.end()
    parts.append([phrase[last:]])
    yield from ("".join(choice) for choice in product(*parts))


def _add(built: Lexicon, listed: tuple[str, str], phrase: str) -> None:
    section = listed[0]
    if section == "NUMBER":
        word, _, value = phrase.partition("=")
        built.numbers[" ".join(fold_phrase(word))] = int(value)
    elif section in ("OPT_OUT", "OPT_IN"):
        built.whole[fold_phrase(phrase)] = section
    elif section == "FUZZY":
        _add_fuzzy(built, phrase)
    elif phrase.endswith("*") and len(_UNIT.findall(phrase)) == 1:
        built.stems.update(token for variant in expand(phrase[:-1]) for token in fold_phrase(variant))
    elif "(" in phrase:
        _insert_grouped(built.root, phrase.replace("*", ""), listed)
    else:
        _insert_plain(built.plain, fold_phrase(phrase.replace("*", "")), listed)


def _insert_plain(root: Node, tokens: tuple[str, ...], listed: tuple[str, str]) -> None:
    node = root
    for token in tokens:
        node = node.following.setdefault(token, [Node()])[0]
    node.classes.add(listed)


def _insert_grouped(root: Node, phrase: str, listed: tuple[str, str]) -> None:
    """Lay a phrase with alternatives down from its end, so that alternatives share what comes after them."""
    following: dict[str, list[Node]] = {}
    can_end = True
    for unit in reversed(_UNIT.findall(phrase)):
        options, is_optional = _options(unit)
        done = Node(following, {listed} if can_end else set())
        entry: dict[str, list[Node]] = {}
        for tokens in options:
            _lay(entry, tokens, done)
        if is_optional:
            for token, nodes in following.items():
                entry.setdefault(token, []).extend(nodes)
        following, can_end = entry, can_end and is_optional
    for token, nodes in following.items():
        root.following.setdefault(token, []).extend(nodes)


def _options(unit: str) -> tuple[set[tuple[str, ...]], bool]:
    group = _GROUP.fullmatch(unit)
    variants = group.group(1).split("|") if group else list(expand(unit))
    folded = {fold_phrase(variant) for variant in variants}
    return {tokens for tokens in folded if tokens}, bool(group and group.group(2))


def _lay(entry: dict[str, list[Node]], tokens: tuple[str, ...], done: Node) -> None:
    node = done
    for token in reversed(tokens[1:]):
        node = Node({token: [node]})
    entry.setdefault(tokens[0], []).append(node)


def _add_fuzzy(built: Lexicon, phrase: str) -> None:
    tokens = fold_phrase(phrase)
    if len(tokens) == 1:
        for shortened in (tokens[0], *drop_one(tokens[0])):
            built.nearly.setdefault(shortened, set()).add(tokens[0])


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
