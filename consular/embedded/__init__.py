"""PostgreSQL and Valkey out of Python packages, for drills and tests: fresh, private, gone afterwards."""

from consular.embedded.errors import EmbeddedError as EmbeddedError
from consular.embedded.servers import EmbeddedServers as EmbeddedServers
