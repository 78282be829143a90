"""fewer indexes of a fan-out

A fan-out to a million people spent a tenth of its time on two references that are nearly always empty and on an index
that the primary key replaces when it begins with the person.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


_TABLES = "officers, inbound_messages, messages, person_statuses"
"""In the order in which workers that read replies lock them: neither waits for the other with a lock in hand."""


def upgrade() -> None:
    op.execute(f"lock table {_TABLES} in access exclusive mode")
    op.drop_constraint("fk_messages_inbound_id", "messages", type_="foreignkey")
    op.drop_constraint("fk_person_statuses_assessed_by", "person_statuses", type_="foreignkey")
    op.drop_constraint("pk_person_statuses", "person_statuses", type_="primary")
    op.create_primary_key("pk_person_statuses", "person_statuses", ["person_id", "crisis_id"])
    op.drop_index("ix_person_statuses_person_id", "person_statuses")


def downgrade() -> None:
    op.execute(f"lock table {_TABLES} in access exclusive mode")
    op.create_index("ix_person_statuses_person_id", "person_statuses", ["person_id"])
    op.drop_constraint("pk_person_statuses", "person_statuses", type_="primary")
    op.create_primary_key("pk_person_statuses", "person_statuses", ["crisis_id", "person_id"])
    op.create_foreign_key("fk_person_statuses_assessed_by", "person_statuses", "officers", ["assessed_by"], ["id"])
    op.create_foreign_key("fk_messages_inbound_id", "messages", "inbound_messages", ["inbound_id"], ["id"])
