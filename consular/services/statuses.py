"""Recording what people said and what officers made of it: events are appended, the standing follows from all."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from consular.domain.triage import Assessment, Stated, StatementSource, fold
from consular.extensions import cipher
from consular.queries import counters, statuses
from consular.queries.counters import AnySession
from consular.queries.statuses import Key, StatusRow

_EVENTS = UUID("5f0f4a3e-6d1b-5c58-9c2a-2b1f6f3b7a10")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStatement:
    """One event about one person in one crisis.

    said_at: when the text reached us (not when it was processed), or when the officer acted.
    text_key: names the text or link answer, the same for everybody it speaks of, at most 64 characters, and the
    source_key of the request that the text opened; officers' readings and closings carry the key of the text they are
    about. A READING without text_key is a note. assessed: only with ASSESSMENT, what the officer believes from now
    on; None withdraws.
    """

    crisis_id: UUID
    person_id: UUID
    source: StatementSource
    said_at: datetime
    stated: Stated | None = None
    assessed: Assessment | None = None
    count: int | None = None
    note: str | None = None
    inbound_id: UUID | None = None
    officer_id: UUID | None = None
    text_key: str | None = None


def record_statements(session: AnySession, statements: Sequence[NewStatement]) -> None:
    """Append `statements` and bring people's standing and the board's counters up to date, inside the caller's
    transaction.

    The same text recorded again changes nothing. Rows of people are locked in one order and the counters last: lock
    messages or inbound rows before, and after this call lock nothing but more counters (assistance.open_requests is
    made for that). Meant for 1 to 1,000 statements a call.
    """
    if not statements:
        return
    keys = sorted({(new.crisis_id, new.person_id) for new in statements})
    created = statuses.create_missing(session, keys)
    before = statuses.lock(session, keys)
    statuses.append_events(session, [_event(new) for new in statements])
    after = _after(session, before, statements)
    changed = {key: row for key, row in after.items() if row != before[key]}
    if changed:
        statuses.write(session, changed)
    counters.add(session, _deltas(before, after, created))


def _event(new: NewStatement) -> dict[str, object]:
    event_id = _event_id(new)
    return {
        "id": event_id,
        "crisis_id": new.crisis_id,
        "person_id": new.person_id,
        "source": new.source,
        "stated": new.stated,
        "assessed": new.assessed,
        "count": new.count,
        "note_sealed": cipher.seal(new.note, "status_events.note", event_id) if new.note else None,
        "text_key": new.text_key,
        "inbound_id": new.inbound_id,
        "officer_id": new.officer_id,
        "said_at": new.said_at,
    }


def _event_id(new: NewStatement) -> UUID:
    if new.source in (StatementSource.SMS, StatementSource.LINK) and new.text_key:
        return uuid5(_EVENTS, f"{new.crisis_id}:{new.person_id}:{new.text_key}")
    return uuid4()


def _after(
    session: AnySession, before: Mapping[Key, StatusRow], statements: Sequence[NewStatement]
) -> dict[Key, StatusRow]:
    said = statuses.statements(session, before.keys())
    after = {key: replace(row, standing=fold(said[key])) for key, row in before.items()}
    for new in statements:
        if new.source is StatementSource.ASSESSMENT:
            key = (new.crisis_id, new.person_id)
            after[key] = replace(after[key], assessed=new.assessed, assessed_at=new.said_at, assessed_by=new.officer_id)
    return after


def _deltas(
    before: Mapping[Key, StatusRow], after: Mapping[Key, StatusRow], created: set[Key]
) -> dict[tuple[UUID, str], int]:
    deltas: Tally[tuple[UUID, str]] = Tally()
    for key, row in after.items():
        for name, number in row.counted():
            deltas[key[0], name] += number
        if key not in created:
            for name, number in before[key].counted():
                deltas[key[0], name] -= number
    return deltas
