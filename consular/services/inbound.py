"""Hearing people: every text is stored before anything else, then matched, read, and acted on; doubt goes to a
human."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import InterfaceError, OperationalError

from consular.domain.gateways import EXERCISE, HTTP, status_of
from consular.domain.phone_spellings import match_variants
from consular.domain.replies import CLASSIFIER_VERSION, Classification, ReplyKind, classify
from consular.extensions import cipher
from consular.models.assistance import RequestKind
from consular.models.inbound import InboundPath
from consular.queries import inbound
from consular.queueing import wakeups
from consular.security.fields import KeyUnavailableError
from consular.services import canaries
from consular.services.assistance import NewRequest, open_requests
from consular.services.heard import HeardText, text_key
from consular.services.statuses import record_statements
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

BATCH = 200
MOST_TRIES = 3
_TRIED_AT_ONCE = 20
_MOST_ROUNDS = 100
_REPEATED_WITHIN = timedelta(days=1)
"""So long an operator may repeat a call that we did not answer."""
MOST_RECEIPTS_AN_HOUR = 10

Reader = Callable[[str, str | None, str | None], Classification]


def read_reply(text: str, language: str | None, crisis_country: str | None) -> Classification:
    """domain.replies.classify, told in which country the crisis is: "I am in India" means different things."""
    return classify(text, language, crisis_country=crisis_country)


def store(
    gateway: str,
    provider_message_id: str,
    sender: str,
    body: str,
    raw: Sequence[tuple[str, str]],
    now: datetime,
    path: InboundPath = InboundPath.WEBHOOK,
) -> bool:
    """Keep one text exactly as it came; False when it was there already. Commits; a database error is raised to the
    caller.

    Where an operator's ids are short and come round again, another text under a known id is a text of its own.
    """
    row = new_row(gateway, provider_message_id, sender, body, raw, now, path)
    with unit_of_work() as session:
        is_new = inbound.store(session, row)
        if not is_new and gateway == HTTP:
            is_new = _store_beside(session, row, body)
    wakeups.kick("inbound", at_most_every=0.1)
    return is_new


def new_row(
    gateway: str,
    provider_message_id: str,
    sender: str,
    body: str,
    raw: Sequence[tuple[str, str]],
    now: datetime,
    path: InboundPath,
) -> dict[str, Any]:
    """One text as queries.inbound.store takes it; a whole one, see "missing_parts"."""
    inbound_id = uuid4()
    return {
        "id": inbound_id,
        "gateway": gateway,
        "provider_message_id": provider_message_id,
        "path": path.value,
        "sender_sealed": cipher.seal(sender, "inbound_messages.sender", inbound_id),
        "sender_index": cipher.index(sender, "phone"),
        "body_sealed": cipher.seal(body, "inbound_messages.body", inbound_id),
        "raw_sealed": cipher.seal(json.dumps(list(raw)), "inbound_messages.raw", inbound_id),
        "received_at": now,
        "missing_parts": 0,
    }


def _store_beside(session: inbound.AnySession, row: dict[str, Any], body: str) -> bool:
    """Store a text whose id is taken under an id of our own, unless it is what was stored under one of them."""
    known = row["provider_message_id"]
    for number in range(1, _MOST_ROUNDS):
        stored = inbound.stored_as(session, row["gateway"], row["provider_message_id"])
        if stored is None or _is_repetition(stored, row, body):
            return False
        row["provider_message_id"] = f"{known[:56]}~{number}"
        if inbound.store(session, row):
            return True
    return inbound.store(session, {**row, "provider_message_id": row["id"].hex})


def _is_repetition(stored: Row[Any], row: dict[str, Any], body: str) -> bool:
    """In doubt it is none: a text that is read twice does no harm."""
    if bytes(stored.sender_index) != row["sender_index"] or row["received_at"] - stored.received_at > _REPEATED_WITHIN:
        return False
    try:
        return cipher.open(stored.body_sealed, "inbound_messages.body", stored.id) == body
    except KeyUnavailableError:
        return False


class _Width:
    """How many texts this process takes together: fewer after a failure of which nobody knows whose it was, until it
    goes well again."""

    def __init__(self) -> None:
        self._most = BATCH

    @property
    def most(self) -> int:
        return min(self._most, BATCH)

    def failed(self, texts: int) -> None:
        self._most = max(1, texts // _STEP)

    def went_well(self) -> None:
        self._most = min(BATCH, self._most * _STEP)


_STEP = 8
_width = _Width()


def process(read: Reader = read_reply) -> int:
    """Work on the oldest waiting texts, at most BATCH in one transaction, then on a few that failed before, each in
    its own; how many are done, or will be tried again at once.

    read: text, language and country of the crisis to kind and count.

    What fails together says nothing of any single text: the same texts come again, in smaller groups. A text that
    fails alone is set aside, so that it stops only itself, and after MOST_TRIES it goes unread to the officers; but a
    database that broke off counts for no text. A database that gives no texts is the caller's: the error is raised.
    """
    done, is_failed = _process_fresh(read)
    return done if is_failed else done + _process_tried(read)


def _process_fresh(read: Reader) -> tuple[int, bool]:
    texts, error = _attempt(lambda session: inbound.take(session, _width.most), read)
    if error is None:
        _width.went_well()
    elif len(texts) == 1:
        _set_aside(texts[0], error)
    else:
        _width.failed(len(texts))
    return len(texts), error is not None


def _process_tried(read: Reader) -> int:
    """Texts that failed before, also while fresh ones wait; none more after one that failed again."""
    for done in range(_TRIED_AT_ONCE):
        texts, error = _attempt(inbound.take_tried, read)
        if error is not None:
            _set_aside(texts[0], error)
        if error is not None or not texts:
            return done
    return _TRIED_AT_ONCE


def _attempt(
    take: Callable[[inbound.AnySession], Sequence[Row[Any]]], read: Reader
) -> tuple[list[UUID], Exception | None]:
    """Work on what `take` gives, all of it or nothing: which texts, and why not. Raises what kept it from giving any.

    Also the queue's time limit ends here: it strikes in the middle of any text.
    """
    ids: list[UUID] = []
    try:
        with unit_of_work() as session:
            rows = take(session)
            ids = [row.id for row in rows]
            if rows:
                _work(session, rows, read)
    except Exception as error:
        if not ids:
            raise
        log.error("texts_failed", texts=len(ids), error=type(error).__name__, where=_where(error))  # noqa: TRY400
        return ids, error
    return ids, None


def _where(error: BaseException) -> str:
    """File and line without values: a whole trace could hold a text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{PurePath(last.filename).name}:{last.lineno}"


