"""Hearing people: every text is stored before anything else, then matched, read, and acted on; doubt goes to a human."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row

from consular.domain.cap import AlertStatus
from consular.domain.phone_spellings import match_variants
from consular.domain.replies import CLASSIFIER_VERSION, Classification, ReplyKind, classify
from consular.domain.triage import Stated, StatementSource, attribute
from consular.extensions import cipher
from consular.models.assistance import RequestKind
from consular.models.inbound import InboundPath
from consular.queries import inbound
from consular.queueing import wakeups
from consular.security.fields import KeyUnavailableError
from consular.services.assistance import NewRequest, open_requests
from consular.services.statuses import NewStatement, record_statements
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

BATCH = 200
MOST_TRIES = 3
MOST_RECEIPTS_AN_HOUR = 10

_STATUS_OF_GATEWAY = {"actual": AlertStatus.ACTUAL, "exercise": AlertStatus.EXERCISE}
_STATED = {
    ReplyKind.SAFE: Stated.SAFE,
    ReplyKind.NEEDS_HELP: Stated.NEEDS_HELP,
    ReplyKind.NOT_THERE: Stated.NOT_THERE,
    ReplyKind.UNCLEAR: Stated.UNCLEAR,
}
_REQUESTS = {
    ReplyKind.NEEDS_HELP: RequestKind.NEEDS_HELP,
    ReplyKind.UNCLEAR: RequestKind.UNCLEAR,
    ReplyKind.WRONG_PERSON: RequestKind.WRONG_PERSON,
    ReplyKind.OPT_OUT: RequestKind.OPTED_OUT,
}


def store(
    gateway: str,
    provider_message_id: str,
    sender: str,
    body: str,
    raw: Sequence[tuple[str, str]],
    now: datetime,
    path: InboundPath = InboundPath.WEBHOOK,
) -> bool:
    """Keep one text exactly as it came; False when it was there already. Commits; a database error is raised to the caller."""
    inbound_id = uuid4()
    row = {
        "id": inbound_id,
        "gateway": gateway,
        "provider_message_id": provider_message_id,
        "path": path.value,
        "sender_sealed": cipher.seal(sender, "inbound_messages.sender", inbound_id),
        "sender_index": cipher.index(sender, "phone"),
        "body_sealed": cipher.seal(body, "inbound_messages.body", inbound_id),
        "raw_sealed": cipher.seal(json.dumps(list(raw)), "inbound_messages.raw", inbound_id),
        "received_at": now,
    }
    with unit_of_work() as session:
        is_new = inbound.store(session, row)
    wakeups.kick("inbound", at_most_every=0.1)
    return is_new


@dataclass(slots=True)
class _Text:
    """One text while it is worked on. question: the latest open question of the first person behind the phone."""

    row: Row[Any]
    sender: str
    body: str
    indexes: list[bytes]
    people: list[Row[Any]] = field(default_factory=list)
    questions: dict[UUID, Row[Any]] = field(default_factory=dict)
    reading: Classification | None = None

    @property
    def text_key(self) -> str:
        return f"sms:{self.row.id}"


def process() -> int:
    """Work on the oldest waiting texts, at most BATCH; how many there were. One transaction: all of it or nothing."""
    with unit_of_work() as session:
        rows = inbound.take(session, BATCH, MOST_TRIES)
        texts = [text for row in rows if (text := _opened(session, row)) is not None]
        if texts:
            _match(session, texts)
            for text in texts:
                text.reading = classify(text.body, _language(text))
            _act(session, texts)
            inbound.finish(session, CLASSIFIER_VERSION, [_finished(text) for text in texts])
        return len(rows)


def _opened(session: inbound.AnySession, row: Row[Any]) -> _Text | None:
    try:
        sender = cipher.open(row.sender_sealed, "inbound_messages.sender", row.id)
        body = cipher.open(row.body_sealed, "inbound_messages.body", row.id)
    except KeyUnavailableError:
        log.error("inbound_unreadable", inbound_id=str(row.id))
        inbound.count_try(session, row.id)
        return None
    return _Text(row, sender, body, [cipher.index(one, "phone") for one in match_variants(sender)])


def _match(session: inbound.AnySession, texts: Sequence[_Text]) -> None:
    behind: dict[bytes, list[Row[Any]]] = {}
    for person in inbound.people_behind(session, [index for text in texts for index in text.indexes]):
        behind.setdefault(bytes(person.value_index), []).append(person)
    for text in texts:
        found = {person.person_id: person for index in text.indexes for person in behind.get(index, [])}
        text.people = list(found.values())
    for gateway in {text.row.gateway for text in texts}:
        mine = [text for text in texts if text.row.gateway == gateway]
        people = {person.person_id for text in mine for person in text.people}
        questions = inbound.open_questions(session, list(people), _STATUS_OF_GATEWAY[gateway])
        by_person = {question.person_id: question for question in questions}
        for text in mine:
            text.questions = {p.person_id: by_person[p.person_id] for p in text.people if p.person_id in by_person}


def _language(text: _Text) -> str | None:
    return text.people[0].language if text.people else None


def _act(session: inbound.AnySession, texts: Sequence[_Text]) -> None:
    record_statements(session, [statement for text in texts for statement in _statements(text)])
    open_requests(session, [request for text in texts if (request := _request(text)) is not None])
    for kind, act in _PHONE_ACTS.items():
        for text in texts:
            if _kind(text) is kind:
                act(session, _phones(text), text.row.received_at)
    inbound.acknowledge(session, [_receipt(text) for text in texts if _wants_receipt(text)], MOST_RECEIPTS_AN_HOUR)


_PHONE_ACTS = {
    ReplyKind.OPT_OUT: inbound.opt_out,
    ReplyKind.OPT_IN: inbound.opt_in,
    ReplyKind.WRONG_PERSON: inbound.freeze_phone,
}


def _kind(text: _Text) -> ReplyKind:
    assert text.reading is not None
    return text.reading.kind


def _phones(text: _Text) -> list[bytes]:
    return [bytes(text.row.sender_index), *(bytes(person.value_index) for person in text.people)]


def _asked(text: _Text) -> list[Row[Any]]:
    """The people behind the phone who were asked, in the crisis of the latest question."""
    return [person for person in text.people if person.person_id in text.questions]


def _stated(text: _Text) -> Stated | None:
    assert text.reading is not None
    stated = _STATED.get(text.reading.kind)
    asked = _asked(text)
    if stated is None or not asked:
        return stated
    return attribute(stated, text.reading.count, tuple(person.heads for person in asked))


def _statements(text: _Text) -> list[NewStatement]:
    stated = _stated(text)
    if stated is None or text.reading is None:
        return []
    return [
        NewStatement(
            crisis_id=text.questions[person.person_id].crisis_id,
            person_id=person.person_id,
            source=StatementSource.SMS,
            stated=stated,
            assessed=None,
            count=text.reading.count,
            note=None,
            inbound_id=text.row.id,
            officer_id=None,
            said_at=text.row.received_at,
            text_key=text.text_key,
        )
        for person in _asked(text)
    ]


def _request(text: _Text) -> NewRequest | None:
    kind = _kind(text)
    if not text.people:
        request = RequestKind.NEEDS_HELP if kind is ReplyKind.NEEDS_HELP else RequestKind.UNKNOWN_SENDER
    elif _stated(text) is Stated.UNCLEAR:
        request = RequestKind.UNCLEAR
    elif kind in _REQUESTS:
        request = _REQUESTS[kind]
    elif not text.questions and kind is not ReplyKind.OPT_IN:
        request = RequestKind.UNCLEAR
    else:
        return None
    first = next(iter(text.questions.values()), None)
    return NewRequest(
        source_key=text.text_key,
        crisis_id=first.crisis_id if first else None,
        kind=request,
        person_id=text.people[0].person_id if len(text.people) == 1 else None,
        inbound_id=text.row.id,
        opened_at=text.row.received_at,
    )


def _wants_receipt(text: _Text) -> bool:
    is_phone = text.sender.startswith("+")
    return is_phone and _kind(text) is not ReplyKind.OPT_OUT


def _receipt(text: _Text) -> tuple[UUID, UUID | None, str, str]:
    first = next(iter(text.questions.values()), None)
    stated = _stated(text)
    template = stated.value if stated is not None else _kind(text).value
    return text.row.id, first.crisis_id if first else None, _language(text) or "en", template


def _finished(text: _Text) -> tuple[Any, ...]:
    assert text.reading is not None
    first = next(iter(text.questions.values()), None)
    return (
        text.row.id,
        text.reading.kind.value,
        text.reading.count,
        first.crisis_id if first else None,
        first.event_id if first else None,
        first.message_id if first else None,
        text.people[0].person_id if len(text.people) == 1 else None,
        len(text.people),
    )
