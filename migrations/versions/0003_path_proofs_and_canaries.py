"""path proofs and canaries

When each path last took, delivered and brought a text; the daily test texts; counted readiness. Three indexes let the
clock read only what is new: a BRIN on the attempts, which are only ever added, and B-trees on rows that are updated.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = ("alert", "acknowledgement")


def upgrade() -> None:
    _proofs()
    _canaries()
    _counts()
    _check_kinds(*_KINDS, "canary")
    op.create_index(
        "ix_message_attempts_recorded_at",
        "message_attempts",
        ["recorded_at"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": True},
    )
    op.create_index(
        "ix_receipt_events_applied",
        "receipt_events",
        ["processed_at"],
        postgresql_where=sa.text("result = 'applied'"),
    )
    op.create_index(
        "ix_inbound_messages_processed",
        "inbound_messages",
        ["processed_at"],
        postgresql_where=sa.text("processed_at is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_inbound_messages_processed", "inbound_messages")
    op.drop_index("ix_receipt_events_applied", "receipt_events")
    op.drop_index("ix_message_attempts_recorded_at", "message_attempts")
    op.execute("delete from message_attempts a using messages m where m.id = a.message_id and m.kind = 'canary'")
    op.execute("delete from messages where kind = 'canary'")
    _check_kinds(*_KINDS)
    for table in ("readiness_counts", "canaries", "path_proofs"):
        op.drop_table(table)


def _proofs() -> None:
    op.create_table(
        "path_proofs",
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("country", sa.String(length=3), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("gateway", "country", name=op.f("pk_path_proofs")),
    )


def _canaries() -> None:
    op.create_table(
        "canaries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("run", sa.SmallInteger(), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("endpoint_index", sa.LargeBinary(length=32), nullable=False),
        sa.Column("country", sa.String(length=3), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("gateway <> 'exercise'", name=op.f("ck_canaries_gateway_is_actual")),
        sa.ForeignKeyConstraint(["asked_by"], ["officers.id"], name=op.f("fk_canaries_asked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canaries")),
        sa.UniqueConstraint("message_id", name=op.f("uq_canaries_message_id")),
        sa.UniqueConstraint(
            "day", "gateway", "endpoint_index", "run", name=op.f("uq_canaries_day_gateway_endpoint_index_run")
        ),
    )
    op.create_index("ix_canaries_endpoint_index", "canaries", ["endpoint_index", "gateway", "created_at"])


def _counts() -> None:
    op.create_table(
        "readiness_counts",
        sa.Column("country", sa.String(length=3), nullable=False),
        sa.Column("phone_country", sa.String(length=3), nullable=False),
        sa.Column(
            "part",
            sa.Enum(
                "usable",
                "no_phone",
                "unusable_phone",
                "opted_out",
                name="phonepart",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("country", "phone_country", "part", name=op.f("pk_readiness_counts")),
    )


def _check_kinds(*values: str) -> None:
    """Without reading the whole table under a lock: what is there satisfies the narrower rule already."""
    allowed = ", ".join(f"'{value}'" for value in values)
    op.execute("alter table messages drop constraint ck_messages_messagekind")
    op.execute(f"alter table messages add constraint ck_messages_messagekind check (kind in ({allowed})) not valid")
    op.execute("alter table messages validate constraint ck_messages_messagekind")
