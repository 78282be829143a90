"""texts without a question

Where nobody can answer, officers may choose to send an alert that asks without its question, country by country.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("alerts", "alert_events")


def upgrade() -> None:
    for table in _TABLES:
        nowhere = sa.text("'[]'::jsonb")
        column = sa.Column("accepts_no_answer_from", postgresql.JSONB(), server_default=nowhere, nullable=False)
        op.add_column(table, column)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "accepts_no_answer_from")
