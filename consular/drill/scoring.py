"""How the replies of a drill were read, against what the made-up citizens meant to say."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping

from consular.queries import drills
from consular.services.verification import Invariant

_MAY_BE_SAFE = "safe"


def score(meant: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Texts by what they meant and how they were read. meant: by the gateway's id of the text."""
    readings = drills.readings()
    counted = Tally((kind, readings.get(sid, "lost")) for sid, kind in meant.items())
    return {
        kind: {read: n for (of, read), n in sorted(counted.items()) if of == kind} for kind in sorted({*meant.values()})
    }


def nobody_wrongly_safe(understood: Mapping[str, Mapping[str, int]]) -> Invariant:
    """Doubt is never safe: no text that meant anything else may be read as SAFE."""
    wrong = {kind: read["SAFE"] for kind, read in understood.items() if kind != _MAY_BE_SAFE and read.get("SAFE")}
    texts = sum(sum(read.values()) for read in understood.values())
    detail = ", ".join(f"{number} texts that meant {kind}" for kind, number in wrong.items())
    return Invariant("nobody_read_safe_who_meant_otherwise", not wrong, detail or f"{texts} texts scored")
