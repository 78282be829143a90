"""Adapters to the outside world: they implement the Protocols of consular.domain.ports and know no database."""
