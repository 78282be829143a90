"""An approved alert that waits to be posted, and the accounts it may be posted to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from config import Config
from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.extensions import cipher, db
from consular.models.alerts import AlertEvent
from consular.models.social import SocialPost
from consular.providers.registry import Adapters
from consular.services import social
from consular.services.transactions import unit_of_work
from tests.crisis_world import World

TEXTS = {
    "en": {"headline": "Fighting in Tripoli", "text": "Stay inside. Keep away from windows."},
    "ar": {"headline": "قتال في طرابلس", "text": "ابقوا في الداخل."},
}
ENGLISH = {"en": TEXTS["en"]}
LINK = "https://consular.example.org"
MASTODON_TOKEN, TELEGRAM_TOKEN = "ada_token", "123456:test"


def accounts(config: Config, mastodon: str | None = None, telegram: str | None = None, prefix: str = "") -> Config:
    """The settings with accounts on these servers. prefix: "" for the real ones, "exercise_" for practice."""
    values: dict[str, Any] = {}
    if mastodon:
        values |= {"mastodon_url": mastodon, "mastodon_token": MASTODON_TOKEN, "mastodon_account": "@ada"}
    if telegram:
        values |= {"telegram_url": telegram, "telegram_token": TELEGRAM_TOKEN, "telegram_channel": "@mission"}
    return dataclasses.replace(config, **{prefix + name: value for name, value in values.items()})


def approved(
    config: Config,
    texts: Mapping[str, Any] = ENGLISH,
    status: AlertStatus = AlertStatus.ACTUAL,
    now: datetime | None = None,
) -> UUID:
    """An event approved just now, with its posts on the accounts of `config`; its id."""
    now = now or utc_now() - timedelta(seconds=5)
    with unit_of_work() as session:
        event = session.get_one(AlertEvent, World(session).event())
        event.status, event.approved_at, event.expires_at = status, now, now + timedelta(hours=6)
        event.content_sealed = cipher.seal(json.dumps({"texts": texts}), "alert_events.content", event.id)
        session.flush()
        social.queue_posts(session, event, now, social.Outlets(Adapters(config).publishers, LINK))
        return event.id


def drain(config: Config) -> int:
    """One drain with the accounts of `config`."""
    return social.drain(Adapters(config).publishers, 20, lambda: False)


def posts(event_id: UUID) -> list[SocialPost]:
    """The event's posts as the database has them, by network and language."""
    db.session.rollback()
    order = (SocialPost.network, SocialPost.language)
    return list(db.session.scalars(select(SocialPost).where(SocialPost.event_id == event_id).order_by(*order)))


def only_post(event_id: UUID) -> SocialPost:
    """The event's one post."""
    (post,) = posts(event_id)
    return post


def pass_time(minutes: float) -> None:
    """Let every wait and lease of the posts be that much shorter, as if time had passed."""
    with unit_of_work() as session:
        session.execute(
            text(
                "update social_posts set not_before = not_before - :by, lease_until = lease_until - :by, "
                "created_at = created_at - :by"
            ),
            {"by": timedelta(minutes=minutes)},
        )
