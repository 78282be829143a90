"""Public posts of approved alerts: rows in the approval's own transaction, posted one by one (docs/adr/0003)."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session, scoped_session

from consular.domain.cap import AlertStatus
from consular.domain.ports import PostRequest, PostResult, Publisher, SendOutcome
from consular.domain.social import compose_post
from consular.errors import ConflictError, NotFoundError
from consular.extensions import cipher
from consular.models.alerts import AlertEvent
from consular.models.social import PostState, SocialPost
from consular.queries import social
from consular.queueing import wakeups
from consular.services import audit, restoring
from consular.services.transactions import unit_of_work

AnySession = Session | scoped_session[Session]

LEASE_SECONDS = 60.0
"""How long a post may be `sending`. A publisher blocks at most 20 s and is not begun after half of the lease."""

_LONGEST_WAIT_SECONDS = 300.0

log = structlog.get_logger(__name__)


class Publishers(Protocol):
    """Gives the accounts that Exercise, or that Actual alerts may be posted to; never one for both."""

    def __call__(self, *, is_exercise: bool) -> Sequence[Publisher]: ...


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where approved alerts are posted. link: an address for everybody, put under each post."""

    publishers: Publishers
    link: str | None


def queue_posts(session: AnySession, event: AlertEvent, now: datetime, outlets: Outlets | None = None) -> int:
    """Insert a post for each account and language of `event`, which must already be flushed; how many. Does not commit.

    Exercises go to practice accounts only. A text that cannot be made to fit is a failed post with the reason: it never
    stops an alert. outlets None: no account is set up. Raises KeyUnavailableError.
    """
    publishers = outlets.publishers(is_exercise=event.status is AlertStatus.EXERCISE) if outlets else ()
    if outlets is None or not publishers:
        return 0
    texts = json.loads(cipher.open(event.content_sealed, "alert_events.content", event.id))["texts"]
    rows = [
        _row(event, publisher, language, _compose(event, publisher, language, words, outlets.link), now)
        for publisher in publishers
        for language, words in texts.items()
    ]
    return social.add(session, rows)


def cancel_unsent(session: AnySession, event_id: UUID, now: datetime) -> int:
    """Cancel the posts of an event that no network was given yet; how many. Does not commit.

    event.stopped_at must be set in the same transaction, so that nothing more is claimed.
    """
    return social.cancel_unsent(session, event_id)


def drain(
    publishers: Publishers, seconds: float, should_stop: Callable[[], bool], lease_seconds: float = LEASE_SECONDS
) -> int:
    """Post what is due until nothing is left, `seconds` are over or should_stop(); how many were tried.

    Safe to run in any number of processes at once. No connection is held while a network is spoken to.
    """
    accounts = {status: _by_name(publishers(is_exercise=status is AlertStatus.EXERCISE)) for status in AlertStatus}
    folding = sorted({one.network for named in accounts.values() for one in named.values() if one.is_idempotent})
    with unit_of_work() as session:
        if not restoring.may_send(session):
            return 0
        lapsed = social.settle_overdue(session, folding)
    if lapsed:
        log.warning("post_leases_lapsed", count=lapsed)
    ends_at, done = time.monotonic() + seconds, 0
    while time.monotonic() < ends_at and not should_stop():
        claimed_at = time.monotonic()
        with unit_of_work() as session:
            claimed = social.claim(session, folding, lease_seconds)
        if claimed is None:
            break
        publisher = accounts[AlertStatus(claimed.status)].get((claimed.network, claimed.account))
        result = _publish(claimed, publisher, claimed_at + lease_seconds / 2)
        _record(claimed, result, lease_seconds if claimed.network in folding else None)
        done += 1
    return done


def retry(post_id: UUID, officer_id: UUID, now: datetime) -> None:
    """Post a failed or unknown post again, with the same key. Raises NotFoundError, ConflictError.

    Where the network has no keys, or forgot ours, an unknown post may then stand there twice: the officer's decision.
    """
    with unit_of_work() as session:
        post = _lock_undecided(session, post_id)
        event = session.get_one(AlertEvent, post.event_id)
        if event.stopped_at is not None or event.expires_at <= now:
            raise ConflictError("This alert was stopped or is over: nothing more is posted for it.")
        if not post.text:
            raise ConflictError("The text does not fit this account: write another alert with a shorter headline.")
        _decide(session, post, "social_post_retried", PostState.QUEUED, officer_id, now)
        post.error, post.not_before = None, now
    wakeups.kick("social")


