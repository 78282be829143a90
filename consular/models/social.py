"""Posts of approved alerts on public networks."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import LanguageTag, MaybeMoment, Moment, UuidKey, enum_column


class PostState(StrEnum):
    """The states of one post; `unknown` is posted again only where the network folds repeats or an officer decides."""

    QUEUED = "queued"
    SENDING = "sending"
    PUBLISHED = "published"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SocialPost(Base):
    """One approved text on one account. text is public by purpose, so it is stored readable. permalink: where it
    stands."""

    __tablename__ = "social_posts"
    __table_args__ = (
        UniqueConstraint("event_id", "network", "account", "language"),
        Index(
            "ix_social_posts_open",
            "state",
            "not_before",
            postgresql_where=text("state in ('queued', 'sending', 'unknown')"),
        ),
    )

    id: Mapped[UuidKey]
    event_id: Mapped[UUID] = mapped_column(ForeignKey("alert_events.id"))
    network: Mapped[str] = mapped_column(String(32))
    account: Mapped[str] = mapped_column(String(200))
    language: Mapped[LanguageTag]
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[PostState] = enum_column(PostState)
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    not_before: Mapped[Moment]
    attempt_id: Mapped[UUID | None]
    lease_until: Mapped[MaybeMoment]
    provider_post_id: Mapped[str | None] = mapped_column(String(64))
    permalink: Mapped[str | None] = mapped_column(String(500))
    error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[Moment]
    published_at: Mapped[MaybeMoment]
