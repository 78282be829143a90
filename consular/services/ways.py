"""What each gateway can do in each country, as workers and pages need it: read in one go, kept for seconds."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from consular.domain.capability_facts import delivered_facts
from consular.domain.routing import CapabilityTable, Way
from consular.queries import capabilities
from consular.queries.capabilities import AnySession
from consular.services.transactions import unit_of_work

Gateways = Collection[str]
"""Names of the configured gateways; a mapping also tells the sender of each, by which a name is known to take no
replies."""

KEPT_SECONDS = 5.0


class Ways:
    """How people can answer, by gateway and country. An administrator's edit counts after KEPT_SECONDS."""

    def __init__(self, gateways: Gateways = ()) -> None:
        self._gateways = gateways
        self._table = CapabilityTable()
        self._read_at = float("-inf")

    def of(self, gateway: str, country: str | None) -> Way:
        """What a text by this gateway into this country may ask for."""
        if time.monotonic() - self._read_at > KEPT_SECONDS:
            with unit_of_work() as session:
                self._table = table_for(session, self._gateways)
            self._read_at = time.monotonic()
        return self._table.of(gateway, country).way


def table_for(session: AnySession, gateways: Gateways) -> CapabilityTable:
    """What each gateway can do in each country now, with the configured senders."""
    rows = {(row.gateway, row.country): row.capability for row in capabilities.all_rows(session)}
    return CapabilityTable(rows, dict(gateways) if isinstance(gateways, Mapping) else {})


def seed_capabilities() -> int:
    """Write what this release knows of gateways and countries, except where an administrator edited; how many rows
    changed."""
    with unit_of_work() as session:
        return capabilities.seed(session, delivered_facts())
