"""What a bind brings, receipts and texts mixed, stored in one transaction before any of it is confirmed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from consular.clock import utc_now
from consular.extensions import cipher
from consular.models.inbound import InboundPath
from consular.queries import binds
from consular.queries import inbound as texts_stored
from consular.queries import receipts as receipts_stored
from consular.queries.binds import AnySession
from consular.queueing import wakeups
from consular.security.fields import KeyUnavailableError
from consular.services import inbound, receipts
from consular.services.transactions import unit_of_work

log = structlog.get_logger(__name__)

REPEAT = timedelta(seconds=300)
"""How long after it was stored a text may come again from an SMSC that did not hear our answer."""

Raw = Sequence[tuple[str, str]]


class Receipt(Protocol):
    """A receipt as a provider read it. attempt_id: None when only its id and phone tell what it is about."""

    @property
    def message_id(self) -> str: ...
    @property
    def attempt_id(self) -> UUID | None: ...
    @property
    def status(self) -> str: ...
    @property
    def error_code(self) -> str | None: ...
    @property
    def raw(self) -> Raw: ...


class Text(Protocol):
    """A text as a provider read it. missing: numbers of the parts that did not come."""

    @property
    def message_id(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def missing(self) -> Sequence[int]: ...
    @property
    def raw(self) -> Raw: ...


@dataclass(slots=True)
class _Earlier:
    """A text of an earlier process that may not have been confirmed. is_now: the id it came again under."""

    message_id: str
    is_now: str | None = None


class Arrivals:
    """The storing for one opened gateway, made when that is opened.

    Nothing in a deliver_sm tells a text that comes again from one that is sent twice; the adapter knows which of its
    own were confirmed. Of those before it, of a process that was killed, only the texts stored last may not have been:
    one of those that comes again, the same to the octet, is the same text.
    """

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._began_at = utc_now()
        self._earlier: dict[str, _Earlier] | None = None

    def store(self, receipts_heard: Sequence[Receipt], texts: Sequence[Text]) -> None:
        """Keep everything or, raising, nothing; what is there already stays as it is."""
        now = utc_now()
        with unit_of_work() as session:
            if receipts_heard:
                receipts_stored.store(session, [self._receipt(one, now) for one in receipts_heard])
            for place, one in enumerate(texts):
                at = now + timedelta(microseconds=place)
                texts_stored.store(session, self._text(self._identity(session, one, at), one, at))
        if receipts_heard:
            wakeups.kick("receipts", at_most_every=0.25)
        if texts:
            wakeups.kick("inbound", at_most_every=0.1)

    def _receipt(self, one: Receipt, now: datetime) -> dict[str, object]:
        identity = (one.message_id, one.attempt_id, one.status, one.error_code)
        return receipts.new_row(self._gateway, *identity, one.raw, now)

    def _text(self, identity: str, one: Text, at: datetime) -> dict[str, object]:
        row = inbound.new_row(self._gateway, identity, one.sender, one.body, one.raw, at, InboundPath.WEBHOOK)
        return {**row, "missing_parts": len(one.missing)}

    def _identity(self, session: AnySession, one: Text, now: datetime) -> str:
        if now - self._began_at > REPEAT:
            return one.message_id
        if self._earlier is None:
            self._earlier = self._unconfirmed(session)
        earlier = self._earlier.get(_content(one.raw))
        if earlier is None or earlier.is_now not in (None, one.message_id):
            return one.message_id
        earlier.is_now = one.message_id
        log.info("text_came_again", gateway=self._gateway)
        return earlier.message_id

    def _unconfirmed(self, session: AnySession) -> dict[str, _Earlier]:
        found = {}
        for row in binds.last_texts(session, self._gateway, self._began_at - REPEAT, self._began_at):
            try:
                raw = cipher.open(row.raw_sealed, "inbound_messages.raw", row.id)
            except KeyUnavailableError:
                continue
            found[_content(json.loads(raw))] = _Earlier(row.provider_message_id)
        return found


def _content(raw: Raw) -> str:
    return json.dumps([list(pair) for pair in raw])
