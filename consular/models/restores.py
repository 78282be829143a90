"""Where the database lives, so that a copy restored elsewhere is known for what it is."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from consular.extensions import Base
from consular.models.columns import MaybeMoment, Moment


class DatabaseHome(Base):
    """One row: the cluster, timeline, database and table that hold it. Written when texts are first sent, never by a
    migration, so that data restored into an empty schema bring it with them.

    A copy has another of these numbers. system_identifier is empty where asking for it is not allowed. closed_at: since
    when nothing is sent, because this is a restored copy; empty: texts may leave.
    """

    __tablename__ = "database_home"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    system_identifier: Mapped[int | None] = mapped_column(BigInteger)
    timeline: Mapped[int] = mapped_column(BigInteger)
    database_oid: Mapped[int] = mapped_column(BigInteger)
    table_oid: Mapped[int] = mapped_column(BigInteger)
    known_since: Mapped[Moment]
    closed_at: Mapped[MaybeMoment]


class ComparedList(Base):
    """A gateway whose list of sent texts was held against this restored copy. read: texts in it; found: of those that
    the copy did not know as sent."""

    __tablename__ = "compared_lists"

    gateway: Mapped[str] = mapped_column(String(32), primary_key=True)
    compared_at: Mapped[Moment]
    read: Mapped[int] = mapped_column(BigInteger)
    found: Mapped[int] = mapped_column(BigInteger)