def _set_aside(inbound_id: UUID, error: Exception) -> None:
    with unit_of_work() as session:
        if isinstance(error, (OperationalError, InterfaceError)):
            inbound.set_aside(session, inbound_id)
        else:
            open_requests(session, _given_up(session, [inbound_id]))


def _work(session: inbound.AnySession, rows: Sequence[Row[Any]], read: Reader) -> None:
    texts = [text for row in rows if (text := _opened(row)) is not None]
    opened = {text.row.id for text in texts}
    given_up = _given_up(session, [row.id for row in rows if row.id not in opened])
    _match(session, texts)
    _find_own(session, texts)
    for text in texts:
        reading = _as_far_as_it_came(text, read(text.body, text.language, text.crisis_country))
        text.kind, text.count = reading.kind, reading.count
    _set_strangers_apart(texts)
    _act_on_phones(session, texts)
    receipts = [receipt for text in texts if (receipt := text.receipt()) is not None]
    inbound.acknowledge(session, receipts, MOST_RECEIPTS_AN_HOUR)
    inbound.finish(session, CLASSIFIER_VERSION, [text.finished() for text in texts])
    record_statements(session, [statement for text in texts for statement in text.statements()])
    requests = [request for text in texts if (request := text.request()) is not None]
    open_requests(session, [*requests, *given_up])


def _as_far_as_it_came(text: HeardText, reading: Classification) -> Classification:
    """What is missing may turn everything round: of half a text only a call for help is believed."""
    if not text.row.missing_parts:
        return reading
    is_call = reading.kind is ReplyKind.NEEDS_HELP
    return Classification(ReplyKind.NEEDS_HELP if is_call else ReplyKind.UNCLEAR)


