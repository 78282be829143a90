"""Claiming and recording public posts, by the database's clock. not_before: when a row is to be looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, scoped_session

from consular.models.social import SocialPost

AnySession = Session | scoped_session[Session]

_REPEATABLE_SECONDS = 50 * 60
"""Mastodon knows a key for an hour. Counted from created_at, which is never later than the first try."""

_AN_OFFICER_DECIDES = datetime(9000, 1, 1, tzinfo=UTC)
"""not_before of a post in doubt that nobody repeats by himself."""

_CANCEL_LATE = text("""
with late as (
    select p.id, e.stopped_at from social_posts p join alert_events e on e.id = p.event_id
    where p.state = 'queued' and (e.stopped_at is not null or e.expires_at <= now()) for update of p skip locked
)
update social_posts p set state = 'cancelled', error = case when late.stopped_at is null
    then 'The alert was over before it could be posted.' else 'Sending was stopped before it was posted.' end
from late where p.id = late.id
""")

_LAPSE = text("""
with lost as (
    select id from social_posts where state = 'sending' and lease_until < now() for update skip locked
)
update social_posts p set state = 'unknown', lease_until = null,
    not_before = case when p.network = any(:folding) and p.created_at > now() - :window * interval '1 second'
        then now() else :never end,
    error = 'The program ended while it was posting; the post may be there.'
from lost where p.id = lost.id returning p.id
""")

_PARK = text("""
with doubtful as (
    select p.id from social_posts p join alert_events e on e.id = p.event_id
    where p.state = 'unknown' and p.not_before <= now()
      and not (p.network = any(:folding) and p.created_at > now() - :window * interval '1 second'
               and e.stopped_at is null and e.expires_at > now())
    for update of p skip locked
)
update social_posts p set not_before = :never from doubtful where p.id = doubtful.id
""")

_CLAIM = text("""
with next as (
    select p.id, p.state, e.status from social_posts p join alert_events e on e.id = p.event_id
    where p.state in ('queued', 'unknown') and p.not_before <= now() and (p.state = 'queued'
        or (p.network = any(:folding) and p.created_at > now() - :window * interval '1 second'))
      and e.stopped_at is null and e.expires_at > now()
    order by e.status = 'Exercise', p.not_before, p.language <> e.default_language, p.id
    limit 1 for update of p skip locked
)
update social_posts p set state = 'sending', attempt_id = gen_random_uuid(), tries = p.tries + 1,
    lease_until = now() + :lease * interval '1 second', not_before = now() + :lease * interval '1 second'
from next where p.id = next.id
returning p.id, p.attempt_id, p.network, p.account, p.language, p.text, p.tries, next.state as before, next.status
""")

_RECORD = text("""
update social_posts p set
    state = case when cast(:state as text) = 'queued' and e.stopped_at is not null then 'cancelled'
                 else cast(:state as text) end,
    not_before = coalesce(now() + cast(:wait as float8) * interval '1 second', cast(:never as timestamptz)),
    provider_post_id = :provider_post_id, permalink = :permalink, error = :error, lease_until = null,
    published_at = case when cast(:state as text) = 'published' then now() end
from alert_events e
where e.id = p.event_id and p.id = :id and p.attempt_id = :attempt
  and (p.state in ('sending', 'unknown') or (cast(:state as text) = 'published' and p.state = 'queued'))
returning p.state
""")

_DEFER = text("""
with waiting as (
    select p.id from social_posts p join alert_events e on e.id = p.event_id
    where p.state in ('queued', 'unknown') and p.network = :network and p.account = :account and e.status = :status
    for update of p skip locked
)
update social_posts p set not_before = greatest(p.not_before, now() + :seconds * interval '1 second')
from waiting where p.id = waiting.id
""")


def add(session: AnySession, rows: Sequence[dict[str, Any]]) -> int:
    """Insert posts, columns by name; how many are new. One of the same event, account and language stays as it is."""
    statement = insert(SocialPost).on_conflict_do_nothing().returning(SocialPost.id)
    return len(session.execute(statement, list(rows)).all()) if rows else 0


def cancel_unsent(session: AnySession, event_id: UUID) -> int:
    """Cancel the event's posts that no network was given yet; how many."""
    statement = "update social_posts set state = 'cancelled' where event_id = :id and state = 'queued' returning id"
    return len(session.execute(text(statement), {"id": event_id}).all())


def settle_overdue(session: AnySession, folding: Sequence[str]) -> int:
    """Cancel what is too late, make lapsed leases `unknown`, leave to officers what nobody may repeat; how many lapsed.

    folding: the networks that fold a second post with the same key.
    """
    values = {"folding": list(folding), "window": _REPEATABLE_SECONDS, "never": _AN_OFFICER_DECIDES}
    session.execute(_CANCEL_LATE)
    lapsed = len(session.execute(_LAPSE, values).all())
    session.execute(_PARK, values)
    return lapsed


def claim(session: AnySession, folding: Sequence[str], lease_seconds: float) -> Row[Any] | None:
    """Mark the next due post `sending` and give it out: Actual first. Rows that other workers hold are passed over."""
    values = {"folding": list(folding), "window": _REPEATABLE_SECONDS, "lease": lease_seconds}
    return session.execute(_CLAIM, values).one_or_none()


def record(
    session: AnySession,
    claimed: Row[Any],
    state: str,
    *,
    wait: float | None,
    provider_post_id: str | None,
    permalink: str | None,
    error: str | None,
) -> str | None:
    """Write what became of a claimed post; its state now, None when another attempt has taken its place.

    wait: seconds until it may be tried again, None: only when an officer asks for it.
    """
    values = {
        "id": claimed.id,
        "attempt": claimed.attempt_id,
        "state": state,
        "wait": wait,
        "never": _AN_OFFICER_DECIDES,
        "error": error,
        "provider_post_id": provider_post_id,
        "permalink": permalink,
    }
    result = session.execute(_RECORD, values)
    found: str | None = result.scalar_one_or_none()
    return found


def defer_account(session: AnySession, claimed: Row[Any], seconds: float) -> None:
    """Let everything that waits for the claimed post's account wait at least so long."""
    values = {"network": claimed.network, "account": claimed.account, "status": claimed.status, "seconds": seconds}
    session.execute(_DEFER, values)
