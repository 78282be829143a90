"""The board as an officer reads it, taken from its HTML."""

from __future__ import annotations

import re

from consular.drill.pages import Visitor
from tests.waiting import eventually

_FIGURE = re.compile(r'id="part-(\w+)"(?:(?!</a>).)*?<b>([\d,]+)</b>', re.DOTALL)
_REQUEST = re.compile(r'<h2[^>]*><a href="([^"]+)">.*?</article>', re.DOTALL)


def figures(officer: Visitor, crisis_path: str) -> dict[str, int]:
    """Every number of the board by the name of its part; parts that are empty are left out."""
    officer.open(f"{crisis_path}/board/fragment")
    found = {part: int(number.replace(",", "")) for part, number in _FIGURE.findall(officer.html)}
    assert len(found) >= 11, f"only {sorted(found)} are on the board"
    return {part: number for part, number in found.items() if number}


def wait_for(officer: Visitor, crisis_path: str, expected: dict[str, int], seconds: float = 20.0) -> None:
    """Wait until the board shows exactly these numbers."""
    shown: dict[str, int] = {}

    def is_shown() -> bool:
        nonlocal shown
        shown = figures(officer, crisis_path)
        return shown == expected

    assert eventually(is_shown, seconds), f"the board shows {shown}, not {expected}"


def requests_with(officer: Visitor, crisis_path: str, words: str) -> list[str]:
    """Addresses of the open requests whose text holds these words, the oldest first."""
    officer.open(f"{crisis_path}/requests")
    found = _REQUEST.finditer(officer.html)
    return [article[1].replace("&amp;", "&") for article in found if words in article[0]]
