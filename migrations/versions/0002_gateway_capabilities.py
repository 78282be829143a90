"""gateway capabilities

What each gateway can do in each country. A STOP counts for all real gateways at once, and a person whose phone no
gateway reaches has a reason of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EXCLUSIONS = ("no_phone", "unusable_phone", "opted_out")


def upgrade() -> None:
    op.create_table(
        "gateway_capabilities",
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("country", sa.String(length=3), nullable=False),
        sa.Column("is_usable", sa.Boolean(), nullable=False),
        sa.Column(
            "sender_kind",
            sa.Enum(
                "number",
                "short_code",
                "alphanumeric",
                "none",
                name="senderkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("sender_note", sa.String(length=200), nullable=True),
        sa.Column("is_two_way", sa.Boolean(), nullable=False),
        sa.Column("allows_links", sa.Boolean(), nullable=False),
        sa.Column("receipts_believable", sa.Boolean(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("cost_cents", sa.Numeric(precision=10, scale=4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("source", sa.String(length=300), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("last_tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_test_result", sa.String(length=64), nullable=True),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "country = '*' or country ~ '^([A-Z]{2}|[0-9]{3})$'", name=op.f("ck_gateway_capabilities_country")
        ),
        sa.CheckConstraint("rate > 0", name=op.f("ck_gateway_capabilities_rate")),
        sa.CheckConstraint(
            "cost_cents >= 0 and currency is not null or cost_cents is null", name=op.f("ck_gateway_capabilities_cost")
        ),
        sa.ForeignKeyConstraint(
            ["edited_by"], ["officers.id"], name=op.f("fk_gateway_capabilities_edited_by_officers")
        ),
        sa.PrimaryKeyConstraint("gateway", "country", name=op.f("pk_gateway_capabilities")),
    )
    _check_exclusions(*_EXCLUSIONS, "no_gateway")
    op.execute("""
        insert into opt_outs (value_index, gateway, opted_out_at, ended_at)
        select distinct on (value_index) value_index, 'actual', opted_out_at, ended_at from opt_outs
        where gateway not in ('exercise', 'actual') order by value_index, opted_out_at desc
        on conflict do nothing
    """)
    op.execute("delete from opt_outs where gateway not in ('exercise', 'actual')")


def downgrade() -> None:
    op.execute("update opt_outs set gateway = 'twilio' where gateway = 'actual'")
    op.execute("update recipients set exclusion = 'unusable_phone' where exclusion = 'no_gateway'")
    _check_exclusions(*_EXCLUSIONS)
    op.drop_table("gateway_capabilities")


def _check_exclusions(*values: str) -> None:
    """Without reading the whole table under a lock: what is there satisfies the narrower rule already."""
    allowed = ", ".join(f"'{value}'" for value in values)
    op.execute("alter table recipients drop constraint ck_recipients_exclusion")
    op.execute(
        f"alter table recipients add constraint ck_recipients_exclusion check (exclusion in ({allowed})) not valid"
    )
    op.execute("alter table recipients validate constraint ck_recipients_exclusion")
