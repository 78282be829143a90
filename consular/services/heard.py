"""One text from a phone while it is worked on: who is behind it, what they were asked, and what follows from its
reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from consular.domain.phone import region_of
from consular.domain.replies import ReplyKind
from consular.domain.triage import Stated, StatementSource, attribute
from consular.models.assistance import RequestKind
from consular.services.assistance import NewRequest
from consular.services.statuses import NewStatement

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

_LOOKED_AT = (ReplyKind.NEEDS_HELP, ReplyKind.UNCLEAR, ReplyKind.WRONG_PERSON)
"""What a human reads even when a handset of the mission wrote it."""

OWN_TEXT = "OWN_HANDSET"
"""What a text from a handset of the mission is read as: no statement of anybody."""


@dataclass(slots=True)
class HeardText:
    """people: everybody on record behind the phone. questions: by person, the open question they answer. kind, count:
    its reading. is_own: the phone is a handset of the mission, so that nobody is behind it; canary: the number of the
    test text it answers."""

    row: Row[Any]
    sender: str
    body: str
    indexes: list[bytes]
    people: list[Row[Any]] = field(default_factory=list)
    questions: dict[UUID, Row[Any]] = field(default_factory=dict)
    kind: ReplyKind = ReplyKind.UNCLEAR
    count: int | None = None
    is_own: bool = False
    canary: int | None = None

    @property
    def language(self) -> str | None:
        """The language of the record, if there is one."""
        return self.people[0].language if self.people else None

    @property
    def crisis_country(self) -> str | None:
        """The country of the crisis the person was asked about, when it is a single one."""
        return next((question.country for question in self.questions.values()), None)

    @property
    def asked(self) -> list[Row[Any]]:
        """The people behind the phone who have an open question."""
        return [person for person in self.people if person.person_id in self.questions]

    @property
    def stated(self) -> Stated | None:
        """What the text says of each of them; doubt and a number that does not fit are UNCLEAR."""
        stated = _STATED.get(self.kind)
        if stated is None or not self.asked:
            return stated
        return attribute(stated, self.count, tuple(person.heads for person in self.asked))

    @property
    def text_key(self) -> str:
        """The name of this text in statements and requests."""
        return text_key(self.row.id)

    def statements(self) -> Sequence[NewStatement]:
        """One statement for everybody who was asked, each in their own crisis."""
        stated = self.stated
        if stated is None:
            return []
        return [
            NewStatement(
                crisis_id=self.questions[person.person_id].crisis_id,
                person_id=person.person_id,
                source=StatementSource.SMS,
                stated=stated,
                count=self.count,
                inbound_id=self.row.id,
                said_at=self.row.received_at,
                text_key=self.text_key,
            )
            for person in self.asked
        ]

    def request(self) -> NewRequest | None:
        """Why a human must look at this text, if one must: help, doubt, an unknown phone, or an answer to no
        question."""
        kind = self._request_kind()
        if kind is None:
            return None
        return NewRequest(
            source_key=self.text_key,
            crisis_id=self._first("crisis_id"),
            kind=kind,
            person_id=self._only_person(),
            inbound_id=self.row.id,
            opened_at=self.row.received_at,
            is_exercise=self.row.gateway == "exercise",
        )

    def _request_kind(self) -> RequestKind | None:
        if self.is_own and self.kind not in _LOOKED_AT:
            return None
        if not self.people:
            return RequestKind.NEEDS_HELP if self.kind is ReplyKind.NEEDS_HELP else RequestKind.UNKNOWN_SENDER
        if self.stated is Stated.UNCLEAR:
            return RequestKind.UNCLEAR
        if self.kind in _REQUESTS:
            return _REQUESTS[self.kind]
        return RequestKind.UNCLEAR if not self.questions and self.kind is not ReplyKind.OPT_IN else None

    def receipt(self) -> tuple[UUID, UUID | None, str | None, str, str] | None:
        """(inbound id, crisis, country of the phone, language, template) of the automatic receipt; None for STOP and
        for what is no phone."""
        if self.kind is ReplyKind.OPT_OUT or not self.sender.startswith("+"):
            return None
        if self.is_own and self.kind is not ReplyKind.NEEDS_HELP:
            return None
        template = (self.stated or self.kind).value
        return self.row.id, self._first("crisis_id"), region_of(self.sender), self.language or "en", template

    def finished(self) -> tuple[Any, ...]:
        """What is written on the text's own row, as queries.inbound.finish takes it."""
        return (
            self.row.id,
            OWN_TEXT if self.is_own else self.kind.value,
            self.count,
            self._first("crisis_id"),
            self._first("event_id"),
            self.canary if self.is_own else self._first("message_id"),
            self._only_person(),
            len(self.people),
        )

    def _first(self, name: str) -> Any:
        first = next((self.questions[person.person_id] for person in self.asked), None)
        return getattr(first, name) if first is not None else None

    def _only_person(self) -> UUID | None:
        return self.people[0].person_id if len(self.people) == 1 else None


def text_key(inbound_id: UUID) -> str:
    """The name of a text in statements and requests."""
    return f"sms:{inbound_id}"
