"""Daily test texts to the mission's own handsets through every real gateway: the same way that alerts take."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row

from consular.domain.canaries import (
    ANSWER_WITHIN,
    CANARY_HISTORY,
    SEND_AGAIN_AFTER,
    CanaryResult,
    canary_text,
    is_due,
    result_of,
)
from consular.domain.delivery import MessageState
from consular.domain.gateways import ACTUAL_GATEWAYS
from consular.domain.phone import region_of
from consular.domain.readiness import LastTest
from consular.domain.references import reference_of
from consular.extensions import cipher
from consular.queries import canaries, capabilities
from consular.security.fields import KeyUnavailableError
from consular.services import audit
from consular.services.transactions import unit_of_work

if TYPE_CHECKING:
    from config import Config

log = structlog.get_logger(__name__)

AnySession = canaries.AnySession

_CLOCK_SLACK = timedelta(minutes=5)
"""A gateway's list dates answers by its own clock."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which handsets are tested through which gateways. phones: E.164. hour: UTC, from which on it is done."""

    gateways: tuple[str, ...]
    phones: tuple[str, ...] = field(repr=False)
    mission_name: str
    hour: int

    @classmethod
    def of(cls, config: Config) -> Plan:
        """What the settings name: every real gateway."""
        gateways = tuple(name for name in ACTUAL_GATEWAYS if name in config.gateways)
        return cls(gateways, config.canary_phones, config.mission_name, config.canary_hour)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every (gateway, phone)."""
        return [(gateway, phone) for gateway in self.gateways for phone in self.phones]

    @property
    def paths(self) -> set[tuple[str, str]]:
        """Every (gateway, country of a handset's number)."""
        return {(gateway, country_of(phone)) for gateway, phone in self.pairs}


@dataclass(frozen=True, slots=True)
class Sent:
    """What a round did. postponed: gateways on which an alert is going out. recent: handsets that were texted by a
    gateway just before, so that nothing was sent again."""

    texts: int = 0
    postponed: Sequence[str] = ()
    recent: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A test text and what became of it. phone: its last digits. failure: an error code or reason, where it failed.
    at: when it was made; settled_at: when its result was known last."""

    gateway: str
    country: str
    phone: str
    result: CanaryResult
    failure: str | None
    at: datetime
    accepted_at: datetime | None
    delivered_at: datetime | None
    answered_at: datetime | None
    settled_at: datetime
    run: int
    asked_by: str | None
    reference: str


def send_daily(plan: Plan, now: datetime) -> Sent:
    """Make the test texts of now's day that are due and not made yet; safe to call every few seconds and by many."""
    if not plan.pairs or not is_due(now, plan.hour):
        return Sent()
    with unit_of_work() as session:
        if not canaries.lock(session):
            return Sent()
        wanted = _missing(plan, canaries.made_on(session, now.date()))
        if not wanted:
            return Sent()
        sent = _make(session, plan, wanted, run=0, now=now, asked_by=None)
        canaries.forget(session, now - CANARY_HISTORY)
    if sent.texts:
        log.info("canaries_sent", texts=sent.texts)
    return sent


def send_now(plan: Plan, now: datetime, asked_by: UUID | None = None) -> Sent:
    """Test every handset through every gateway now, except by those on which an alert is going out; what was done.

    A handset that was texted by a gateway within SEND_AGAIN_AFTER is left out. asked_by None: a command.
    """
    with unit_of_work() as session:
        if not canaries.lock(session):
            return Sent(recent=len(plan.pairs))
        wanted = _missing(plan, canaries.made_since(session, now - SEND_AGAIN_AFTER))
        sent = _make(session, plan, wanted, canaries.next_run(session, now.date()), now, asked_by)
        if sent.texts:
            detail = {"texts": sent.texts, "postponed": list(sent.postponed)}
            audit.record(session, now, "canaries_sent", "canary", now.date(), officer_id=asked_by, detail=detail)
    return Sent(sent.texts, sent.postponed, len(plan.pairs) - len(wanted))


def seen() -> list[Seen]:
    """The newest test text of each handset and gateway, of the last seven days."""
    with unit_of_work():
        return [_seen(row) for row in canaries.latest()]


def last_tests() -> dict[tuple[str, str], LastTest]:
    """The newest test text of each path (gateway, country) within ninety days. Call it inside a unit of work or a
    page's own session."""
    return {(row.gateway, row.country): _last_test(row) for row in canaries.latest_of_paths()}


def history(limit: int = 500) -> list[Seen]:
    """Test texts, the newest first."""
    with unit_of_work():
        return [_seen(row) for row in canaries.history(limit)]


def people_behind(plan: Plan) -> int:
    """People on record whose phone is one of the handsets: their answers are not counted as theirs."""
    with unit_of_work() as session:
        return canaries.people_behind(session, [cipher.index(phone, "phone") for phone in plan.phones])


def note_results() -> None:
    """Write how the newest test of each path ended to the table of capabilities. Commits."""
    with unit_of_work() as session:
        newest: dict[tuple[str, str], Row[Any]] = {}
        for row in canaries.latest():
            key = (row.gateway, row.country)
            if key not in newest or row.created_at > newest[key].created_at:
                newest[key] = row
        for (gateway, country), row in sorted(newest.items()):
            words = result_words(_seen(row))
            capabilities.note_test(session, gateway, country, words, row.created_at)


def own_phones(session: AnySession, indexes: Collection[bytes]) -> set[bytes]:
    """Which phones are the mission's own handsets: what they write is never a citizen's."""
    return canaries.own_phones(session, indexes) if indexes else set()


def note_answer(session: AnySession, gateway: str, indexes: Collection[bytes], at: datetime) -> int | None:
    """A handset wrote back; the number of the test text it answers, None when there was none lately."""
    return canaries.note_answer(session, gateway, indexes, at - ANSWER_WITHIN, at + _CLOCK_SLACK, at)


@cache
def country_of(phone: str) -> str:
    """The country of a handset's number; "001" for a number of no country, "" for one that cannot be read."""
    return region_of(phone) or ""


def result_words(one: Seen) -> str:
    """A result in short words: delivered, answered; failed: 21408."""
    return _words(one.result, one.failure)


def _words(result: CanaryResult, failure: str | None) -> str:
    words = result.value.replace("_", " ")
    return f"{words}: {failure}" if failure else words


def _missing(plan: Plan, made: set[tuple[str, bytes]]) -> list[tuple[str, str]]:
    return [(gateway, phone) for gateway, phone in plan.pairs if (gateway, cipher.index(phone, "phone")) not in made]


def _make(
    session: AnySession,
    plan: Plan,
    wanted: Sequence[tuple[str, str]],
    run: int,
    now: datetime,
    asked_by: UUID | None,
) -> Sent:
    busy = canaries.busy(session, {gateway for gateway, _ in wanted})
    free = [pair for pair in wanted if pair[0] not in busy]
    texts = sum(_insert(session, plan, gateway, phone, run, now, asked_by) for gateway, phone in free)
    return Sent(texts, tuple(sorted(busy)))


def _insert(
    session: AnySession, plan: Plan, gateway: str, phone: str, run: int, now: datetime, asked_by: UUID | None
) -> bool:
    canary_id, number, country = uuid4(), canaries.next_number(session), country_of(phone)
    words = canary_text(
        plan.mission_name,
        now.date(),
        gateway,
        reference_of(number),
        can_reply=_is_two_way(session, gateway, country),
    )
    values = {
        "id": canary_id,
        "day": now.date(),
        "run": run,
        "gateway": gateway,
        "endpoint_index": cipher.index(phone, "phone"),
        "country": country,
        "phone_sealed": cipher.seal(phone, "canaries.phone", canary_id),
        "text_sealed": cipher.seal(words, "canaries.text", canary_id),
        "number": number,
        "asked_by": asked_by,
        "now": now,
    }
    return canaries.insert(session, values)


def _is_two_way(session: AnySession, gateway: str, country: str) -> bool:
    row = capabilities.for_country(session, country).get(gateway)
    return row is None or row.is_two_way


def _last_test(row: Row[Any]) -> LastTest:
    result, failure = _outcome(row)
    failed_at = row.updated_at if result is CanaryResult.FAILED else None
    return LastTest(_words(result, failure), row.created_at, failed_at)


def _outcome(row: Row[Any]) -> tuple[CanaryResult, str | None]:
    """What became of it, and where it failed the error's code or reason."""
    result = result_of(MessageState(row.state), row.answered_at)
    if result not in (CanaryResult.FAILED, CanaryResult.NOT_SENT):
        return result, None
    return result, row.error_code or (row.failure_reason or "").replace("_", " ") or None


def _seen(row: Row[Any]) -> Seen:
    result, failure = _outcome(row)
    return Seen(
        gateway=row.gateway,
        country=row.country,
        phone=_phone_end(row),
        result=result,
        failure=failure,
        at=row.created_at,
        accepted_at=row.accepted_at,
        delivered_at=row.delivered_at,
        answered_at=row.answered_at,
        settled_at=row.updated_at,
        run=row.run,
        asked_by=row.asked_by,
        reference=reference_of(row.number),
    )


def _phone_end(row: Row[Any]) -> str:
    """Its last digits; none when the key that sealed an old one is gone."""
    try:
        return f"…{cipher.open(row.phone_sealed, 'canaries.phone', row.id)[-3:]}"
    except KeyUnavailableError:
        return "…"
