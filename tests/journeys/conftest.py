"""One practice world for the journeys, on servers of its own, because a journey may take the database away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consular.embedded import EmbeddedServers
from tests.journeys.practice import Mission, mission


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mission]:
    """The running site; its gateway sends as fast as it can."""
    with (
        EmbeddedServers.temporary(durable=False) as servers,
        mission(servers, "journeys", tmp_path_factory.mktemp("journeys"), speed=100.0) as running,
    ):
        yield running
