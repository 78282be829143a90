"""From a claimed row to a text that can be handed over: the body from the frozen event, the address opened, its parts
counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from consular.domain.canaries import CANARY_VALIDITY
from consular.domain.delivery import ACKNOWLEDGEMENT_VALIDITY
from consular.domain.ports import SmsRequest
from consular.domain.routing import Way
from consular.domain.segmentation import segment
from consular.extensions import cipher

if TYPE_CHECKING:
    from consular.services.ports import Book


class WrongGatewayError(Exception):
    """An exercise's text is queued for a real gateway, or the reverse: never sent."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text ready to go. number: of the message. parts: SMS parts, the unit of the sender's rate. is_alert: not the
    receipt of a reply, nor a test text."""

    number: int
    attempt_id: UUID
    to: str
    body: str
    validity_seconds: int
    parts: int
    country: str | None
    tries: int
    is_alert: bool

    def request(self, lease_ends_at: float) -> SmsRequest:
        """The request for the gateway; lease_ends_at in time.monotonic() seconds."""
        return SmsRequest(self.attempt_id, self.to, self.body, self.validity_seconds, lease_ends_at)


class Preparer:
    """Prepares rows for one gateway. Texts of one event, language and way differ only in link and reference, so
    parts are kept."""

    def __init__(self, book: Book, gateway: str, address_of: Callable[[Any], str]) -> None:
        self._book = book
        self._address_of = address_of
        self._gateway = gateway
        self._is_exercise = gateway == "exercise"
        self._parts: dict[tuple[UUID, str, Way, int], int] = {}

    def prepare(self, row: Any) -> Prepared | None:
        """The text of a claimed row; None when it has nothing to say. Raises KeyUnavailableError, WrongGatewayError."""
        if row.canary_id is not None:
            body = cipher.open(row.text_sealed, "canaries.text", row.canary_id)
            return self._prepared(row, body, int(CANARY_VALIDITY.total_seconds()), segment(body).parts)
        if row.event_id is None:
            receipt = self._book.acknowledgement(row.template, row.language, row.id, is_exercise=self._is_exercise)
            if receipt is None:
                return None
            return self._prepared(row, receipt, int(ACKNOWLEDGEMENT_VALIDITY.total_seconds()), segment(receipt).parts)
        event = self._book.event(row.event_id)
        if event.is_exercise != self._is_exercise:
            raise WrongGatewayError
        way = self._book.way(self._gateway, row.country)
        body = self._book.alert(row.event_id, row.language, row.id, way)
        key = (row.event_id, row.language, way, len(body))
        if key not in self._parts:
            self._parts[key] = segment(body).parts
        return self._prepared(row, body, event.validity_seconds, self._parts[key])

    def _prepared(self, row: Any, body: str, validity_seconds: int, parts: int) -> Prepared:
        return Prepared(
            number=row.id,
            attempt_id=row.attempt_id,
            to=self._address_of(row),
            body=body,
            validity_seconds=validity_seconds,
            parts=parts,
            country=row.country,
            tries=row.tries,
            is_alert=row.event_id is not None,
        )


def address_of(row: Any) -> str:
    """The phone a row's text goes to: a contact point of ours, whoever wrote to us, or a handset of the mission.

    Raises KeyUnavailableError.
    """
    if row.phone_sealed is not None:
        return cipher.open(row.phone_sealed, "canaries.phone", row.canary_id)
    if row.value_sealed is not None:
        return cipher.open(row.value_sealed, "contact_points.value", row.contact_point_id)
    return cipher.open(row.sender_sealed, "inbound_messages.sender", row.inbound_id)