def _opened(row: Row[Any]) -> HeardText | None:
    try:
        sender = cipher.open(row.sender_sealed, "inbound_messages.sender", row.id)
        body = cipher.open(row.body_sealed, "inbound_messages.body", row.id)
    except KeyUnavailableError:
        log.error("inbound_unreadable", inbound_id=str(row.id))  # noqa: TRY400 - no trace
        return None
    return HeardText(row, sender, body, [cipher.index(one, "phone") for one in match_variants(sender)])


def _given_up(session: inbound.AnySession, ids: Sequence[UUID]) -> list[NewRequest]:
    if not ids:
        return []
    return [
        NewRequest(
            source_key=text_key(row.id),
            crisis_id=None,
            kind=RequestKind.UNCLEAR,
            person_id=None,
            inbound_id=row.id,
            opened_at=row.received_at,
            is_exercise=row.gateway == "exercise",
        )
        for row in inbound.count_try(session, ids, MOST_TRIES, ReplyKind.UNCLEAR.value)
    ]


def _match(session: inbound.AnySession, texts: Sequence[HeardText]) -> None:
    behind: dict[bytes, list[Row[Any]]] = {}
    for person in inbound.people_behind(session, [index for text in texts for index in text.indexes]):
        behind.setdefault(bytes(person.value_index), []).append(person)
    for text in texts:
        found = {person.person_id: person for index in text.indexes for person in behind.get(index, [])}
        text.people = [person for person in found.values() if _was_theirs(person, text)]
    for gateway in {text.row.gateway for text in texts}:
        mine = [text for text in texts if text.row.gateway == gateway]
        people = {person.person_id for text in mine for person in text.people}
        questions = inbound.open_questions(session, list(people), status_of(gateway))
        by_person = {question.person_id: question for question in questions}
        for text in mine:
            text.questions = {p.person_id: by_person[p.person_id] for p in text.people if p.person_id in by_person}


def _find_own(session: inbound.AnySession, texts: Sequence[HeardText]) -> None:
    """What the mission's own handsets write answers a test text: it is nobody's statement."""
    real = [text for text in texts if text.row.gateway != EXERCISE]
    own = canaries.own_phones(session, {index for text in real for index in text.indexes})
    for text in real:
        if own.intersection(text.indexes):
            text.is_own, text.people, text.questions = True, [], {}
            text.canary = canaries.note_answer(session, text.row.gateway, text.indexes, text.row.received_at)


def _was_theirs(person: Row[Any], text: HeardText) -> bool:
    return person.unusable_since is None or text.row.received_at < person.unusable_since


def _set_strangers_apart(texts: Sequence[HeardText]) -> None:
    """What comes from a phone after "wrong person" is a stranger's, also when both texts are read at the same time."""
    real = [text for text in texts if text.row.gateway != EXERCISE]
    changed_hands: dict[bytes, datetime] = {}
    for text in real:
        if text.kind is ReplyKind.WRONG_PERSON:
            for index in text.indexes:
                changed_hands[index] = min(changed_hands.get(index, text.row.received_at), text.row.received_at)
    for text in real:
        since = min((changed_hands[index] for index in text.indexes if index in changed_hands), default=None)
        tells_it = text.kind is ReplyKind.WRONG_PERSON and text.row.received_at == since
        if since is not None and text.row.received_at >= since and not tells_it:
            text.people, text.questions = [], {}


def _act_on_phones(session: inbound.AnySession, texts: Sequence[HeardText]) -> None:
    for kind, (act, which) in _PHONE_ACTS.items():
        moments: dict[str, dict[bytes, datetime]] = {}
        for text in texts:
            if text.kind is kind:
                at_gateway = moments.setdefault(text.row.gateway, {})
                for index in (bytes(text.row.sender_index), *text.indexes):
                    at_gateway[index] = which(at_gateway.get(index, text.row.received_at), text.row.received_at)
        for gateway, phones in sorted(moments.items()):
            act(session, gateway, phones)


_PHONE_ACTS = {
    ReplyKind.OPT_OUT: (inbound.opt_out, max),
    ReplyKind.OPT_IN: (inbound.opt_in, max),
    ReplyKind.WRONG_PERSON: (inbound.freeze_phones, min),
}
"""What follows for a phone, and which of several such texts counts."""
