"""The little of Markdown that our runbooks use, as blocks for a template: headings, paragraphs, lists, code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = "```"


@dataclass(frozen=True, slots=True)
class Block:
    """kind: "h1", "h2", "p", "list" or "code". lines: of a list its items, of code its lines, else one."""

    kind: str
    lines: tuple[str, ...]

    @property
    def spans(self) -> list[list[tuple[bool, str]]]:
        """Each line as pieces: (is code, text)."""
        return [spans(line) for line in self.lines]


def spans(line: str) -> list[tuple[bool, str]]:
    """One line as pieces: (is code, text)."""
    return [(place % 2 == 1, piece) for place, piece in enumerate(line.split("`")) if piece]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text, in order; lines of a paragraph or list item are joined."""
    for number, part in enumerate(text.split(_FENCE)):
        if number % 2:
            yield Block("code", tuple(part.partition("\n")[2].rstrip().split("\n")))
        else:
            yield from (_block(piece.strip()) for piece in part.split("\n\n") if piece.strip())


def _block(piece: str) -> Block:
    for mark, kind in (("## ", "h2"), ("# ", "h1")):
        if piece.startswith(mark):
            return Block(kind, (piece.removeprefix(mark),))
    if piece.startswith("- "):
        items = piece.removeprefix("- ").split("\n- ")
        return Block("list", tuple(" ".join(item.split()) for item in items))
    return Block("p", (" ".join(piece.split()),))
