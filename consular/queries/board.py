"""What the board shows of one crisis: counters, the head of the queue, and how long the oldest have waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text

from consular.domain.cap import AlertStatus
from consular.extensions import db
from consular.models.assistance import RequestKind
from consular.models.crises import Crisis
from consular.models.statuses import Bucket
from consular.queries import counters, requests
from consular.queries.requests import QueueRow

__all__ = ["ANSWERED", "REACHED", "UNANSWERED", "Board", "Bucket", "CrisisHead", "find_crisis", "look"]

ANSWERED = (Bucket.NEEDS_HELP, Bucket.UNCLEAR, Bucket.NOT_THERE, Bucket.SAFE)
UNANSWERED = (Bucket.SILENT, Bucket.HANDED_OVER, Bucket.WAITING, Bucket.NOT_DELIVERED, Bucket.NO_PHONE)
REACHED = (*ANSWERED, Bucket.SILENT)
"""Reached: answered, or a delivery report says that the text arrived."""

_UNASKED = text("""
select distinct jsonb_array_elements_text(
    case jsonb_typeof(accepts_no_answer_from) when 'array' then accepts_no_answer_from else '[]' end) as country
from alert_events where crisis_id = :crisis_id order by country
""")


@dataclass(frozen=True, slots=True)
class CrisisHead:
    """What every page of a crisis shows of it."""

    id: UUID
    title: str
    status: AlertStatus
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Board:
    """One look at a crisis. open_requests and oldest: by kind, requests that belong to no crisis included. unasked:
    countries of phones ("": unknown) that an alert went to without its question, where nobody could answer it."""

    crisis: CrisisHead
    figures: Mapping[str, int]
    open_requests: Mapping[RequestKind, int]
    oldest: Mapping[RequestKind, datetime]
    queue: list[QueueRow]
    unasked: Sequence[str] = ()

    def bucket(self, bucket: Bucket) -> int:
        """People in one part."""
        return self.figures.get(f"bucket:{bucket}", 0)

    def heads(self, bucket: Bucket) -> int:
        """People together with those they said are with them: at least so many, since not everybody gives a number."""
        return self.figures.get(f"heads:{bucket}", 0)

    def assessed(self, assessment: str) -> int:
        """People whom an officer assessed so, whatever they said themselves."""
        return self.figures.get(f"assessed:{assessment}", 0)

    @property
    def people(self) -> int:
        """Everybody asked, and everybody else who answered; counted apart from the parts, so that a gap would show."""
        return sum(value for key, value in self.figures.items() if key.startswith("reach:"))

    @property
    def reached(self) -> int:
        """People who answered, or whose phone is reported to have the text."""
        return sum(self.bucket(bucket) for bucket in REACHED)

    @property
    def remainder(self) -> int:
        """People who are in none of the parts; must be 0, and is shown when it is not."""
        return self.people - sum(self.bucket(bucket) for bucket in Bucket)


def find_crisis(crisis_id: UUID) -> CrisisHead | None:
    """The crisis, open or closed."""
    columns = (Crisis.id, Crisis.title, Crisis.status, Crisis.opened_at, Crisis.closed_at)
    row = db.session.execute(select(*columns).where(Crisis.id == crisis_id)).one_or_none()
    return CrisisHead(*row) if row else None


def look(crisis: CrisisHead, queue_length: int = 8) -> Board:
    """The board of a crisis: a handful of index look-ups, whatever the number of people."""
    figures = counters.read(crisis.id)
    apart = counters.read(counters.NO_EXERCISE if crisis.status is AlertStatus.EXERCISE else counters.NO_CRISIS)
    waiting = {kind: figures.get(f"requests:{kind}", 0) + apart.get(f"requests:{kind}", 0) for kind in requests.KINDS}
    queue = requests.open_page(crisis.id, limit=queue_length) if any(waiting.values()) else []
    oldest = requests.oldest(crisis.id) if queue else {}
    unasked = db.session.execute(_UNASKED, {"crisis_id": crisis.id}).scalars().all()
    return Board(crisis, figures, waiting, oldest, queue, unasked)
