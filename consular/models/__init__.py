"""Columns, relationships, constraints; one aggregate per module. Importing the package registers every table."""

from consular.models import (  # noqa: F401
    alerts,
    assistance,
    audit,
    capabilities,
    crises,
    inbound,
    messages,
    officers,
    operations,
    people,
    places,
    proofs,
    readiness,
    receipts,
    restores,
    social,
    statuses,
)
