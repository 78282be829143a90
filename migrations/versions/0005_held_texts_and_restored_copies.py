"""held texts, and restored copies

What officers decide about held texts is a decision on their alert. The database knows where it lives, so that a copy
restored from a backup sends nothing before somebody has looked.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BEFORE = ("edit", "submit", "approve", "return", "reject", "withdraw", "cancel", "stop")


def upgrade() -> None:
    _allow((*_BEFORE, "send_held", "end_held"))
    op.create_table(
        "database_home",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=True),
        sa.Column("timeline", sa.BigInteger(), nullable=False),
        sa.Column("database_oid", sa.BigInteger(), nullable=False),
        sa.Column("table_oid", sa.BigInteger(), nullable=False),
        sa.Column("known_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_database_home_only_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_database_home")),
    )
    op.create_table(
        "compared_lists",
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_compared_lists")),
    )


def downgrade() -> None:
    op.drop_table("compared_lists")
    op.drop_table("database_home")
    op.execute("delete from alert_decisions where action in ('send_held', 'end_held')")
    _allow(_BEFORE)


def _allow(actions: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_alert_decisions_alertaction"), "alert_decisions", type_="check")
    listed = ", ".join(f"'{action}'" for action in actions)
    op.create_check_constraint(op.f("ck_alert_decisions_alertaction"), "alert_decisions", f"action in ({listed})")
