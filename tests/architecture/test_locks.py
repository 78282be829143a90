"""Advisory locks share one space in the database: two uses of one number would shut each other out unnoticed."""

from __future__ import annotations

import re
from collections import Counter

from tests.conftest import ROOT

_NUMBER = re.compile(r"^_LOCK = ([0-9_]+)", re.MULTILINE)


def test_each_lock_has_a_number_of_its_own() -> None:
    folders = ("consular", "migrations", "workers")
    sources = [path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    numbers = Counter(int(number) for source in sources for number in _NUMBER.findall(source))
    assert len(numbers) >= 5
    assert set(numbers.values()) == {1}
