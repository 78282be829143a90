"""What is publicly known of gateways and countries, as delivered with a release: domain/data/capabilities.csv.

Columns: gateway, country, usable, sender, sender_note, two_way, links, receipts, source, as_of. yes or no; where nobody
says, the cautious value stands and the source says so. Costs and rates differ by contract and are not delivered: the
list price of one gateway alone would draw texts to it, since a known cost goes before an unknown one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from importlib import resources
from typing import Any

from consular.domain.routing import SenderKind

_YES = {"yes": True, "no": False}


def delivered_facts() -> Iterator[dict[str, Any]]:
    """The rows, as queries.capabilities.seed() takes them. Raises ValueError or KeyError for a wrong one."""
    file = resources.files("consular.domain") / "data" / "capabilities.csv"
    for row in csv.DictReader(file.read_text("utf-8").splitlines()):
        yield {
            "gateway": row["gateway"],
            "country": row["country"],
            "is_usable": _YES[row["usable"]],
            "sender_kind": SenderKind(row["sender"]),
            "sender_note": row["sender_note"] or None,
            "is_two_way": _YES[row["two_way"]],
            "allows_links": _YES[row["links"]],
            "receipts_believable": _YES[row["receipts"]],
            "rate": None,
            "cost_cents": None,
            "currency": None,
            "source": row["source"],
            "as_of": date.fromisoformat(row["as_of"]),
        }