def confirm(post_id: UUID, officer_id: UUID, now: datetime) -> None:
    """An officer saw the unknown post standing there: it counts as published. Raises NotFoundError, ConflictError."""
    with unit_of_work() as session:
        post = _lock_undecided(session, post_id)
        if post.state is not PostState.UNKNOWN:
            raise ConflictError("The network refused this post: it cannot stand there.")
        _decide(session, post, "social_post_confirmed", PostState.PUBLISHED, officer_id, now)
        post.error, post.published_at = None, now


def _compose(
    event: AlertEvent, publisher: Publisher, language: str, words: Mapping[str, str], link: str | None
) -> tuple[str, str | None]:
    """(text, None), or ("", why there is none)."""
    try:
        text = compose_post(
            words["headline"],
            words["text"],
            link=link,
            is_exercise=event.status is AlertStatus.EXERCISE,
            limit=publisher.character_limit,
            language=language,
            network=publisher.network,
        )
    except ValueError as error:
        return "", f"Nothing was posted: {error}."
    return text, None


def _row(
    event: AlertEvent, publisher: Publisher, language: str, composed: tuple[str, str | None], now: datetime
) -> dict[str, Any]:
    text, problem = composed
    return {
        "id": uuid4(),
        "event_id": event.id,
        "network": publisher.network,
        "account": publisher.account,
        "language": language,
        "text": text,
        "state": PostState.FAILED if problem else PostState.QUEUED,
        "error": problem,
        "not_before": now,
        "created_at": now,
    }


def _by_name(publishers: Sequence[Publisher]) -> dict[tuple[str, str], Publisher]:
    return {(publisher.network, publisher.account): publisher for publisher in publishers}


def _publish(claimed: Row[Any], publisher: Publisher | None, begin_before: float) -> PostResult:
    if publisher is None:
        return PostResult(SendOutcome.REFUSED, error="This account is not set up any more on the server that posts.")
    if time.monotonic() > begin_before:
        return PostResult(SendOutcome.NOT_SENT, error="The program was held up; the post is tried again.")
    return publisher.publish(PostRequest(claimed.text, claimed.language, str(claimed.id)))


def _record(claimed: Row[Any], result: PostResult, repeat_after: float | None) -> None:
    """repeat_after: seconds until doubt may be settled by posting again with the same key; None: never by itself."""
    pause = wait_before_retry(claimed.tries, random.random(), result.retry_after_seconds)
    state = state_after(PostState(claimed.before), result.outcome)
    wait: float | None = pause
    if result.outcome is SendOutcome.UNKNOWN:
        wait = None if repeat_after is None else pause + repeat_after
    elif result.outcome is SendOutcome.REFUSED:
        wait = None
    with unit_of_work() as session:
        recorded = social.record(
            session,
            claimed,
            state.value,
            wait=wait,
            provider_post_id=result.provider_post_id,
            permalink=result.permalink,
            error=result.error[:300] if result.error else None,
        )
        if result.outcome in (SendOutcome.NOT_SENT, SendOutcome.UNKNOWN):
            social.defer_account(session, claimed, pause)
    about = {"post_id": str(claimed.id), "network": claimed.network, "tries": claimed.tries, "state": recorded}
    log.info("post_tried", outcome=result.outcome.value, http_status=result.http_status, **about)


def state_after(before: PostState, outcome: SendOutcome) -> PostState:
    """The state after one try. A post in doubt stays so until it is accepted: what a repeat meets proves nothing."""
    if outcome is SendOutcome.ACCEPTED:
        return PostState.PUBLISHED
    if before is PostState.UNKNOWN or outcome is SendOutcome.UNKNOWN:
        return PostState.UNKNOWN
    return PostState.FAILED if outcome is SendOutcome.REFUSED else PostState.QUEUED


def wait_before_retry(tries: int, jitter: float, retry_after_seconds: float | None) -> float:
    """Seconds to leave an account alone: as long as it asked, and with each try up to 5, 10, 20 ... 300 more.

    jitter: 0..1, how much of that.
    """
    return (retry_after_seconds or 0.0) + min(_LONGEST_WAIT_SECONDS, 5.0 * (1 << min(tries - 1, 6))) * jitter


def _lock_undecided(session: AnySession, post_id: UUID) -> SocialPost:
    post = session.get(SocialPost, post_id, with_for_update=True, populate_existing=True)
    if post is None:
        raise NotFoundError("There is no such post.")
    if post.state not in (PostState.FAILED, PostState.UNKNOWN):
        raise ConflictError(f"This post is {post.state.value} now: there is nothing to decide. Load the page again.")
    return post


def _decide(
    session: AnySession, post: SocialPost, action: str, state: PostState, officer_id: UUID, now: datetime
) -> None:
    detail = {"network": post.network, "language": post.language, "before": post.state.value, "error": post.error}
    post.state = state
    audit.record(session, now, action, "social_post", post.id, officer_id=officer_id, detail=detail)
