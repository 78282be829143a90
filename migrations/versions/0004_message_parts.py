"""parts of texts, and ids that come round

A long text may have to be kept before all of its parts have come. An SMSC gives a short id twice in the course of time:
what a receipt says belongs to one attempt. Where a receipt does not name its attempt, it is found
by the gateway's own id.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OLD = "uq_receipt_events_gateway_provider_message_id_status_error_code"
_IDENTITY = ["gateway", "provider_message_id", "status", "error_code"]


def upgrade() -> None:
    op.add_column(
        "inbound_messages", sa.Column("missing_parts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_constraint(_OLD, "receipt_events", type_="unique")
    op.create_unique_constraint(
        op.f("uq_receipt_events_identity"),
        "receipt_events",
        [*_IDENTITY, "attempt_id"],
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_message_attempts_provider_id",
        "message_attempts",
        ["provider_message_id"],
        postgresql_where=sa.text("gateway in ('smpp', 'http') and provider_message_id is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_message_attempts_provider_id", table_name="message_attempts")
    op.drop_constraint(op.f("uq_receipt_events_identity"), "receipt_events", type_="unique")
    op.create_unique_constraint(_OLD, "receipt_events", _IDENTITY)
    op.drop_column("inbound_messages", "missing_parts")
