"""What people said of themselves in a crisis, what officers assessed beside it, and the counters of the board."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, PrimaryKeyConstraint, String, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.domain.delivery import Reach
from consular.domain.triage import Assessment, Stated, StatementSource
from consular.extensions import Base
from consular.models.columns import MaybeMoment, MaybeSealed, Moment, NumberKey, enum_column


class Bucket(StrEnum):
    """Exactly one per person and crisis on the board. What the person said comes before what the phone network said."""

    SAFE = "safe"
    NEEDS_HELP = "needs_help"
    NOT_THERE = "not_there"
    UNCLEAR = "unclear"
    SILENT = "silent"
    HANDED_OVER = "handed_over"
    WAITING = "waiting"
    NOT_DELIVERED = "not_delivered"
    NO_PHONE = "no_phone"


_BUCKET_SQL = (
    "coalesce(lower(stated), case reach when 'delivered' then 'silent' when 'handed_over' then 'handed_over'"
    " when 'not_delivered' then 'not_delivered' when 'no_phone' then 'no_phone' else 'waiting' end)"
)


class PersonStatus(Base):
    """Where one person stands in one crisis.

    stated: what they said (domain.triage.fold over their StatusEvents), never changed by an assessment. assessed: what
    an officer believes, shown beside it. bucket: derived by the database. reach: best news of any of their messages.
    No foreign keys, as in models.messages. The key begins with the person, so that it also finds all of a person's.
    """

    __tablename__ = "person_statuses"
    __table_args__ = (
        PrimaryKeyConstraint("person_id", "crisis_id"),
        Index("ix_person_statuses_bucket", "crisis_id", "bucket", "person_id"),
        Index(
            "ix_person_statuses_stated",
            "crisis_id",
            "bucket",
            "stated_at",
            "person_id",
            postgresql_where=text("stated is not null"),
        ),
        Index(
            "ix_person_statuses_assessed",
            "crisis_id",
            "assessed",
            "person_id",
            postgresql_where=text("assessed is not null"),
        ),
    )

    crisis_id: Mapped[UUID]
    person_id: Mapped[UUID]
    reach: Mapped[Reach] = enum_column(Reach)
    stated: Mapped[Stated | None] = enum_column(Stated)
    stated_count: Mapped[int | None]
    stated_at: Mapped[MaybeMoment]
    assessed: Mapped[Assessment | None] = enum_column(Assessment)
    assessed_at: Mapped[MaybeMoment]
    assessed_by: Mapped[UUID | None]
    bucket: Mapped[str] = mapped_column(String(16), Computed(_BUCKET_SQL, persisted=True))


class StatusEvent(Base):
    """One statement, reading, assessment or closing; append-only. note_sealed: place "status_events.note" with row
    `id`.

    said_at orders them: a text counts from when it reached us, whenever it was processed. text_key: the text or link
    answer that it
    is, or that it is a reading of.
    """

    __tablename__ = "status_events"
    __table_args__ = (
        Index("ix_status_events_person", "person_id", "crisis_id", "said_at"),
        Index("ix_status_events_text_key", "text_key", postgresql_where=text("text_key is not null")),
    )

    number: Mapped[NumberKey]
    id: Mapped[UUID] = mapped_column(unique=True)
    crisis_id: Mapped[UUID] = mapped_column(ForeignKey("crises.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    source: Mapped[StatementSource] = enum_column(StatementSource)
    stated: Mapped[Stated | None] = enum_column(Stated)
    assessed: Mapped[Assessment | None] = enum_column(Assessment)
    count: Mapped[int | None]
    note_sealed: Mapped[MaybeSealed]
    text_key: Mapped[str | None] = mapped_column(String(96))
    inbound_id: Mapped[UUID | None] = mapped_column(ForeignKey("inbound_messages.id"))
    officer_id: Mapped[UUID | None] = mapped_column(ForeignKey("officers.id"))
    said_at: Mapped[Moment]


class Counter(Base):
    """A total kept by difference in the transaction that changes what it counts. scope_id: a crisis or an event."""

    __tablename__ = "counters"

    scope_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(48), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
