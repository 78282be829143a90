"""The rows of the matrix, in the order in which they are played."""

from __future__ import annotations

from tests.faults.cases import gateways, officers, processes, stores, webhooks
from tests.faults.story import Case

FIRST: list[Case] = [*processes.CASES, *stores.CASES, *webhooks.CASES, *processes.LAST]
"""What leaves nothing behind for long."""

SECOND: list[Case] = [*gateways.CASES, *officers.CASES, *gateways.LAST]
"""What keeps the gateway's line busy or paused."""
