"""parts of attempts

A sender's rate is in parts per second: how many each try had, so that the rate can be checked afterwards.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_attempts", sa.Column("parts", sa.SmallInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("message_attempts", "parts")
